import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { CredentialsError } from './credentials.ts';
import type { KubeconfigSource } from './kubeconfig-places.ts';

const fields = z.looseObject({});
const named = z.nullish(
  z.array(z.looseObject({ name: z.string(), cluster: z.nullish(fields), user: z.nullish(fields), context: z.nullish(fields) })),
);
const fileSchema = z.looseObject({ 'current-context': z.nullish(z.string()), clusters: named, users: named, contexts: named });

type Entry = NonNullable<z.infer<typeof named>>[number];

/** What kubectl makes of some kubeconfigs. */
export interface MergedKubeconfig {
  'current-context': string | undefined;
  clusters: Entry[];
  users: Entry[];
  contexts: Entry[];
}

/** In a user, in a cluster, and in how a user's plug-in is started: paths that are relative to the file which they are in. */
const PATHS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

/**
 * Reads and merges kubeconfigs as kubectl does: of each name, and of the current context, the first that says something counts.
 * Undefined where of a list none is there. Throws CredentialsError.
 */
export function readKubeconfigs(source: KubeconfigSource): MergedKubeconfig | undefined {
  const files = (typeof source === 'string' ? [source] : source).flatMap((path) => {
    const file = readOne(path, typeof source === 'string');
    return file === undefined ? [] : [file];
  });
  if (files.length === 0) return undefined;
  const all = (kind: 'clusters' | 'users' | 'contexts'): Entry[] => {
    const first = new Map<string, Entry>();
    for (const entry of files.flatMap((file) => file[kind] ?? [])) if (!first.has(entry.name)) first.set(entry.name, entry);
    return [...first.values()];
  };
  return {
    'current-context': files.map((file) => file['current-context']).find((context) => context) ?? undefined,
    clusters: all('clusters'),
    users: all('users'),
    contexts: all('contexts'),
  };
}

function readOne(path: string, mustBeThere: boolean): z.infer<typeof fileSchema> | undefined {
  const fail = (cause: unknown): CredentialsError =>
    new CredentialsError(`cannot read the kubeconfig ${path}`, { cause, retryable: false });
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (!mustBeThere && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fail(cause);
  }
  let parsed: z.infer<typeof fileSchema>;
  try {
    parsed = z.parse(fileSchema, parse(text) ?? {});
  } catch (cause) {
    throw fail(cause);
  }
  for (const { cluster, user } of [...(parsed.clusters ?? []), ...(parsed.users ?? [])])
    for (const inner of [cluster, user]) if (inner) makeAbsolute(inner, dirname(resolve(path)));
  return parsed;
}

function makeAbsolute(inner: Record<string, unknown>, folder: string): void {
  for (const key of PATHS) {
    const value = inner[key];
    if (typeof value === 'string' && value !== '' && !isAbsolute(value)) inner[key] = resolve(folder, value);
  }
  const { exec } = inner as { exec?: { command?: unknown } };
  // A bare name is looked for on the PATH.
  if (typeof exec?.command === 'string' && /[/\\]/.test(exec.command) && !isAbsolute(exec.command))
    exec.command = resolve(folder, exec.command);
}

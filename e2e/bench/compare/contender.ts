import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { durationMs, durationSchema } from '../../../src/api/primitives.ts';
import { unknownPlaceholder } from './placeholders.ts';

const text = (where: 'pod' | 'step') =>
  z
    .string()
    .max(10_000)
    .superRefine((value, context) => {
      const message = unknownPlaceholder(value, where);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });

const command = (where: 'pod' | 'step') => z.array(text(where)).min(1, 'wants a program and its arguments, as a list');
const duration = z.pipe(durationSchema(), z.transform(durationMs));
const dnsName = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'wants small letters, digits and hyphens');
const labels = z.record(z.string(), z.string()).default({});

const program = z.strictObject({
  name: dnsName.describe('what it is called in messages and logs'),
  selector: z.string().min(1).describe('label selector of its pods: each one that the scheduler has put on a node is run by the command'),
  namespace: dnsName.optional().describe("the pods' namespace, where it is not the contender's"),
  command: command('pod').describe("what is run for a pod, in the file's folder, without a shell"),
  env: z.record(z.string(), text('pod')).default({}).describe('environment of the command; nothing is inherited but PATH and HOME'),
});

const step = z.strictObject({
  manifests: z.array(z.string().min(1)).default([]).describe('files that are applied in this order; their placeholders are filled in'),
  command: command('step').optional().describe('is run afterwards, with an administrator in KUBECONFIG; kubectl and helm are in PATH'),
  timeout: duration.default(120_000).describe('how long the command may take'),
});

const nothingToDo = { manifests: [], timeout: 120_000 };

/** What a contender's file says. */
const contenderSchema = z.strictObject({
  name: z.string().min(1).max(40).describe('its column in the table'),
  caveats: z.array(z.string().min(1)).default([]).describe('printed under the table: what its figures do not hold'),
  namespace: dnsName.describe('is made; requests are counted by the service accounts in it'),
  nodes: z.strictObject({ labels, annotations: labels }).default({ labels: {}, annotations: {} }).describe('what nodes register with'),
  install: step.default(nothingToDo).describe('puts it into the cluster'),
  controllers: z.array(program).min(1).describe('what runs for the whole cluster'),
  agents: z.array(program).default([]).describe('what runs on each node'),
  ready: z
    .strictObject({ command: command('step'), timeout: duration.default(120_000) })
    .optional()
    .describe('is run until it ends with 0; without it, programs that have run for 5 s are ready'),
  begin: step
    .default(nothingToDo)
    .describe('what is done once the release has appeared in the update repository; nothing, where that is enough'),
});

export type ContenderSpec = z.output<typeof contenderSchema>;
export type ProgramSpec = ContenderSpec['controllers'][number];
export type StepSpec = ContenderSpec['install'];

/** Another operator, as its file describes it. */
export interface Contender {
  readonly spec: ContenderSpec;
  /** Where its commands run, and its manifests lie. */
  readonly folder: string;
}

/** A contender's file cannot be used; the message says where and why. */
export class ContenderError extends Error {
  override readonly name = 'ContenderError';
}

/** @throws ContenderError */
export async function readContender(file: string): Promise<Contender> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (cause) {
    throw new ContenderError(`${file} cannot be read`, { cause });
  }
  return { spec: parseContender(content, file), folder: path.dirname(path.resolve(file)) };
}

/** @throws ContenderError whose message names the file and each wrong field */
export function parseContender(content: string, file: string): ContenderSpec {
  let value: unknown;
  try {
    value = parse(content, { maxAliasCount: 20 });
  } catch (cause) {
    throw new ContenderError(`${file} is no YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const parsed = contenderSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.slice(0, 10).map((issue) => `  ${issue.path.map(String).join('.') || 'the file'}: ${issue.message}`);
  throw new ContenderError(`${file} is no contender:\n${lines.join('\n')}`);
}

import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { cachedFile } from './cached-file.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Credentials, CredentialsError } from './credentials.ts';
import { readText } from './read-text.ts';

const clusterSchema = z.object({
  server: z.url({ protocol: /^https?$/ }),
  'certificate-authority': z.optional(z.string()),
  'certificate-authority-data': z.optional(z.string()),
  'insecure-skip-tls-verify': z.optional(z.boolean()),
  'tls-server-name': z.optional(z.string()),
});
const userSchema = z.strictObject({
  token: z.optional(z.string()),
  tokenFile: z.optional(z.string()),
  'client-certificate': z.optional(z.string()),
  'client-certificate-data': z.optional(z.string()),
  'client-key': z.optional(z.string()),
  'client-key-data': z.optional(z.string()),
});
const fileSchema = z.object({
  'current-context': z.string(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(z.object({ name: z.string(), cluster: z.unknown() })),
  users: z.array(z.object({ name: z.string(), user: z.unknown() })),
});

/**
 * The current context of one kubeconfig file, for programs that do without client-node: a token, a token file (read again
 * every 60 s and after a refusal) or a client certificate. Rejects with CredentialsError for anything else (exec, OIDC, passwords).
 */
export async function simpleKubeconfigCredentials(path: string, clock: Clock = systemClock): Promise<Credentials> {
  const fail = (message: string, cause?: unknown): CredentialsError =>
    new CredentialsError(`${path}: ${message}`, { cause, retryable: false });
  const file = check(fileSchema, await load(path, fail), 'is no kubeconfig', fail);
  const context = file.contexts.find(({ name }) => name === file['current-context'])?.context;
  if (!context) throw fail(`there is no context ${file['current-context']}`);
  const clusterEntry = file.clusters.find(({ name }) => name === context.cluster);
  if (!clusterEntry) throw fail(`there is no cluster ${context.cluster}`);
  const userEntry = file.users.find(({ name }) => name === context.user);
  if (!userEntry) throw fail(`there is no user ${context.user}`);
  const cluster = check(clusterSchema, clusterEntry.cluster, `cluster ${context.cluster} makes no sense`, fail);
  const user = check(userSchema, userEntry.user ?? {}, `user ${context.user}: only a token, a tokenFile or a client certificate`, fail);

  const source = (file: string | undefined, data: string | undefined): (() => Promise<string | undefined>) & { refresh(): void } => {
    if (data !== undefined) {
      const text = Buffer.from(data, 'base64').toString('utf8');
      return Object.assign(async () => text, { refresh() {} });
    }
    if (file === undefined) return Object.assign(async () => undefined, { refresh() {} });
    const cached = cachedFile(resolve(dirname(path), file), clock);
    return Object.assign(() => cached.read(), { refresh: () => cached.refresh() });
  };
  const ca = source(cluster['certificate-authority'], cluster['certificate-authority-data']);
  const cert = source(user['client-certificate'], user['client-certificate-data']);
  const key = source(user['client-key'], user['client-key-data']);
  const token = source(user.tokenFile, undefined);
  return {
    server: new URL(cluster.server),
    async tls() {
      return {
        ca: await ca(),
        cert: await cert(),
        key: await key(),
        rejectUnauthorized: cluster['insecure-skip-tls-verify'] ? false : undefined,
        servername: cluster['tls-server-name'],
      };
    },
    async authorization() {
      // As kubectl has it: the file beats the token that stands beside it.
      const value = (await token())?.trim() ?? user.token;
      return value === undefined ? undefined : `Bearer ${value}`;
    },
    refresh() {
      for (const each of [ca, cert, key, token]) each.refresh();
    },
  };
}

async function load(path: string, fail: (message: string, cause?: unknown) => Error): Promise<unknown> {
  let text: string;
  try {
    text = await readText(path);
  } catch (cause) {
    throw new CredentialsError(`cannot read ${path}`, { cause, retryable: true });
  }
  try {
    return parse(text);
  } catch (cause) {
    throw fail('is no YAML', cause);
  }
}

function check<S extends z.ZodMiniType>(
  schema: S,
  value: unknown,
  message: string,
  fail: (message: string, cause?: unknown) => Error,
): z.infer<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw fail(`${message}: ${z.prettifyError(result.error).replaceAll('\n', ' ')}`);
  return result.data;
}

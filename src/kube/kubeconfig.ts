import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestOptions as HttpsOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import * as z from 'zod/mini';
import { type Clock, systemClock } from './clock.ts';
import { type Credentials, CredentialsError, type Impersonation, type ProxyEnvironment, type TlsOptions } from './credentials.ts';
import { readKubeconfigs } from './kubeconfig-files.ts';
import type { KubeconfigSource } from './kubeconfig-places.ts';
import { wayTo } from './person-proxy.ts';

interface Applied {
  readonly tls: TlsOptions;
  readonly authorization: string | undefined;
}

// Plug-ins and token files are asked again this often; the library keeps what a plug-in said until it expires.
const maxAgeMs = 10_000;
/** A server that keeps refusing us must not have a plug-in started for each request. */
const minReloadMs = 5_000;
/** Where there is no kubeconfig, a pod's own account counts, as for kubectl. */
const POD_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** What a person's command line and environment say besides. */
export interface KubeconfigOverrides {
  /** Each of it in place of what the kubeconfig says of whom requests count as. */
  readonly impersonate?: Partial<Impersonation> | undefined;
  /** Where the kubeconfig names no proxy; as for other programs, none is asked on the way to this machine itself. */
  readonly proxy?: ProxyEnvironment | undefined;
}

/**
 * A person's kubeconfigs with all that client-node understands: exec plug-ins, OIDC, client certificates; `proxy-url` and `as` with all
 * that belongs to it, too. Throws CredentialsError where there is none, or no such context.
 */
export function kubeconfigCredentials(
  source: KubeconfigSource,
  context?: string,
  clock: Clock = systemClock,
  overrides: KubeconfigOverrides = {},
): Credentials {
  let loaded = load(source, context);
  let loadedAt = clock.monotonic();
  let cached: { at: number; applied: Promise<Applied> } | undefined;

  const applied = (): Promise<Applied> => {
    if (cached === undefined || clock.monotonic() - cached.at >= maxAgeMs) {
      const fresh = apply(loaded);
      cached = { at: clock.monotonic(), applied: fresh };
      fresh.catch(() => {
        if (cached?.applied === fresh) cached = undefined;
      });
    }
    return cached.applied;
  };

  const server = serverOf(loaded.config);
  const impersonate = impersonationBy(loaded.user, overrides.impersonate ?? {});
  return {
    server,
    ...wayTo(server, loaded.config.getCurrentCluster()?.proxyUrl, overrides.proxy),
    ...(impersonate !== undefined && { impersonate }),
    tls: async () => (await applied()).tls,
    authorization: async () => (await applied()).authorization,
    refresh() {
      if (clock.monotonic() - loadedAt < minReloadMs) return;
      loadedAt = clock.monotonic();
      cached = undefined;
      try {
        // Only a new KubeConfig forgets the token that its plug-in gave.
        loaded = load(source, context);
      } catch {
        // Somebody may be writing the file; the configuration that we have still stands.
      }
    },
  };
}

/** What a kubeconfig calls a cluster, and where that is. */
interface KubeconfigNames {
  context: string;
  /** The cluster's own name. */
  name: string;
  server: string;
}

/** The names of the (current) context. Throws CredentialsError as kubeconfigCredentials does. */
export function kubeconfigNames(source: KubeconfigSource, context?: string): KubeconfigNames {
  const { config } = load(source, context);
  return { context: config.getCurrentContext(), name: config.getCurrentCluster()?.name ?? '', server: serverOf(config).origin };
}

/** The namespace that the (current) context names. */
export function kubeconfigNamespace(source: KubeconfigSource, context?: string): string | undefined {
  const { config } = load(source, context);
  return config.getContextObject(config.getCurrentContext())?.namespace;
}

const userSchema = z.looseObject({
  tokenFile: z.optional(z.string()),
  as: z.optional(z.string()),
  'as-uid': z.optional(z.string()),
  'as-groups': z.optional(z.array(z.string())),
  'as-user-extra': z.optional(z.record(z.string(), z.array(z.string()))),
});

interface Loaded {
  config: KubeConfig;
  /** The context's user, as far as client-node does not read it. */
  user: z.infer<typeof userSchema>;
}

function load(source: KubeconfigSource, context: string | undefined): Loaded {
  const merged = readKubeconfigs(source);
  const config = new KubeConfig();
  const fail = (message: string, cause?: unknown) => new CredentialsError(message, { cause, retryable: false });
  if (merged !== undefined) {
    try {
      config.loadFromString(JSON.stringify(merged));
    } catch (cause) {
      throw fail(`the kubeconfig ${[source].flat().join(', ')} makes no sense`, cause);
    }
  } else if (existsSync(POD_TOKEN)) config.loadFromCluster();
  else throw fail('there is no kubeconfig: KUBECONFIG names none, and there is no ~/.kube/config');
  if (context !== undefined) {
    if (!config.getContextObject(context)) throw fail(`the kubeconfig has no context ${context}`);
    config.setCurrentContext(context);
  }
  if (!config.getCurrentCluster()) throw fail('the kubeconfig names no current context with a cluster');
  const name = config.getCurrentUser()?.name;
  const user = userSchema.safeParse(merged?.users.find((each) => each.name === name)?.user ?? {});
  if (!user.success) throw fail(`user ${name} of the kubeconfig makes no sense`, user.error);
  return { config, user: user.data };
}

function serverOf(config: KubeConfig): URL {
  const server = config.getCurrentCluster()?.server ?? '';
  const url = URL.parse(server);
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    throw new CredentialsError(`the kubeconfig's server is no https:// URL: ${server}`, { retryable: false });
  return url;
}

/** As in kubectl, each of what is said on the command line stands in place of that in the kubeconfig. */
function impersonationBy(user: Loaded['user'], said: Partial<Impersonation>): Impersonation | undefined {
  const name = said.user ?? user.as;
  const groups = said.groups ?? user['as-groups'];
  const uid = said.uid ?? user['as-uid'];
  const extra = { ...user['as-user-extra'], ...said.extra };
  const more = { ...(groups?.length && { groups }), ...(uid && { uid }), ...(Object.keys(extra).length > 0 && { extra }) };
  if (name) return { user: name, ...more };
  if (Object.keys(more).length === 0) return undefined;
  throw new CredentialsError('groups, a uid or more of a user to act as need the user: --as USER, or `as` in the kubeconfig', {
    retryable: false,
  });
}

async function apply({ config, user: { tokenFile } }: Loaded): Promise<Applied> {
  const options: HttpsOptions = {};
  let token: string | undefined;
  try {
    // It goes before the token that stands beside it.
    if (tokenFile) token = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    throw new CredentialsError('cannot get credentials as the kubeconfig says', { cause, retryable: true });
  }
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  const header = new Headers(options.headers as Record<string, string> | undefined).get('authorization');
  return {
    tls: { ca: pem(ca), cert: pem(cert), key: pem(key), rejectUnauthorized, servername },
    authorization: token ?? header ?? (options.auth ? `Basic ${Buffer.from(options.auth).toString('base64')}` : undefined),
  };
}

function pem(value: unknown): string | Buffer | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined;
}

import type { RequestOptions as HttpsOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { type Clock, systemClock } from './clock.ts';
import { type Credentials, CredentialsError, type Impersonation, type ProxyEnvironment, type TlsOptions } from './credentials.ts';

interface Applied {
  readonly tls: TlsOptions;
  readonly authorization: string | undefined;
}

// Plug-ins and token files are asked again this often; the library keeps what a plug-in said until it expires.
const maxAgeMs = 10_000;
/** A server that keeps refusing us must not have a plug-in started for each request. */
const minReloadMs = 5_000;

/** What a person's command line and environment say besides. */
export interface KubeconfigOverrides {
  /** In place of whom the kubeconfig has requests count as. */
  readonly impersonate?: Impersonation | undefined;
  /** Where the kubeconfig names no proxy; as for other programs, none is asked on the way to this machine itself. */
  readonly proxy?: ProxyEnvironment | undefined;
}

/**
 * A person's kubeconfig with all that client-node understands: merged files, exec plug-ins, OIDC, client certificates; `proxy-url` (HTTP) and `as`, too.
 * Without a path: KUBECONFIG, then ~/.kube/config. Throws CredentialsError where there is none, or no such context.
 */
export function kubeconfigCredentials(
  path: string | undefined,
  context?: string,
  clock: Clock = systemClock,
  overrides: KubeconfigOverrides = {},
): Credentials {
  let config = load(path, context);
  let loadedAt = clock.monotonic();
  let cached: { at: number; applied: Promise<Applied> } | undefined;

  const applied = (): Promise<Applied> => {
    if (cached === undefined || clock.monotonic() - cached.at >= maxAgeMs) {
      const fresh = apply(config);
      cached = { at: clock.monotonic(), applied: fresh };
      fresh.catch(() => {
        if (cached?.applied === fresh) cached = undefined;
      });
    }
    return cached.applied;
  };

  const server = serverOf(config);
  const proxy = proxyOf(config) ?? (isLoopback(server) ? undefined : overrides.proxy);
  const impersonate = overrides.impersonate ?? impersonationOf(config);
  return {
    server,
    ...(proxy !== undefined && { proxy }),
    ...(impersonate !== undefined && { impersonate }),
    tls: async () => (await applied()).tls,
    authorization: async () => (await applied()).authorization,
    refresh() {
      if (clock.monotonic() - loadedAt < minReloadMs) return;
      loadedAt = clock.monotonic();
      cached = undefined;
      try {
        // Only a new KubeConfig forgets the token that its plug-in gave.
        config = load(path, context);
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
export function kubeconfigNames(path: string | undefined, context?: string): KubeconfigNames {
  const config = load(path, context);
  return { context: config.getCurrentContext(), name: config.getCurrentCluster()?.name ?? '', server: serverOf(config).origin };
}

/** The namespace that the (current) context names. */
export function kubeconfigNamespace(path: string | undefined, context?: string): string | undefined {
  const config = load(path, context);
  return config.getContextObject(config.getCurrentContext())?.namespace;
}

function load(path: string | undefined, context: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    if (path === undefined) config.loadFromDefault();
    else config.loadFromFile(path);
  } catch (cause) {
    throw new CredentialsError(`cannot read the kubeconfig${path === undefined ? '' : ` ${path}`}`, { cause, retryable: false });
  }
  if (context !== undefined) {
    if (!config.getContextObject(context)) throw new CredentialsError(`the kubeconfig has no context ${context}`, { retryable: false });
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  // What the library makes up where it finds no kubeconfig and is in no cluster.
  if (path === undefined && config.getCurrentContext() === 'loaded-context' && cluster?.server === 'http://localhost:8080')
    throw new CredentialsError('there is no kubeconfig: KUBECONFIG names none, and there is no ~/.kube/config', { retryable: false });
  if (!cluster) throw new CredentialsError('the kubeconfig names no current context with a cluster', { retryable: false });
  return config;
}

function serverOf(config: KubeConfig): URL {
  const server = config.getCurrentCluster()?.server ?? '';
  try {
    return new URL(server);
  } catch (cause) {
    throw new CredentialsError(`the kubeconfig's server is no URL: ${server}`, { cause, retryable: false });
  }
}

/** The kubeconfig's own word beats the environment's, and holds for every server. */
function proxyOf(config: KubeConfig): ProxyEnvironment | undefined {
  const url = config.getCurrentCluster()?.proxyUrl;
  if (!url) return undefined;
  if (!/^https?:\/\/./.test(url))
    throw new CredentialsError(`the kubeconfig's proxy-url is ${url}: only http:// and https:// proxies are supported`, {
      retryable: false,
    });
  return { HTTPS_PROXY: url, HTTP_PROXY: url };
}

function impersonationOf(config: KubeConfig): Impersonation | undefined {
  const user = config.getCurrentUser()?.impersonateUser;
  return user ? { user } : undefined;
}

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);

async function apply(config: KubeConfig): Promise<Applied> {
  const options: HttpsOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    throw new CredentialsError('cannot get credentials as the kubeconfig says', { cause, retryable: true });
  }
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  const header = new Headers(options.headers as Record<string, string> | undefined).get('authorization');
  return {
    tls: { ca: pem(ca), cert: pem(cert), key: pem(key), rejectUnauthorized, servername },
    authorization: header ?? (options.auth ? `Basic ${Buffer.from(options.auth).toString('base64')}` : undefined),
  };
}

function pem(value: unknown): string | Buffer | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined;
}

import type { ProxyEnvironment } from '../kube/credentials.ts';

const NAMES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'] as const;

/** The proxy that the user's environment names; undefined where it names none. */
export function proxyEnvironment(env: NodeJS.ProcessEnv = process.env): ProxyEnvironment | undefined {
  const named = NAMES.filter((name) => env[name] !== undefined && env[name] !== '');
  return named.some((name) => !name.toLowerCase().startsWith('no'))
    ? Object.fromEntries(named.map((name) => [name, env[name]]))
    : undefined;
}

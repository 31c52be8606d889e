import type { ProxyEnvironment } from '../kube/credentials.ts';
import { kubeconfigPlaces } from '../kube/kubeconfig-places.ts';

const NAMES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'] as const;

/** Where the user's kubeconfigs are. */
export const kubeconfigFiles = (env: NodeJS.ProcessEnv = process.env): readonly string[] => kubeconfigPlaces(env);

/** The proxy that the user's environment names; undefined where it names none. */
export function proxyEnvironment(env: NodeJS.ProcessEnv = process.env): ProxyEnvironment | undefined {
  const named = NAMES.filter((name) => env[name] !== undefined && env[name] !== '');
  return named.some((name) => !name.toLowerCase().startsWith('no'))
    ? Object.fromEntries(named.map((name) => [name, env[name]]))
    : undefined;
}

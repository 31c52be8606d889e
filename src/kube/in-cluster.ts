import { join } from 'node:path';
import { cachedFile } from './cached-file.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Credentials } from './credentials.ts';

export interface InClusterOptions {
  /** Where the service account's token and CA are mounted. */
  readonly directory?: string | undefined;
  /** KUBERNETES_SERVICE_HOST: a name, an IPv4 or an IPv6 address. */
  readonly host: string;
  /** KUBERNETES_SERVICE_PORT. */
  readonly port: string | number;
  readonly clock?: Clock | undefined;
}

/** The pod's own service account. Token and CA are read again every 60 s, and after a refusal. */
export function inClusterCredentials({
  directory = '/var/run/secrets/kubernetes.io/serviceaccount',
  host,
  port,
  clock = systemClock,
}: InClusterOptions): Credentials {
  const token = cachedFile(join(directory, 'token'), clock);
  const ca = cachedFile(join(directory, 'ca.crt'), clock);
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    tls: async () => ({ ca: await ca.read() }),
    authorization: async () => `Bearer ${(await token.read()).trim()}`,
    refresh() {
      token.refresh();
      ca.refresh();
    },
  };
}

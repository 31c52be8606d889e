import { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Credentials } from '../kube/credentials.ts';
import type { Logger } from '../kube/logger.ts';
import { Agent } from './agent.ts';
import { ApiServers, fallbackCredentials } from './api-servers.ts';
import { HostClient } from './host-client.ts';

export interface RunOptions {
  readonly node: string;
  readonly version: string;
  readonly credentials: Credentials;
  /** Where the host's API listens. */
  readonly socketPath: string;
  /** Whether the API server that the host's settings name may be used where the credentials' own cannot be reached. */
  readonly hostNamesServer: boolean;
  readonly readBootID: () => Promise<string>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Runs the agent of one node until the signal is aborted. Rejects where it must be started again; nothing of it is left behind. */
export async function runAgent(options: RunOptions): Promise<void> {
  const { node, version, credentials, socketPath, hostNamesServer, readBootID, clock, logger, random } = options;
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const host = new HostClient({ socketPath, clock });
  const clientFor = (credentials: Credentials): KubeClient =>
    new KubeClient({ credentials, userAgent: `lockkeeper-agent/${version}`, maxBodyBytes: 4 * 1024 * 1024, maxSockets: 2, clock, logger });
  const primary = clientFor(credentials);
  let fallback: KubeClient | undefined;
  const findFallback = async (): Promise<KubeClient | undefined> => {
    const settings = hostNamesServer ? await host.apiServer(signal) : undefined;
    const found = settings && fallbackCredentials(credentials, settings);
    fallback = found && clientFor(found);
    return fallback;
  };
  const kube = new ApiServers({ primary, findFallback, clock, logger }, signal);
  const agent = new Agent({
    node,
    version,
    kube,
    host,
    readBootID,
    // What people read on the NodeHost is told in one time, whatever the machine's clock says.
    clock: { ...clock, now: () => clock.now() + kube.clockOffsetMs },
    logger,
    random,
  });
  logger.info({ version, socket: socketPath }, 'agent started');
  try {
    await agent.run(signal);
    logger.info({}, 'agent ended');
  } finally {
    ending.abort();
    primary.close();
    fallback?.close();
  }
}

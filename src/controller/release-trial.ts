import { decideRelease } from '../core/release.ts';
import { KubeClient, type RequestOptions } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import type { Credentials } from '../kube/credentials.ts';
import type { Logger } from '../kube/logger.ts';
import { VERSION } from '../version.ts';
import { Applier } from './apply.ts';
import type { Look } from './release-world.ts';

interface TrialDeps {
  credentials: Credentials;
  print: (line: string) => void;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * Has the API server check the first writes of a release, those that it would make at once: rights, admission, versions. Resolves with
 * whether it takes them all; each that it refuses is printed. Nothing is kept.
 */
export async function tryRelease({ world, reflectors }: Look, { credentials, print, logger, signal }: TrialDeps): Promise<boolean> {
  const client = new TrialClient({ credentials, userAgent: `lockkeeper-release/${VERSION}`, logger });
  try {
    const applier = new Applier({
      client,
      reflectors,
      podViews: { list: async () => [] },
      hookJobs: { observe: () => undefined, refuse: (job, message) => print(`Job ${job.namespace}/${job.name}: refused: ${message}`) },
      logger,
      assertLeading: () => undefined,
      clock: systemClock,
    });
    const { policies, nodes } = decideRelease(world, systemClock.now() + client.clockOffsetMs);
    const { done, refused } = await applier.act(world, policies, nodes, new Set(), signal);
    for (const [name, error] of refused) print(`${name}: refused: ${error instanceof Error ? error.message : String(error)}`);
    print(`the API server has checked ${done + refused.size} of these writes, and refuses ${refused.size}`);
    return refused.size === 0;
  } finally {
    client.close();
  }
}

/** Whose writes are checked, and not kept. */
class TrialClient extends KubeClient {
  override request<T = unknown>(options: RequestOptions): Promise<T> {
    return super.request(options.method === 'GET' ? options : { ...options, query: { ...options.query, dryRun: 'All' } });
  }
}

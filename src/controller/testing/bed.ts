import { KubeClient } from '../../kube/client.ts';
import { systemClock } from '../../kube/clock.ts';
import { recordingLogger, testCredentials } from '../../kube/testing/fixtures.ts';
import { createReflectors, type Reflectors } from '../reflectors.ts';
import { FakeCluster } from './fake-cluster.ts';

/** A cluster in this process with a client, and reflectors that a test may run. */
export interface ClusterBed {
  cluster: FakeCluster;
  /** Where it listens. */
  server: URL;
  client: KubeClient;
  logger: ReturnType<typeof recordingLogger>;
  deps: { client: KubeClient; clock: typeof systemClock; random: () => number; logger: ReturnType<typeof recordingLogger> };
  reflectors: Reflectors;
  /** What the reflectors told. */
  told: { changes: number; budgets: string[] };
  /** Fills the caches and keeps them up. */
  watch(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a cluster in this process; `close` it at the end. */
export async function clusterBed(): Promise<ClusterBed> {
  const cluster = new FakeCluster();
  const logger = recordingLogger();
  const server = await cluster.start();
  const client = new KubeClient({ credentials: testCredentials(server), userAgent: 'test' });
  const deps = { client, clock: systemClock, random: () => 0, logger };
  const told = { changes: 0, budgets: [] as string[] };
  const reflectors = createReflectors(deps, 'lockkeeper', {
    changed: () => {
      told.changes += 1;
    },
    budgetChanged: (namespace) => told.budgets.push(namespace),
  });
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  return {
    cluster,
    server,
    client,
    logger,
    deps,
    reflectors,
    told,
    async watch() {
      running = reflectors.run(stop.signal);
      await reflectors.waitForSync(stop.signal);
    },
    async close() {
      stop.abort();
      await running;
      client.close();
      await cluster.stop();
    },
  };
}

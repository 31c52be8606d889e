import * as z from 'zod/mini';
import { API_VERSION, COMPONENT_LABEL, DEFAULT_NAMESPACE, PART_OF } from '../api/names.ts';
import { gather } from '../cluster/gather.ts';
import type { RetrySettings, World } from '../core/world.ts';
import type { KubeClient } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import { isNotFound } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';
import { createReflectors, type Reflectors } from './reflectors.ts';

const SYNC_MS = 60_000;

/** A release cannot begin; the message says what to do. */
export class ReleaseError extends Error {
  readonly retryable = false;

  constructor(message: string) {
    super(message);
    this.name = 'ReleaseError';
  }
}

/** Rejects with a ReleaseError where the cluster does not know our kinds. */
export async function refuseWithoutKinds(client: KubeClient, signal: AbortSignal): Promise<void> {
  try {
    await client.get(`/apis/${API_VERSION}`, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new ReleaseError(
      `the kinds of ${API_VERSION} are not there: apply the CRDs again (kubectl apply --server-side -f charts/lockkeeper/crds/), release, and delete them afterwards`,
    );
  }
}

const podsSchema = z.object({
  items: z.nullable(z.array(z.object({ metadata: z.object({ namespace: z.string(), labels: z.record(z.string(), z.string()) }) }))),
});

/** Where the controllers are, by their pods, and with them the Lease. Rejects with a ReleaseError where that is not one place. */
export async function namespaceOf(client: KubeClient, wanted: string | undefined, signal: AbortSignal): Promise<string> {
  const query = { labelSelector: `${PART_OF.key}=${PART_OF.value}`, fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' };
  const { items } = z.parse(podsSchema, await client.request({ method: 'GET', path: '/api/v1/pods', query, signal }));
  const of = (component: string) =>
    new Set(
      (items ?? []).filter(({ metadata }) => metadata.labels[COMPONENT_LABEL] === component).map(({ metadata }) => metadata.namespace),
    );
  const controllers = of('controller');
  const elsewhere = [...controllers].filter((namespace) => namespace !== wanted);
  if (wanted !== undefined && elsewhere.length > 0)
    throw new ReleaseError(`controllers run in ${elsewhere.join(', ')}: name that namespace with --namespace, or stop them first`);
  if (controllers.size > 1) throw new ReleaseError(`controllers run in ${elsewhere.join(', ')}: stop those of all but one first`);
  return wanted ?? [...controllers, ...of('agent')][0] ?? DEFAULT_NAMESPACE;
}

/** The cluster at one moment. */
export interface Look {
  world: World;
  /** What it was made of; no longer kept up. */
  reflectors: Reflectors;
}

/** Reads the cluster once. `retry` is how long a controller waits after what failed. */
export async function look(
  client: KubeClient,
  namespace: string,
  retry: RetrySettings,
  logger: Logger,
  signal: AbortSignal,
): Promise<Look> {
  const stop = new AbortController();
  const deps = { client, clock: systemClock, random: Math.random, logger };
  const reflectors = createReflectors(deps, namespace, { changed: () => undefined, budgetChanged: () => undefined });
  const until = AbortSignal.any([signal, stop.signal]);
  const running = reflectors.run(until);
  try {
    await reflectors.waitForSync(AbortSignal.any([signal, AbortSignal.timeout(SYNC_MS)]));
    const world = gather({
      objects: reflectors,
      self: undefined,
      retry,
      pods: new Map(),
      blockedPods: new Map(),
      hookNamespaces: [],
      jobs: new Map(),
      kubernetes: undefined,
      checks: new Map(),
      prometheusHosts: [],
    });
    return { world, reflectors };
  } finally {
    stop.abort();
    await running;
  }
}

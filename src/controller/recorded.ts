import { kindPath, UPDATE_POLICY } from '../api/kinds.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import { forEachBounded } from './bounded.ts';
import type { Reflectors } from './reflectors.ts';

const CONCURRENCY = 8;

/**
 * Reads anew the nodes that carry our record. A new leader's caches may be behind the last one's writes, and an eviction, unlike a
 * write, is under no resourceVersion: no pod must go from a node that was given back already.
 */
export async function refreshRecorded(
  client: Pick<KubeClient, 'get'>,
  { nodes }: Pick<Reflectors, 'nodes'>,
  signal: AbortSignal,
): Promise<void> {
  const recorded = [...nodes.items.values()].filter(({ record }) => record !== undefined);
  await refresh(
    client,
    nodes,
    recorded.map(({ name }) => `/api/v1/nodes/${encodeURIComponent(name)}`),
    signal,
  );
}

/** Reads all policies anew: what the last leader told webhooks is in their statuses, and is not to be told again. */
export async function refreshPolicies(
  client: Pick<KubeClient, 'get'>,
  { policies }: Pick<Reflectors, 'policies'>,
  signal: AbortSignal,
): Promise<void> {
  const paths = [...policies.items.values()].map(({ name }) => kindPath(UPDATE_POLICY, name));
  await refresh(client, policies, paths, signal);
}

async function refresh(
  client: Pick<KubeClient, 'get'>,
  reflector: { observe(raw: unknown): void },
  paths: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await forEachBounded(paths, CONCURRENCY, async (path) => {
    try {
      reflector.observe(await client.get(path, { signal }));
    } catch (error) {
      // The watch is about to tell; what it carries goes with it.
      if (!isNotFound(error)) throw error;
    }
  });
}

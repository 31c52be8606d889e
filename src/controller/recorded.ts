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
  await forEachBounded(recorded, CONCURRENCY, async ({ name }) => {
    try {
      nodes.observe(await client.get(`/api/v1/nodes/${encodeURIComponent(name)}`, { signal }));
    } catch (error) {
      // The watch is about to tell; its pods go with it.
      if (!isNotFound(error)) throw error;
    }
  });
}

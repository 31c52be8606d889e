import type { Api, KubeObject } from '../../bed/api.ts';
import { follow } from '../../bed/follow.ts';
import type { NodeObject } from '../../bed/node-object.ts';
import { isUnavailable } from '../../bed/watch-history.ts';
import { NodeSpells } from './node-spells.ts';

type Conditions = { status?: { conditions?: { type: string; status: string }[] } };
type Budget = KubeObject & { status?: { currentHealthy?: number; desiredHealthy?: number } };

/** What a contender does to nodes, pods and budgets, as the API server's own watches tell it: nobody's word but the cluster's. */
export interface ClusterWatch {
  readonly nodes: NodeSpells;
  /** Pods of the workload that were ready and are not, or no more, as namespace/name. */
  readonly podsTakenDown: ReadonlySet<string>;
  /** How often a budget had fewer healthy pods than it wants. */
  readonly budgetsBroken: number;
  /** What came before counts no more. */
  reset(): void;
  stop(): Promise<void>;
}

/** Follows the nodes of a label, and the pods and budgets of the workload's namespaces; keeps the last states alone. */
export async function watchCluster(api: Api, labelSelector: string, onError: (error: unknown) => void): Promise<ClusterWatch> {
  const ending = new AbortController();
  const nodes = new NodeSpells();
  const ready = new Set<string>();
  const takenDown = new Set<string>();
  const broken = new Set<string>();
  let timesBroken = 0;

  const following = [
    begin<NodeObject>('/api/v1/nodes', { labelSelector }, (object, gone) => {
      const { name } = object.metadata;
      if (gone) nodes.forget(name);
      else nodes.see(name, { unavailable: isUnavailable(object), osImage: object.status.nodeInfo.osImage }, Date.now());
    }),
    begin<KubeObject & Conditions>('/api/v1/pods', {}, (object, gone) => {
      const { namespace = '', name } = object.metadata;
      if (!namespace.startsWith('work-')) return;
      const key = `${namespace}/${name}`;
      const isReady = !gone && (object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false);
      if (isReady) ready.add(key);
      else if (ready.delete(key)) takenDown.add(key);
    }),
    begin<Budget>('/apis/policy/v1/poddisruptionbudgets', {}, ({ metadata, status }, gone) => {
      if (!metadata.namespace?.startsWith('work-')) return;
      const key = `${metadata.namespace}/${metadata.name}`;
      if (gone || (status?.currentHealthy ?? 0) >= (status?.desiredHealthy ?? 0)) broken.delete(key);
      else if (!broken.has(key)) {
        broken.add(key);
        timesBroken += 1;
      }
    }),
  ];
  await Promise.all(following.map(({ synced }) => synced));
  return {
    nodes,
    podsTakenDown: takenDown,
    get budgetsBroken() {
      return timesBroken;
    },
    reset() {
      nodes.reset(Date.now());
      takenDown.clear();
      timesBroken = broken.size;
    },
    async stop() {
      ending.abort();
      await Promise.all(following.map(({ ended }) => ended));
    },
  };

  function begin<T extends KubeObject>(path: string, query: { labelSelector?: string }, see: (object: T, gone: boolean) => void) {
    const synced = Promise.withResolvers<void>();
    const ended = follow<T>(
      api,
      path,
      query,
      ({ type, object }) => see(object, type === 'DELETED'),
      ending.signal,
      () => synced.resolve(),
    ).catch((error: unknown) => {
      synced.reject(error);
      onError(error);
    });
    return { synced: synced.promise, ended };
  }
}

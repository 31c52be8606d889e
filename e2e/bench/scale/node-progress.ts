import type { Api } from '../../bed/api.ts';
import { follow } from '../../bed/follow.ts';
import type { NodeObject } from '../../bed/node-object.ts';
import { isUnavailable } from '../../bed/watch-history.ts';

/** How far nodes have come, by the kubelets' word. */
export interface NodeProgress {
  readonly nodes: number;
  /** On that version, and available. */
  updated(version: string): number;
  readonly unavailable: number;
  /** The most that were unavailable at once since `reset`. */
  readonly mostUnavailable: number;
  reset(): void;
  stop(): Promise<void>;
}

/** Follows the nodes of a label; keeps their last states alone. */
export async function followProgress(api: Api, labelSelector: string, onError: (error: unknown) => void): Promise<NodeProgress> {
  const ending = new AbortController();
  const synced = Promise.withResolvers<void>();
  const states = new Map<string, { osImage: string; unavailable: boolean }>();
  let unavailable = 0;
  let most = 0;
  const following = follow<NodeObject>(
    api,
    '/api/v1/nodes',
    { labelSelector },
    ({ type, object }) => {
      const { name } = object.metadata;
      if (states.get(name)?.unavailable) unavailable -= 1;
      states.delete(name);
      if (type === 'DELETED') return;
      const state = { osImage: object.status.nodeInfo.osImage, unavailable: isUnavailable(object) };
      states.set(name, state);
      if (state.unavailable) unavailable += 1;
      most = Math.max(most, unavailable);
    },
    ending.signal,
    () => synced.resolve(),
  ).catch((error: unknown) => {
    synced.reject(error);
    onError(error);
  });
  await synced.promise;
  return {
    get nodes() {
      return states.size;
    },
    updated(version) {
      let updated = 0;
      for (const state of states.values()) if (!state.unavailable && state.osImage.startsWith(`Bottlerocket OS ${version} (`)) updated += 1;
      return updated;
    },
    get unavailable() {
      return unavailable;
    },
    get mostUnavailable() {
      return most;
    },
    reset() {
      most = unavailable;
    },
    async stop() {
      ending.abort();
      await following;
    },
  };
}

import type { KubeObject } from '../../bed/api.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';

/** A pod as the API has it. */
export type Pod = KubeObject & {
  spec: { nodeName?: string };
  status?: {
    phase?: string;
    podIP?: string;
    conditions?: { type: string; status: string; lastTransitionTime?: string }[];
    containerStatuses?: {
      name: string;
      containerID?: string;
      ready: boolean;
      restartCount: number;
      state?: { terminated?: { exitCode: number; reason?: string; message?: string } };
      /** How the container before this one ended. */
      lastState?: { terminated?: { exitCode: number; reason?: string; finishedAt?: string } };
    }[];
  };
};

/** How a pod's only container ended, by its kubelet's last word. */
export interface Ending {
  readonly pod: string;
  readonly node: string;
  readonly exitCode: number | undefined;
  /** The container's own last words. */
  readonly message: string | undefined;
}

/** Serves, and is not told to end: what counts for a PodDisruptionBudget. */
export function isServing({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return metadata.deletionTimestamp === undefined && ready?.status === 'True';
}

/** The fewest pods with these labels that served at one instant, from when there were first as many as wanted. */
export function fewestServing(history: WatchHistory<Pod>, labels: Readonly<Record<string, string>>, wanted: number): number {
  const serving = new Set<string>();
  let fewest: number | undefined;
  for (const { type, object } of history.versions) {
    if (Object.entries(labels).some(([key, value]) => object.metadata.labels?.[key] !== value)) continue;
    if (type !== 'DELETED' && isServing(object)) serving.add(object.metadata.uid ?? '');
    else serving.delete(object.metadata.uid ?? '');
    if (fewest !== undefined || serving.size === wanted) fewest = Math.min(fewest ?? wanted, serving.size);
  }
  return fewest ?? 0;
}

/** The pods that are gone, in the order of their end. */
export function endings(history: WatchHistory<Pod>): Ending[] {
  return history.versions.flatMap(({ type, object: { metadata, spec, status } }) => {
    if (type !== 'DELETED') return [];
    const terminated = status?.containerStatuses?.[0]?.state?.terminated;
    return [{ pod: metadata.name, node: spec.nodeName ?? '', exitCode: terminated?.exitCode, message: terminated?.message }];
  });
}

/** The pods on a node, but those of DaemonSets, as they were when something of that resourceVersion was written. */
export function drainablePodsOn(history: WatchHistory<Pod>, node: string, resourceVersion: number): string[] {
  const there = new Set<string>();
  for (const { type, object } of history.versions) {
    if (Number(object.metadata.resourceVersion) >= resourceVersion) break;
    const { metadata, spec } = object;
    if (spec.nodeName !== node || metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet')) continue;
    if (type === 'DELETED') there.delete(metadata.name);
    else there.add(metadata.name);
  }
  return [...there];
}

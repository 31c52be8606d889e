import type { PodView, World } from './world.ts';

/** The policy's drain settings that decide which pods may be evicted. */
export interface DrainSettings {
  deleteEmptyDirData: boolean;
  force: boolean;
}

/** What a drain does with the pods of one node. */
export interface DrainPlan {
  /** To be evicted, honouring budgets. */
  evict: readonly PodView[];
  /** Terminating already: only waited for. */
  waitFor: readonly PodView[];
  /** Left on the node; they live or die with it. */
  leave: readonly { pod: PodView; reason: LeaveReason }[];
  /** What forbids the drain, grouped by reason as `cannot evict <reason>: ns/pod, ns/pod`. Where there is any, nothing may be evicted. */
  errors: readonly string[];
}

export type LeaveReason = 'DaemonSet' | 'MirrorPod' | 'RidesThrough';

type Fate = { kind: 'evict' } | { kind: 'wait' } | { kind: 'leave'; reason: LeaveReason } | { kind: 'forbidden'; reason: string };

const NAKED = 'pods that no controller would create again (drain.force allows it)';
const LOCAL_STORAGE = 'pods with an emptyDir, whose data would be lost (drain.deleteEmptyDirData allows it)';

/**
 * Sorts a node's pods as `kubectl drain` does: DaemonSets' pods and mirror pods stay, finished pods go, pods without a controller
 * and pods with an emptyDir go only by leave of the settings. A controller pod of our own that nobody could replace meanwhile rides through.
 */
export function planDrain(pods: readonly PodView[], settings: DrainSettings, ridesThrough?: World['self']): DrainPlan {
  const evict: PodView[] = [];
  const waitFor: PodView[] = [];
  const leave: { pod: PodView; reason: LeaveReason }[] = [];
  const forbidden = new Map<string, string[]>();
  for (const pod of [...pods].sort(byName)) {
    const fate = fateOf(pod, settings, ridesThrough);
    switch (fate.kind) {
      case 'evict':
        evict.push(pod);
        break;
      case 'wait':
        waitFor.push(pod);
        break;
      case 'leave':
        leave.push({ pod, reason: fate.reason });
        break;
      case 'forbidden':
        forbidden.set(fate.reason, [...(forbidden.get(fate.reason) ?? []), podKey(pod)]);
        break;
    }
  }
  const errors = [...forbidden].map(([reason, names]) => `cannot evict ${reason}: ${names.join(', ')}`);
  return { evict, waitFor, leave, errors };
}

/** `namespace/name` of a pod. */
export const podKey = (pod: { namespace: string; name: string }): string => `${pod.namespace}/${pod.name}`;

/** Whether a pod belongs to a DaemonSet. */
export const isDaemonSetPod = (pod: PodView): boolean =>
  pod.controller?.kind === 'DaemonSet' && pod.controller.apiVersion.startsWith('apps/');

function fateOf(pod: PodView, settings: DrainSettings, ridesThrough: World['self']): Fate {
  const finished = pod.phase === 'Succeeded' || pod.phase === 'Failed';
  if (isDaemonSetPod(pod) && !finished) return { kind: 'leave', reason: 'DaemonSet' };
  if (pod.mirror) return { kind: 'leave', reason: 'MirrorPod' };
  if (pod.terminating) return { kind: 'wait' };
  if (finished) return { kind: 'evict' };
  if (pod.namespace === ridesThrough?.namespace && pod.name === ridesThrough.pod) return { kind: 'leave', reason: 'RidesThrough' };
  if (pod.emptyDir && !settings.deleteEmptyDirData) return { kind: 'forbidden', reason: LOCAL_STORAGE };
  if (pod.controller === undefined && !settings.force) return { kind: 'forbidden', reason: NAKED };
  return { kind: 'evict' };
}

function byName(a: PodView, b: PodView): number {
  return podKey(a) < podKey(b) ? -1 : 1;
}

import type { CordonRecord } from '../api/cordon-record.ts';
import type { EvictedOnce } from '../api/node-update.ts';
import { durationMs } from '../api/primitives.ts';
import type { UpdatePolicySpec } from '../api/update-policy.ts';
import type { DisruptionBudgets, Instant, NodeView, World } from './world.ts';

/** The drain settings in force for one node, as its record keeps them; durations in milliseconds. */
export type DrainSettings = CordonRecord['drain'];

/** The drain settings of a policy as a record keeps them. */
export function drainSettings({ drain }: Pick<UpdatePolicySpec, 'drain'>): DrainSettings {
  const { mode, deleteEmptyDirData, force, gracePeriodSeconds, skipWaitForDeleteTimeout, respectDoNotDisrupt, leaveToReboot } = drain;
  const { waitForVolumeDetach } = drain;
  return {
    ...(mode === 'None' && { mode }),
    deleteEmptyDirData,
    force,
    respectDoNotDisrupt,
    ...(waitForVolumeDetach && mode !== 'None' && { waitForVolumeDetach }),
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(skipWaitForDeleteTimeout !== undefined && { skipWaitForDeleteMs: durationMs(skipWaitForDeleteTimeout) }),
    ...(leaveToReboot !== undefined && leaveToReboot.length > 0 && { leaveToReboot }),
  };
}

/** What a drain's plan is made by, besides the node's pods and the settings: plain data, so that a fresh list is judged alike. */
export interface DrainContext {
  now: Instant;
  /** The DaemonSets that exist, as `namespace/name`. */
  daemonSets: ReadonlySet<string>;
  /** The controller's own pod. */
  self?: World['self'];
  /** The same, where it stays on its node because nobody could act in its place. */
  ridesThrough?: World['self'];
  /** Which pods that tolerate the cordon this drain evicts, by their controller. */
  evictedOnce: readonly EvictedOnce[];
  /** Where it is asked, ahead of the drain, whether it can ever succeed: what its budgets say. */
  budgets?: DisruptionBudgets;
}

/** The context of a node's drain. */
export function drainContext(world: World, node: NodeView, now: Instant, evictedOnce: readonly EvictedOnce[] = []): DrainContext {
  const ridesThrough = selfThatRidesThrough(world, node);
  return {
    now,
    daemonSets: world.daemonSets,
    ...(world.self !== undefined && { self: world.self }),
    ...(ridesThrough !== undefined && { ridesThrough }),
    evictedOnce,
  };
}

/** The controller's own pod, where it must stay on its node because no other replica could act meanwhile (ADR 0003). */
const selfThatRidesThrough = ({ self, standby }: World, node: NodeView): World['self'] =>
  self?.node === node.name && !standby ? self : undefined;

/** `namespace/name` of a pod. */
export const podKey = (pod: { namespace: string; name: string }): string => `${pod.namespace}/${pod.name}`;

import { isComeback } from './comebacks.ts';
import type { BarredPod } from './command.ts';
import { barredBy } from './disruption-budgets.ts';
import { type DrainContext, type DrainSettings, podKey } from './drain-settings.ts';
import { matches } from './selector.ts';
import { type Instant, instant, type PodView } from './world.ts';

/** What a drain does with the pods of one node. */
export interface DrainPlan {
  /** To be evicted now, honouring budgets: those whose turn it is. */
  evict: readonly PodView[];
  /** To be evicted once those before them are gone. */
  later: readonly PodView[];
  /** Terminating already: only waited for. */
  waitFor: readonly PodView[];
  /** Left on the node; they live or die with it. */
  leave: readonly { pod: PodView; reason: LeaveReason }[];
  /** What forbids the drain, grouped by reason as `cannot evict <reason>: ns/pod, ns/pod`. Where there is any, nothing may be evicted. */
  errors: readonly string[];
  /** The pods that forbid it, each with the reason; what `errors` groups. */
  barred: readonly BarredPod[];
  /** Among those to be evicted: nobody would create them again. */
  lost: readonly PodView[];
  /** When time alone changes the plan. */
  until?: Instant;
}

export type LeaveReason = 'NotDrained' | 'DaemonSet' | 'MirrorPod' | 'RidesThrough' | 'TerminatingForLong' | 'LeftToReboot' | 'CameBack';

type Fate =
  | { kind: 'evict'; lost?: true }
  | { kind: 'wait'; until?: Instant }
  | { kind: 'leave'; reason: LeaveReason }
  | { kind: 'forbidden'; reason: string };

const NAKED = 'pods that no controller would create again (drain.force allows it)';
const ORPHANED = 'pods whose DaemonSet is gone (drain.force allows it)';
const LOCAL_STORAGE = 'pods with an emptyDir, whose data would be lost (drain.deleteEmptyDirData allows it)';
const NOT_DISRUPTED = 'pods whose owner asks not to be disrupted';

/**
 * Sorts a node's pods as `kubectl drain` does: DaemonSets' pods and mirror pods stay, finished pods go, pods without a controller
 * and pods with an emptyDir go only by leave of the settings. On purpose it differs in these: what terminates is only waited for and
 * forbids nothing; what is left by name is left whatever else could be said of it; an owner's wish not to be disrupted forbids the
 * drain; pods that come straight back are evicted once; ordinary pods go before critical ones, and the controller's own goes last,
 * or rides through where nobody could act in its place.
 */
export function planDrain(pods: readonly PodView[], settings: DrainSettings, context: DrainContext): DrainPlan {
  const evict: PodView[] = [];
  const waitFor: PodView[] = [];
  const leave: { pod: PodView; reason: LeaveReason }[] = [];
  const lost: PodView[] = [];
  const barred: BarredPod[] = [];
  let until = Number.POSITIVE_INFINITY;
  for (const pod of [...pods].sort(byName)) {
    const fate = fateOf(pod, settings, context);
    switch (fate.kind) {
      case 'evict':
        evict.push(pod);
        if (fate.lost === true) lost.push(pod);
        break;
      case 'wait':
        waitFor.push(pod);
        until = Math.min(until, fate.until ?? until);
        break;
      case 'leave':
        leave.push({ pod, reason: fate.reason });
        break;
      case 'forbidden':
        barred.push({ pod, why: fate.reason });
        break;
    }
  }
  const errors = [...Map.groupBy(barred, ({ why }) => why)].map(
    ([why, pods]) => `cannot evict ${why}: ${pods.map(({ pod }) => podKey(pod)).join(', ')}`,
  );
  let turn = Number.POSITIVE_INFINITY;
  for (const pod of evict) turn = Math.min(turn, turnOf(pod, context));
  for (const pod of waitFor) turn = Math.min(turn, turnOf(pod, context));
  return {
    evict: evict.filter((pod) => turnOf(pod, context) === turn),
    later: evict.filter((pod) => turnOf(pod, context) !== turn),
    waitFor,
    leave,
    errors,
    barred,
    lost,
    ...(Number.isFinite(until) && { until }),
  };
}

/** Whether a pod belongs to a DaemonSet. */
export const isDaemonSetPod = (pod: PodView): boolean =>
  pod.controller?.kind === 'DaemonSet' && pod.controller.apiVersion.startsWith('apps/');

/** In drain.md's order; what would forbid the drain counts only where nothing after it leaves the pod. */
function fateOf(pod: PodView, settings: DrainSettings, context: DrainContext): Fate {
  if (settings.mode === 'None') return { kind: 'leave', reason: 'NotDrained' };
  const finished = pod.phase === 'Succeeded' || pod.phase === 'Failed';
  const givenUpAt = settings.skipWaitForDeleteMs === undefined ? Number.NaN : instant(pod.goneBy ?? '') + settings.skipWaitForDeleteMs;
  if (pod.terminating && givenUpAt < context.now) return { kind: 'leave', reason: 'TerminatingForLong' };
  const orphaned = isDaemonSetPod(pod) && !context.daemonSets.has(`${pod.namespace}/${pod.controller?.name ?? ''}`);
  if (isDaemonSetPod(pod) && !finished && !orphaned) return { kind: 'leave', reason: 'DaemonSet' };
  if (pod.mirror) return { kind: 'leave', reason: 'MirrorPod' };
  if (isLeftToReboot(pod, settings) && !finished) return { kind: 'leave', reason: 'LeftToReboot' };
  // The next millisecond, not this one: it is given up after that time, not at it.
  if (pod.terminating) return { kind: 'wait', ...(Number.isFinite(givenUpAt) && { until: givenUpAt + 1 }) };
  if (finished) return { kind: 'evict' };
  if (isOf(pod, context.ridesThrough)) return { kind: 'leave', reason: 'RidesThrough' };
  if (pod.emptyDir && !settings.deleteEmptyDirData) return { kind: 'forbidden', reason: LOCAL_STORAGE };
  const uncontrolled = orphaned || pod.controller === undefined;
  if (uncontrolled && !settings.force) return { kind: 'forbidden', reason: orphaned ? ORPHANED : NAKED };
  if (isComeback(pod, context.evictedOnce)) return { kind: 'leave', reason: 'CameBack' };
  if (pod.doNotDisrupt !== undefined && settings.respectDoNotDisrupt === true)
    return { kind: 'forbidden', reason: `${NOT_DISRUPTED} (annotation ${pod.doNotDisrupt}; drain.respectDoNotDisrupt)` };
  const barred = context.budgets === undefined ? undefined : barredBy(pod, context.budgets);
  if (barred !== undefined) return { kind: 'forbidden', reason: barred };
  return uncontrolled ? { kind: 'evict', lost: true } : { kind: 'evict' };
}

const isLeftToReboot = (pod: PodView, { leaveToReboot = [] }: DrainSettings): boolean =>
  leaveToReboot.some(
    ({ namespaces, selector }) =>
      (namespaces?.includes(pod.namespace) ?? true) && (selector === undefined || matches(selector, pod.labels)),
  );

/** Ordinary pods, then system-cluster-critical ones, then system-node-critical ones, then the controller's own. */
function turnOf(pod: PodView, { self }: DrainContext): number {
  if (isOf(pod, self)) return 3;
  return pod.critical === undefined ? 0 : pod.critical === 'cluster' ? 1 : 2;
}

const isOf = (pod: PodView, self: DrainContext['self']): boolean => pod.namespace === self?.namespace && pod.name === self.pod;

function byName(a: PodView, b: PodView): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

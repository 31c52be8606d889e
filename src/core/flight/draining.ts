import { type CordonRecord, isRebootOnly } from '../../api/cordon-record.ts';
import { BY_HAND } from '../../api/names.ts';
import { rebootAskedBy, tokenCommand } from '../by-hand.ts';
import { isRemembered, rememberEvicted } from '../comebacks.ts';
import type { Command, Verdict } from '../command.ts';
import { type DrainPlan, isDaemonSetPod, type LeaveReason, planDrain } from '../drain-plan.ts';
import { drainContext, podKey } from '../drain-settings.ts';
import { enter, type StatusChange } from '../status.ts';
import { instant, type PodView, stagedVersion, timestamp } from '../world.ts';
import { type Flight, hasRebooted, inFlight, keepCordoned, rebootOrderID, rebootWork, type Step, stay } from './flight.ts';
import { beginHooks, drainDeadline, type Hooks, hookVerdict, runHooks, withHooks } from './hooks.ts';
import { listed } from './listed.ts';
import { giveBack, giveBackBlocked, giveBackToStage } from './outcomes.ts';
import { verifying } from './verifying.ts';
import { volumesToDetach } from './volumes.ts';

const MAX_KEPT = 64;
/** Nobody wants to hear of those. */
const UNSAID: ReadonlySet<LeaveReason> = new Set(['DaemonSet', 'MirrorPod', 'RidesThrough', 'NotDrained']);

/** Draining: runs the hooks BeforeDrain, evicts until nothing is left, runs the hooks BeforeReboot, then orders the reboot. */
export function draining(flight: Flight): Step {
  const { node, byHand } = flight;
  if (hasRebooted(flight)) return rebootedByOthers(flight);
  if (flight.orphaned) return giveBack(flight, 'Idle', { reason: 'TakingBack', message: 'its policy is gone: the node is given back' });
  if (byHand.paused) return giveBack(flight, 'Staged', { reason: 'Paused', message: 'the node was paused: it is given back' });
  if (isAnswered(flight))
    return giveBack(flight, 'Idle', { reason: 'TakingBack', message: 'the reboot that was asked for has come about before' });
  if (flight.skipped)
    return giveBackBlocked(flight, { reason: 'Skipped', message: 'a person skipped the node: it is given back, and tried again later' });
  if (flight.closed !== undefined) return giveBack(flight, 'Staged', flight.closed);
  if (node.deleting) return explain(flight, { reason: 'BeingDeleted', message: 'the node is being deleted: nothing more is evicted' });

  const hooks = runHooks(flight, 'BeforeDrain');
  const seen = { ...flight, status: withHooks(flight.status, hooks) };
  return hooks.state === 'done' ? emptying(seen) : held(seen, hooks);
}

/** A leader that knew no better has cordoned the node for a token that was acted upon: it counts once. */
const isAnswered = ({ record, status }: Flight): boolean =>
  isRebootOnly(record) && rebootAskedBy(status, { reboot: record.reboot?.reboot }, { reboot: record.reboot?.policyReboot }) === undefined;

function emptying(flight: Flight): Step {
  const { node, record, world, now } = flight;
  const pods = record.drain.mode === 'None' ? [] : world.pods.get(node.name);
  const until = drainDeadline(flight);
  if (pods === undefined) return explain(flight, { reason: 'Draining', message: 'lists the pods on the node', until });
  const plan = planDrain(pods, record.drain, contextOf(flight));
  if (plan.errors.length > 0) return giveBackBlocked(flight, { reason: 'CannotEvict', message: plan.errors.join('; ') });
  const evictFrom = record.evictFrom === undefined ? now : instant(record.evictFrom);
  if (evictFrom > now) {
    const message = `load balancers have until ${record.evictFrom} to notice that the node is leaving: no pod is evicted before`;
    return explain(flight, { reason: 'LoadBalancerDelay', message, until: evictFrom });
  }
  const remaining = [...plan.evict, ...plan.later, ...plan.waitFor];
  const late = until <= now;
  if (remaining.length > 0) {
    const what = describe(flight, remaining);
    if (late) return timedOut(flight, plan, remaining, what);
    return evicting(flight, plan, remaining, { reason: 'Draining', message: `waits for ${what}`, until });
  }
  const volumes = volumesToDetach(flight, plan);
  if (volumes === undefined || (late && flight.onTimeout === 'Force')) return drained(flight, plan);
  if (late) return timedOut(flight, plan, remaining, volumes);
  return evicting(flight, plan, remaining, { reason: 'VolumesAttached', message: `its pods are gone; waits for ${volumes}`, until });
}

/** What the policy says of it today: an edit reaches a drain under way. */
function timedOut(flight: Flight, plan: DrainPlan, remaining: readonly PodView[], what: string): Step {
  const { node, world } = flight;
  const waits = `waits for ${what}`;
  const giveUp = `to give the node back: ${tokenCommand('nodeupdate', node.name, BY_HAND.skip)}`;
  const paused: Verdict = { reason: 'Paused', message: `its policy was paused: the node is given back; it ${waits}` };
  switch (flight.onTimeout) {
    case 'Skip':
      return giveBackBlocked(flight, { reason: 'DrainTimeout', message: `drain timed out with ${what}` });
    case 'Hold': {
      if (flight.policyPaused) return giveBack(flight, 'Staged', paused);
      const message = `held since ${timestamp(drainDeadline(flight))} (drain.onTimeout): ${waits}; ${giveUp}`;
      return evicting(flight, plan, remaining, { reason: 'DrainHeld', message });
    }
    case 'Force': {
      const refused = world.blockedPods.get(node.name)?.find(({ reason }) => reason === 'DeleteForbidden');
      if (refused === undefined) {
        const message = `the drain took too long: deletes what is left (drain.onTimeout); ${waits}`;
        return evicting(flight, plan, remaining, { reason: 'DrainForced', message }, true);
      }
      if (flight.policyPaused) return giveBack(flight, 'Staged', paused);
      const message = `drain.onTimeout is Force, and the controller may not delete pods (${refused.message ?? refused.pod}): set the chart’s value controller.allowPodDeletion, or another onTimeout; ${waits}; ${giveUp}`;
      return evicting(flight, plan, remaining, { reason: 'ForceForbidden', message }, true);
    }
  }
}

/** Evicts those whose turn it is; one that may come straight back only once it is persisted that it was evicted. */
function evicting(flight: Flight, plan: DrainPlan, remaining: readonly PodView[], verdict: Verdict, force = false): Step {
  const { node, record, world, now } = flight;
  const blocked = world.blockedPods.get(node.name) ?? [];
  const known = flight.status.drain?.evictedOnce ?? [];
  const evictedOnce = rememberEvicted(known, plan.evict);
  const lost = plan.lost.length === 0 ? '' : `; nobody will create again: ${listed(plan.lost, podKey)}`;
  const told = { ...verdict, message: `${verdict.message}${lost}${describeLeft(plan)}` };
  const status = enter(flight.status, 'Draining', told, now, {
    ...stillDraining(flight),
    drain: {
      startedAt: record.at,
      total: Math.max(remaining.length, flight.status.drain?.total ?? 0),
      remaining: remaining.length,
      ...(blocked.length > 0 && { blocked: blocked.slice(0, MAX_KEPT) }),
      ...leftOf(plan),
      ...(evictedOnce.length > 0 && { evictedOnce: [...evictedOnce] }),
    },
  });
  const evict = plan.evict.filter((pod) => isRemembered(pod, known) || !isRemembered(pod, evictedOnce));
  const persist: Command[] = evictedOnce === known ? [] : [{ type: 'WriteStatus', status }];
  const grace = record.drain.gracePeriodSeconds;
  return {
    status,
    commands: [...keepCordoned(flight), ...persist],
    lookAt: true,
    until: Math.min(verdict.until ?? Number.POSITIVE_INFINITY, plan.until ?? Number.POSITIVE_INFINITY),
    drain: {
      node: node.name,
      claim: record.claim,
      evict,
      ...(force && { force }),
      ...(grace !== undefined && { gracePeriodSeconds: grace }),
    },
  };
}

/** A node's DaemonSets (`namespace/name`) whose pod on it is Ready, to be Ready again afterwards, and what runs in those pods. */
export function readyDaemonSets(pods: readonly PodView[]): Pick<CordonRecord, 'readyDaemonSets' | 'daemonSetContainers'> {
  const ready = pods.filter((pod) => isDaemonSetPod(pod) && pod.ready && !pod.terminating);
  const containers = ready.flatMap((pod) => pod.containers ?? []).slice(0, 256);
  return {
    readyDaemonSets: [...new Set(ready.map((pod) => `${pod.namespace}/${pod.controller?.name ?? ''}`))].sort().slice(0, 256),
    ...(containers.length > 0 && { daemonSetContainers: containers }),
  };
}

const contextOf = ({ world, node, now, status }: Flight) => drainContext(world, node, now, status.drain?.evictedOnce);

/** Waits for a hook, or gives the node back because one has failed. */
function held(flight: Flight, hooks: Exclude<Hooks, { state: 'done' }>): Step {
  if (hooks.state === 'failed') return giveBackBlocked(flight, { reason: 'HookFailed', message: hooks.message });
  const status = enter(flight.status, 'Draining', hookVerdict(hooks.message), flight.now, stillDraining(flight));
  return {
    status,
    commands: [...keepCordoned(flight), ...beginHooks(status, hooks.commands)],
    lookAt: true,
    jobs: hooks.jobs,
    until: hooks.until,
  };
}

function drained(seen: Flight, plan: DrainPlan): Step {
  const { node, record, world, now } = seen;
  if (!world.guarded) {
    return explain(seen, {
      reason: 'AdmissionPolicyMissing',
      message: 'drained; no reboot is ordered while the agents’ admission policy or its binding is missing',
    });
  }
  if (node.host === undefined) {
    const until = drainDeadline(seen);
    if (until <= now) return giveBackBlocked(seen, { reason: 'AgentMissing', message: 'the node has no NodeHost to be ordered by' });
    return explain(seen, { reason: 'AgentMissing', message: 'drained; waits for the NodeHost to be there again', until });
  }
  // Whoever gave the node back since has written an order: then what this leader sees of the Node may be long past.
  const rebootOnly = isRebootOnly(record);
  if ((!rebootOnly && stagedVersion(node) !== record.target) || node.host.spec.order?.id !== record.order) {
    return giveBackToStage(seen, {
      reason: 'ProofLost',
      message: rebootOnly
        ? 'another order was given since the node was cordoned: it is given back'
        : `it is no longer proven that ${record.target} is staged: the node is given back and stages again`,
    });
  }
  const hooks = runHooks(seen, 'BeforeReboot');
  const flight = { ...seen, status: withHooks(seen.status, hooks) };
  if (hooks.state !== 'done') return held(flight, hooks);
  const { status } = flight;
  const begun = status.deadlines?.reboot;
  if (begun !== undefined && instant(begun) <= now)
    return giveBackBlocked(flight, { reason: 'RebootNotStarted', message: 'no reboot could be ordered in time: the node is given back' });
  const deadline = begun ?? timestamp(now + record.rebootTimeoutMs);
  const attached = volumesToDetach(flight, plan);
  const volumes = attached === undefined ? '' : `; the drain took too long (drain.onTimeout): does not wait for ${attached}`;
  const message = `waits for the agent to ${rebootWork(record)}${describeLeft(plan)}${volumes}`;
  const next = enter(status, 'Rebooting', { reason: 'RebootOrdered', message }, now, {
    ...inFlight(flight),
    drain: endOf(flight, plan),
    deadlines: { drain: record.drainDeadline, reboot: deadline },
  });
  const order = { id: rebootOrderID(record), action: 'Reboot', version: record.target, bootID: record.bootID } as const;
  return {
    status: next,
    commands: [...keepCordoned(flight), { type: 'OrderReboot', order, record, context: contextOf(flight), status: next }],
    lookAt: true,
    until: instant(deadline),
  };
}

function rebootedByOthers(flight: Flight): Step {
  const { node, record } = flight;
  if (node.os?.version === record.target) return verifying(flight);
  return giveBackToStage(flight, {
    reason: 'ForeignReboot',
    message: 'somebody else rebooted the node while it was drained: it is given back and stages again',
  });
}

/** A reboot whose clock began before its order could be given goes on by that clock, whoever leads. */
function stillDraining(flight: Flight) {
  const fields = inFlight(flight);
  const reboot = flight.status.deadlines?.reboot;
  return { ...fields, deadlines: { drain: timestamp(drainDeadline(flight)), ...(reboot !== undefined && { reboot }) } };
}

function explain(flight: Flight, verdict: Verdict): Step {
  return stay(enter(flight.status, 'Draining', verdict, flight.now, stillDraining(flight)), verdict, {
    commands: keepCordoned(flight),
    lookAt: true,
  });
}

/** What the drain has left stays to be seen until the node has rebooted; an order that could not be given must not forget either. */
function endOf({ status, record }: Flight, plan: DrainPlan): StatusChange['drain'] {
  const evictedOnce = status.drain?.evictedOnce;
  const { left } = leftOf(plan);
  if (left === undefined && evictedOnce === undefined) return undefined;
  const total = status.drain?.total ?? 0;
  return {
    startedAt: record.at,
    total,
    remaining: 0,
    ...(left !== undefined && { left }),
    ...(evictedOnce !== undefined && { evictedOnce }),
  };
}

/** What is left on the node though it is no DaemonSet's: people should know of it. */
function leftOf({ leave }: DrainPlan): { left?: { pod: string; reason: string }[] } {
  const left = leave.filter(({ reason }) => !UNSAID.has(reason));
  return left.length === 0 ? {} : { left: left.slice(0, MAX_KEPT).map(({ pod, reason }) => ({ pod: podKey(pod), reason })) };
}

function describeLeft(plan: DrainPlan): string {
  const { left = [] } = leftOf(plan);
  return left.length === 0 ? '' : `; left to the reboot: ${listed(left, ({ pod, reason }) => `${pod} (${reason})`)}`;
}

function describe({ world, node }: Flight, remaining: readonly PodView[]): string {
  const blocked = new Map((world.blockedPods.get(node.name) ?? []).map((pod) => [pod.pod, pod]));
  const nameOf = (pod: PodView): string => {
    const why = blocked.get(podKey(pod));
    return `${podKey(pod)}${why === undefined ? '' : ` (${why.budget ?? why.reason})`}`;
  };
  return `${remaining.length === 1 ? '1 pod' : `${remaining.length} pods`}: ${listed(remaining, nameOf)}`;
}

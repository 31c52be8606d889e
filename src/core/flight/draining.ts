import type { CordonRecord } from '../../api/cordon-record.ts';
import type { Verdict } from '../command.ts';
import { isDaemonSetPod, planDrain, podKey } from '../drain-plan.ts';
import { enter } from '../status.ts';
import { instant, type PodView, stagedVersion, timestamp } from '../world.ts';
import { type Flight, hasRebooted, inFlight, keepCordoned, rebootOrderID, type Step, stay } from './flight.ts';
import { giveBack, giveBackBlocked, giveBackToStage } from './outcomes.ts';
import { verifying } from './verifying.ts';

const MAX_NAMED = 5;

/** Draining: evicts until nothing is left, then orders the reboot. */
export function draining(flight: Flight): Step {
  const { node, record, world, now, byHand } = flight;
  if (hasRebooted(flight)) return rebootedByOthers(flight);
  if (flight.orphaned) return giveBack(flight, 'Idle', { reason: 'TakingBack', message: 'its policy is gone: the node is given back' });
  if (byHand.paused) return giveBack(flight, 'Staged', { reason: 'Paused', message: 'the node was paused: it is given back' });
  if (flight.closed !== undefined) return giveBack(flight, 'Staged', flight.closed);
  if (node.deleting) return explain(flight, { reason: 'BeingDeleted', message: 'the node is being deleted: nothing more is evicted' });

  const pods = world.pods.get(node.name);
  const until = instant(record.drainDeadline);
  if (pods === undefined) return explain(flight, { reason: 'Draining', message: 'lists the pods on the node', until });
  const plan = planDrain(pods, record.drain, ridesThrough(flight));
  if (plan.errors.length > 0) return giveBackBlocked(flight, { reason: 'CannotEvict', message: plan.errors.join('; ') });
  const evictFrom = record.evictFrom === undefined ? now : instant(record.evictFrom);
  if (evictFrom > now) {
    const message = `load balancers have until ${record.evictFrom} to notice that the node is leaving: no pod is evicted before`;
    return explain(flight, { reason: 'LoadBalancerDelay', message, until: evictFrom });
  }
  const remaining = [...plan.evict, ...plan.waitFor];
  if (remaining.length === 0) return drained(flight);
  if (until <= now)
    return giveBackBlocked(flight, { reason: 'DrainTimeout', message: `drain timed out with ${describe(flight, remaining)}` });

  const blocked = world.blockedPods.get(node.name) ?? [];
  const total = Math.max(remaining.length, flight.status.drain?.total ?? 0);
  const status = enter(flight.status, 'Draining', { reason: 'Draining', message: `waits for ${describe(flight, remaining)}` }, now, {
    ...stillDraining(flight),
    drain: { startedAt: record.at, total, remaining: remaining.length, ...(blocked.length > 0 && { blocked: blocked.slice(0, 64) }) },
  });
  const grace = record.drain.gracePeriodSeconds;
  return {
    status,
    commands: keepCordoned(flight),
    lookAt: true,
    until,
    drain: { node: node.name, claim: record.claim, evict: plan.evict, ...(grace !== undefined && { gracePeriodSeconds: grace }) },
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

/** The controller's own pod, where it must stay on its node because no other replica could act meanwhile (ADR 0003). */
export function ridesThrough({ world, node }: Pick<Flight, 'world' | 'node'>) {
  return world.self?.node === node.name && !world.standby ? world.self : undefined;
}

function drained(flight: Flight): Step {
  const { node, record, world, now, status } = flight;
  if (!world.guarded) {
    return explain(flight, {
      reason: 'AdmissionPolicyMissing',
      message: 'drained; no reboot is ordered while the agents’ admission policy or its binding is missing',
    });
  }
  if (node.host === undefined) {
    const until = instant(record.drainDeadline);
    if (until <= now) return giveBackBlocked(flight, { reason: 'AgentMissing', message: 'the node has no NodeHost to be ordered by' });
    return explain(flight, { reason: 'AgentMissing', message: 'drained; waits for the NodeHost to be there again', until });
  }
  // Whoever gave the node back since has written an order: then what this leader sees of the Node may be long past.
  if (stagedVersion(node) !== record.target || node.host.spec.order?.id !== record.order) {
    return giveBackToStage(flight, {
      reason: 'ProofLost',
      message: `it is no longer proven that ${record.target} is staged: the node is given back and stages again`,
    });
  }
  const begun = status.deadlines?.reboot;
  if (begun !== undefined && instant(begun) <= now)
    return giveBackBlocked(flight, { reason: 'RebootNotStarted', message: 'no reboot could be ordered in time: the node is given back' });
  const deadline = begun ?? timestamp(now + record.rebootTimeoutMs);
  const verdict: Verdict = { reason: 'RebootOrdered', message: `waits for the agent to activate ${record.target} and reboot` };
  const next = enter(status, 'Rebooting', verdict, now, {
    ...inFlight(flight),
    drain: undefined,
    deadlines: { drain: record.drainDeadline, reboot: deadline },
  });
  const order = { id: rebootOrderID(record), action: 'Reboot', version: record.target, bootID: record.bootID } as const;
  return {
    status: next,
    commands: [...keepCordoned(flight), { type: 'OrderReboot', order, record, status: next }],
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
  return { ...fields, deadlines: { ...fields.deadlines, ...(reboot !== undefined && { reboot }) } };
}

function explain(flight: Flight, verdict: Verdict): Step {
  return stay(enter(flight.status, 'Draining', verdict, flight.now, stillDraining(flight)), verdict, {
    commands: keepCordoned(flight),
    lookAt: true,
  });
}

function describe({ world, node }: Flight, remaining: readonly PodView[]): string {
  const blocked = new Map((world.blockedPods.get(node.name) ?? []).map((pod) => [pod.pod, pod]));
  const named = remaining.slice(0, MAX_NAMED).map((pod) => {
    const why = blocked.get(podKey(pod));
    return `${podKey(pod)}${why === undefined ? '' : ` (${why.budget ?? why.reason})`}`;
  });
  const more = remaining.length > MAX_NAMED ? ` and ${remaining.length - MAX_NAMED} more` : '';
  return `${remaining.length === 1 ? '1 pod' : `${remaining.length} pods`}: ${named.join(', ')}${more}`;
}

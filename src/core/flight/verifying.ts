import type { Verdict } from '../command.ts';
import { isDaemonSetPod } from '../drain-plan.ts';
import { emptyToAbsent, enter, LANDED, withFailure, withHistory, withoutFailure } from '../status.ts';
import { upToDate } from '../target.ts';
import { instant, type PodView, timestamp } from '../world.ts';
import { type Flight, inFlight, keepCordoned, type Step, stay } from './flight.ts';
import { fail, giveBack } from './outcomes.ts';

/** Verifying: the node runs under another boot; it must run the target, be Ready long enough, and have its DaemonSets back. */
export function verifying(flight: Flight): Step {
  const { node, record, now, status } = flight;
  const began = status.phase === 'Verifying' && status.since !== undefined ? instant(status.since) : now;
  const running = node.os?.version;
  if (running !== record.target) {
    const verdict: Verdict = {
      reason: 'RolledBackByHost',
      message: `the host came back with ${running ?? 'another OS'} and not with ${record.target}`,
    };
    return giveBack(flight, 'RolledBack', verdict, { failures: withFailure(status, node, record.target, verdict, now) });
  }
  const deadline = (status.phase === 'Verifying' ? status.deadlines?.verify : undefined) ?? timestamp(now + record.rebootTimeoutMs);
  const waits = whatItWaitsFor(flight, began);
  if (waits === undefined) return updated(flight);
  if (instant(deadline) <= now) {
    return fail(flight, {
      reason: 'VerificationTimeout',
      message: `it runs ${record.target}, but ${waits.message}: put it right, and it is verified again; or annotate the node with a new lockkeeper.dev/retry`,
    });
  }
  const verdict: Verdict = { reason: 'Verifying', message: waits.message };
  return stay(
    enter(status, 'Verifying', verdict, now, {
      ...inFlight(flight),
      drain: undefined,
      deadlines: { drain: record.drainDeadline, verify: deadline },
    }),
    verdict,
    {
      commands: keepCordoned(flight),
      lookAt: true,
      until: Math.min(instant(deadline), waits.until ?? Number.POSITIVE_INFINITY),
    },
  );
}

function whatItWaitsFor({ node, record, world, now }: Flight, began: number): { message: string; until?: number } | undefined {
  if (!node.ready.status) return { message: 'waits for the node to be Ready' };
  const readyAt = Math.max(began, instant(node.ready.since) || 0) + record.minReadySeconds * 1000;
  if (record.minReadySeconds > 0 && readyAt > now)
    return { message: `waits for the node to be Ready for ${record.minReadySeconds} s`, until: readyAt };
  if (record.readyDaemonSets.length === 0) return undefined;
  const pods = world.pods.get(node.name);
  if (pods === undefined) return { message: 'lists the pods on the node' };
  const wanted = new Set(record.readyDaemonSets);
  const ended = new Set(record.daemonSetContainers);
  // A kubelet reports its node at once after a boot, and its pods a moment later: until then they look as they did before.
  const isBack = ({ ready, containers }: PodView) => ready && !(containers !== undefined && ended.has(containers));
  const missing = pods.filter(
    (pod) => isDaemonSetPod(pod) && !isBack(pod) && !pod.terminating && wanted.has(`${pod.namespace}/${pod.controller?.name ?? ''}`),
  );
  return missing.length === 0
    ? undefined
    : {
        message: `waits for DaemonSet pods to be Ready again: ${missing
          .slice(0, 5)
          .map((pod) => `${pod.namespace}/${pod.name}`)
          .join(', ')}`,
      };
}

function updated(flight: Flight): Step {
  const { record, now, status } = flight;
  const landed = enter(status, 'Idle', upToDate(record.target), now, {
    ...LANDED,
    policy: record.policy,
    from: record.target,
    target: record.target,
    behindSince: undefined,
    retryAt: undefined,
    attempts: undefined,
    failedOrder: undefined,
    failures: emptyToAbsent(withoutFailure(status, record.target)),
    history: withHistory(status, { from: record.from, to: record.target, startedAt: record.at }, 'Updated', now),
  });
  return {
    status: landed,
    commands: [
      { type: 'Uncordon', record },
      { type: 'WriteStatus', status: landed },
    ],
  };
}

import { isRebootOnly } from '../../api/cordon-record.ts';
import type { NodeUpdateStatus, Phase } from '../../api/node-update.ts';
import type { Verdict } from '../command.ts';
import { asReason } from '../reasons.ts';
import { emptyToAbsent, enter, LANDED, type StatusChange, soakingUntil, withHistory, withoutFailure } from '../status.ts';
import { upToDate } from '../target.ts';
import { timestamp } from '../world.ts';
import { type Flight, hasRebooted, inFlight, keepCordoned, type Step } from './flight.ts';
import { beginHooks, hookVerdict, runHooks, withHooks } from './hooks.ts';

/** A node that runs its target, and has been checked: the hooks Finally, then the uncordon, then it soaks where its record says so. */
export function landUpdated(flight: Flight): Step {
  const { record, now } = flight;
  const because = upToDate(record.target);
  const soak = record.soakMs === undefined ? undefined : (flight.status.deadlines?.soak ?? timestamp(now + record.soakMs));
  const next = soak === undefined ? 'Idle' : 'Soaking';
  const verdict = soak === undefined ? because : soakingUntil(record.target, soak);
  const deadlines = soak === undefined ? undefined : { soak };
  const step = afterFinally(flight, next, because, (status) => updatedStatus(flight, status, next, verdict, { deadlines }));
  if (step.status.phase !== next || (soak === undefined && record.reboot === undefined)) return step;
  // Kept before the uncordon, after which nothing else tells that the node is to soak, or has rebooted as it was asked to.
  const { reason, message } = because;
  const status = enter(flight.status, 'Uncordoning', because, now, {
    ...inFlight(flight),
    deadlines,
    because: { reason, message },
    next,
  });
  return { ...step, commands: [{ type: 'WriteStatus', status }, ...step.commands] };
}

function updatedStatus(
  { record, now }: Flight,
  status: NodeUpdateStatus,
  phase: Phase,
  verdict: Verdict,
  change: StatusChange = {},
): NodeUpdateStatus {
  const rebootOnly = isRebootOnly(record);
  return enter(status, phase, verdict, now, {
    ...LANDED,
    policy: record.policy,
    from: record.target,
    target: record.target,
    behindSince: rebootOnly ? status.behindSince : undefined,
    retryAt: undefined,
    attempts: undefined,
    failedOrder: undefined,
    failures: emptyToAbsent(withoutFailure(status, record.target)),
    history: withHistory(status, record, rebootOnly ? 'Rebooted' : 'Updated', now),
    ...change,
  });
}

/** Whether a node that is being given back was updated: by the reason that was kept, and by what it runs. */
export const wasUpdated = ({ status, node, record }: Flight): boolean =>
  status.because?.reason === 'UpToDate' && node.os?.version === record.target;

/** A node that is given back without success: the hooks Finally, then the uncordon. */
export function landGivenBack(flight: Flight): Step {
  const { record, there = record, now, status } = flight;
  const next = status.next ?? 'Idle';
  const because: Verdict = {
    reason: asReason(status.because?.reason ?? status.reason) ?? 'TakenBack',
    message: status.because?.message ?? status.message ?? 'the node was given back before its reboot',
  };
  const step = afterFinally(flight, next, because, (seen) =>
    enter(seen, next, because, now, {
      ...LANDED,
      history: withHistory(seen, there, outcomeOf(next), now),
    }),
  );
  // Once the record is gone, nothing else tells that it has rebooted as it was asked to.
  if (record.reboot === undefined || !hasRebooted(flight) || step.status.phase !== next) return step;
  return { ...step, commands: [{ type: 'WriteStatus', status }, ...step.commands] };
}

/** A node that a person uncordoned while it was Failed: it is left schedulable, and the hooks Finally run all the same. */
export function landUncordoned(flight: Flight, because: Verdict, landed: (status: NodeUpdateStatus) => NodeUpdateStatus): Step {
  const hooks = runHooks(flight, 'Finally');
  const status = withHooks(flight.status, hooks);
  if (hooks.state !== 'running') return uncordon(flight, landed(status));
  const waiting = enter(status, 'Failed', { ...because, message: `${because.message}; ${hooks.message}` }, flight.now);
  return { status: waiting, commands: beginHooks(waiting, hooks.commands), jobs: hooks.jobs, until: hooks.until };
}

function afterFinally(flight: Flight, next: Phase, because: Verdict, landed: (status: NodeUpdateStatus) => NodeUpdateStatus): Step {
  const hooks = runHooks(flight, 'Finally');
  const status = withHooks(flight.status, hooks);
  if (hooks.state !== 'running') return uncordon(flight, landed(status));
  const { reason, message } = because;
  const waiting = enter(status, 'Uncordoning', hookVerdict(`${hooks.message}; then the node is uncordoned: ${message}`), flight.now, {
    ...inFlight(flight),
    drain: undefined,
    deadlines: status.deadlines,
    retryAt: status.retryAt,
    because: { reason, message },
    next,
  });
  return {
    status: waiting,
    commands: [...keepCordoned(flight), ...beginHooks(waiting, hooks.commands)],
    jobs: hooks.jobs,
    until: hooks.until,
  };
}

const uncordon = ({ record }: Flight, landed: NodeUpdateStatus): Step => ({
  status: landed,
  commands: [
    { type: 'Uncordon', record },
    { type: 'WriteStatus', status: landed },
  ],
});

function outcomeOf(next: Phase): string {
  switch (next) {
    case 'Blocked':
    case 'RolledBack':
      return next;
    default:
      return 'TakenBack';
  }
}

import type { Verdict } from '../command.ts';
import { asReason } from '../reasons.ts';
import { emptyToAbsent, enter, failureOf, LANDED, withHistory } from '../status.ts';
import { cancel, type Flight, failingVersion, hasRebooted, inFlight, rebootAsked, type Step, stay, wayBack } from './flight.ts';
import { retriedHooks } from './hooks.ts';
import { landUncordoned } from './landing.ts';
import { giveBack } from './outcomes.ts';
import { rollingBack } from './rolling-back.ts';
import { verifying } from './verifying.ts';

/** Failed: left alone until there is news of the node, a retry, a person's uncordon, or its removal. */
export function failed(flight: Flight): Step {
  const { node, record, status, retried, tokens } = flight;
  if (!node.unschedulable) return uncordonedByHand(wayBack(flight));
  if (retried) {
    const { failures: _, ...kept } = status;
    const forgiven = { ...flight, status: { ...kept, ...(tokens && { tokens }) } };
    if (record.rollback !== undefined) return afterRollback(forgiven) ?? stuck(flight);
    // One whose host would not go back has nothing to verify: it is taken back anew.
    const refused = record.rollsBack === true && node.os?.version !== record.target;
    if (hasRebooted(flight) && !refused) return verifying({ ...forgiven, status: { ...forgiven.status, ...hooksAnew(flight) } });
    return giveBack(forgiven, 'Idle', { reason: 'TakingBack', message: 'a retry was asked for: the node is given back and begins anew' });
  }
  const failure = failureOf(status, failingVersion(record));
  const news = failure === undefined || failure.bootID !== node.bootID || failure.readySince !== node.ready.since;
  if (news && node.ready.status && hasRebooted(flight)) {
    const step = record.rollback === undefined ? verifying(flight) : afterRollback(flight);
    if (step !== undefined) return step;
  }
  return stuck(flight);
}

/** There is news of a node that could not be taken back. Undefined while its host may still reboot as it was asked to. */
function afterRollback(flight: Flight): Step | undefined {
  const { node, record } = flight;
  const back = wayBack(flight);
  if (hasRebooted(back) && node.os?.version === record.from) return rollingBack(flight);
  if (!hasRebooted(back) && rebootAsked(back)) return undefined;
  // It runs its target: that is verified again, once no reboot can follow.
  const { rollback: _, ...there } = record;
  const step = verifying({ ...flight, record: there, status: { ...flight.status, ...hooksAnew(flight) } });
  return { ...step, commands: [...cancel(back), { type: 'UpdateRecord', record: there }, ...step.commands] };
}

function stuck(flight: Flight): Step {
  const { record, now, status } = flight;
  const failure = failureOf(status, failingVersion(record));
  const verdict: Verdict = {
    reason: asReason(failure?.reason) ?? 'RebootTimeout',
    message: failure?.message ?? status.message ?? 'the update of the node failed',
  };
  return stay(enter(status, 'Failed', verdict, now, inFlightFailed(flight)), verdict);
}

function uncordonedByHand(flight: Flight): Step {
  const { record, there = record, now } = flight;
  const verdict: Verdict = {
    reason: 'UncordonedByHand',
    message: `a person uncordoned the node; ${failingVersion(there)} is not tried again by itself`,
  };
  const stopped = cancel(flight);
  const step = landUncordoned(flight, verdict, (seen) =>
    enter(seen, 'RolledBack', verdict, now, {
      ...LANDED,
      history: withHistory(seen, there, 'UncordonedByHand', now),
      failures: emptyToAbsent(seen.failures ?? []),
    }),
  );
  return { ...step, commands: [...stopped, ...step.commands] };
}

function hooksAnew(flight: Flight) {
  const hooks = retriedHooks(flight, 'AfterReboot');
  return hooks === undefined ? {} : { hooks };
}

function inFlightFailed(flight: Flight) {
  const { deadlines: _, ...fields } = inFlight(flight);
  return fields;
}

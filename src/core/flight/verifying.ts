import { isRebootOnly } from '../../api/cordon-record.ts';
import { BY_HAND } from '../../api/names.ts';
import { tokenCommand } from '../by-hand.ts';
import type { Verdict } from '../command.ts';
import { enter, withFailure } from '../status.ts';
import { instant, timestamp } from '../world.ts';
import { type Flight, inFlight, keepCordoned, type Step, stay } from './flight.ts';
import { beginHooks, hooksBegun, hooksTimeMs, runHooks, withHooks } from './hooks.ts';
import { landUpdated } from './landing.ts';
import { fail, giveBack } from './outcomes.ts';
import { type Waits, whatItWaitsFor } from './readiness.ts';
import { beginRollback, canGoBack, wentBack } from './rolling-back.ts';

/** Verifying: the node runs under another boot; it must run the target, be Ready long enough, and have its DaemonSets back; then the hooks AfterReboot. */
export function verifying(flight: Flight): Step {
  const { node, record, now, status } = flight;
  const began = status.phase === 'Verifying' && status.since !== undefined ? instant(status.since) : now;
  const running = node.os?.version;
  if (running !== record.target) {
    const verdict: Verdict = {
      reason: 'RolledBackByHost',
      message: `the host came back with ${running ?? 'another OS'} and not with ${record.target}`,
    };
    if (record.rollsBack === true) return fail(flight, { ...verdict, reason: 'RollbackFailed' });
    return giveBack(flight, 'RolledBack', verdict, {
      failures: withFailure(status, node, record.target, verdict, now, !isRebootOnly(record)),
    });
  }
  const hooksMs = hooksTimeMs(record.hooks, 'AfterReboot');
  const deadline =
    (status.phase === 'Verifying' ? status.deadlines?.verify : undefined) ?? timestamp(now + record.rebootTimeoutMs + hooksMs);
  const waits = whatItWaitsFor(flight, began);
  const begun = hooksBegun(flight, 'AfterReboot');
  // The hooks' time is on top: until they begin, the node is given no more than its own.
  const until = instant(deadline) - (begun ? 0 : hooksMs);
  // Whoever comes back after the deadline looks first: a node that is well is not taken back because nobody saw it.
  if (waits !== undefined && waits.unseen !== true && until <= now) {
    if (canGoBack(flight)) return beginRollback(flight, waits.message);
    const retry = tokenCommand('nodeupdate', node.name, BY_HAND.retry);
    const runs = `it runs ${record.target}, but ${waits.message}`;
    return fail(
      flight,
      wentBack(flight)
        ? {
            reason: 'RollbackFailed',
            message: `${runs}; it could not be taken back before, and that is not tried again by itself: put it right, and it is verified again; to try both again: ${retry}`,
          }
        : { reason: 'VerificationTimeout', message: `${runs}: put it right, and it is verified again; to try it again at once: ${retry}` },
    );
  }
  if (waits !== undefined && !begun) return wait(flight, deadline, waits.message, Math.min(until, waits.until ?? Number.POSITIVE_INFINITY));
  return checked(flight, deadline, waits);
}

function landed(flight: Flight): Step {
  const { from, target, rollsBack } = flight.record;
  if (rollsBack !== true) return landUpdated(flight);
  return giveBack(flight, 'RolledBack', { reason: 'RolledBack', message: `the rollout of ${from} is taken back: runs ${target} again` });
}

/** Ready once: runs the hooks AfterReboot; that it still is, is looked at again when they have ended. */
function checked(before: Flight, deadline: string, waits: Waits | undefined): Step {
  const { record, status } = before;
  const hooks = runHooks(before, 'AfterReboot');
  const flight = { ...before, status: withHooks(status, hooks) };
  switch (hooks.state) {
    case 'done':
      return waits === undefined
        ? landed(flight)
        : wait(flight, deadline, waits.message, Math.min(instant(deadline), waits.until ?? Number.POSITIVE_INFINITY));
    case 'failed':
      return fail(flight, {
        reason: 'HookFailed',
        message: `it runs ${record.target}, but ${hooks.message}; put it right, and have the hook run anew: ${tokenCommand('nodeupdate', before.node.name, BY_HAND.retry)}`,
      });
    case 'running': {
      const step = wait(flight, deadline, hooks.message, hooks.until, 'HookRunning');
      return { ...step, commands: [...step.commands, ...beginHooks(step.status, hooks.commands)], jobs: hooks.jobs };
    }
  }
}

function wait(
  flight: Flight,
  deadline: string,
  message: string,
  until: number | undefined,
  reason: 'Verifying' | 'HookRunning' = 'Verifying',
): Step {
  const { record, now, status } = flight;
  const verdict: Verdict = { reason, message };
  const change = { ...inFlight(flight), drain: undefined, deadlines: { drain: record.drainDeadline, verify: deadline } };
  return stay(enter(status, 'Verifying', verdict, now, change), verdict, {
    commands: keepCordoned(flight),
    lookAt: true,
    until: until === undefined || until <= now ? undefined : until,
  });
}

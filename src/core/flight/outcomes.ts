import { isRebootOnly } from '../../api/cordon-record.ts';
import type { Phase } from '../../api/node-update.ts';
import type { Command, Verdict } from '../command.ts';
import { enter, type StatusChange, withFailure } from '../status.ts';
import { backoffMs, timestamp } from '../world.ts';
import {
  cancel,
  cancelled,
  type Flight,
  failingVersion,
  hasRebooted,
  inFlight,
  keepCordoned,
  rebootAsked,
  rebootDeadline,
  type Step,
  stay,
} from './flight.ts';
import { landGivenBack, landUpdated, wasUpdated } from './landing.ts';

/** What a person can do about a host that was asked to reboot and of whose next boot nobody has heard. */
export const LOOK_AT_MACHINE = 'look whether the machine has booted and its kubelet runs; when the node is back it is verified by itself';

/** Marks a node in flight as Failed: it stays cordoned, keeps its slot, and says what a person can do. */
export function fail(flight: Flight, verdict: Verdict): Step {
  const { record, there = record, node, now, status } = flight;
  const booted = hasRebooted({ node, record: there }) || (verdict.reason === 'RebootTimeout' && !node.ready.status);
  const ofRelease = !isRebootOnly(there) && verdict.reason !== 'HookFailed';
  const failures = withFailure(status, node, failingVersion(there), verdict, now, booted && ofRelease);
  // Not even a reboot by hand is asked for again by itself.
  const tokens = record.reboot === undefined ? status.tokens : { ...status.tokens, ...record.reboot };
  const change = { ...inFlight({ record: there }), drain: undefined, deadlines: undefined, failures, tokens };
  return stay(enter(status, 'Failed', verdict, now, change), verdict);
}

/**
 * Begins to give a node back without success: what is to be remembered is persisted first, then a Cancel is written (where no
 * other boot has made every order void), and only then the node is uncordoned.
 */
export function giveBack(flight: Flight, next: Phase, verdict: Verdict, change: StatusChange = {}): Step {
  const status = enter(flight.status, 'Uncordoning', verdict, flight.now, {
    ...inFlight(flight),
    drain: undefined,
    deadlines: flight.status.deadlines,
    ...change,
    next,
  });
  const first: Command[] = [{ type: 'WriteStatus', status }, ...keepCordoned(flight)];
  const step = uncordoning({ ...flight, status });
  return { ...step, commands: [...first, ...step.commands] };
}

/** Gives a node back as Blocked: tried again by itself after a backoff that grows with each attempt. */
export function giveBackBlocked(flight: Flight, verdict: Verdict): Step {
  const attempts = (flight.status.attempts ?? 0) + 1;
  const retryAt = timestamp(flight.now + backoffMs(flight.world.retry, attempts));
  return giveBack(flight, 'Blocked', verdict, { attempts, retryAt });
}

/** Gives a node back to stage again: at once the first time, and then after a wait, so that none is drained over and over. */
export function giveBackToStage(flight: Flight, verdict: Verdict): Step {
  return (flight.status.attempts ?? 0) === 0 ? giveBack(flight, 'Staging', verdict, { attempts: 1 }) : giveBackBlocked(flight, verdict);
}

/** Uncordoning: cancels what was ordered, and once no reboot can follow runs the hooks Finally and uncordons. Retried until it holds. */
export function uncordoning(flight: Flight): Step {
  const { node, status } = flight;
  if (!hasRebooted(flight) && node.host === undefined && status.deadlines?.reboot !== undefined) return waitForAskedReboot(flight);
  if (!hasRebooted(flight) && node.host !== undefined) {
    if (!cancelled(flight)) return { status, commands: cancel(flight) };
    if (rebootAsked(flight)) return waitForAskedReboot(flight);
  }
  return wasUpdated(flight) ? landUpdated(flight) : landGivenBack(flight);
}

function waitForAskedReboot(flight: Flight): Step {
  const { now, status } = flight;
  const until = rebootDeadline(flight);
  if (until <= now)
    return fail(flight, {
      reason: 'RebootTimeout',
      message: `the host was asked to reboot before the node could be given back, and no other boot was reported in time: ${LOOK_AT_MACHINE}`,
    });
  const verdict: Verdict = {
    reason: 'RebootAsked',
    message: 'the host was asked to reboot before the node could be given back: waits for its kubelet to report another boot',
    until,
  };
  return stay(enter(status, 'Rebooting', verdict, now, { next: undefined, because: undefined }), verdict, {
    commands: keepCordoned(flight),
    lookAt: true,
  });
}

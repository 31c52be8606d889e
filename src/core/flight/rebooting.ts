import { isRebootOnly } from '../../api/cordon-record.ts';
import type { ErrorCode } from '../../api/node-host.ts';
import type { Verdict } from '../command.ts';
import { enter, withFailure } from '../status.ts';
import { draining } from './draining.ts';
import {
  type Flight,
  hasRebooted,
  inFlight,
  keepCordoned,
  rebootAnswer,
  rebootAsked,
  rebootDeadline,
  rebootOrdered,
  rebootWork,
  type Step,
  stay,
} from './flight.ts';
import { fail, giveBack, giveBackBlocked, giveBackToStage, LOOK_AT_MACHINE } from './outcomes.ts';
import { verifying } from './verifying.ts';

/** Rebooting: the order lies in the letterbox; waits for another boot ID, by the kubelet's word. */
export function rebooting(flight: Flight): Step {
  const { node, record, now, status, byHand } = flight;
  const answer = rebootAnswer(flight);
  if (hasRebooted(flight)) {
    const ours = answer?.state === 'RebootAsked' || answer?.state === 'Done' || status.reason === 'RebootAsked' || node.host === undefined;
    if (ours || node.os?.version === record.target) return verifying(flight);
    // The Node may be ahead of the NodeHost: only what the agent wrote under this boot tells whose reboot it was.
    if (node.host?.status.bootID !== node.bootID && rebootDeadline(flight) > now)
      return wait(flight, {
        reason: 'RebootOrdered',
        message: 'the host runs under another boot; waits for its agent to say whose reboot it was',
        until: rebootDeadline(flight),
      });
    return giveBackToStage(flight, {
      reason: 'ForeignReboot',
      message: 'somebody else rebooted the node before the agent did: it is given back and stages again',
    });
  }
  if (!rebootOrdered(flight) && node.host !== undefined) return draining(flight);

  const until = rebootDeadline(flight);
  if (rebootAsked(flight) || node.host === undefined) {
    const verdict: Verdict = {
      reason: 'RebootAsked',
      message: 'the host was asked to reboot; waits for its kubelet to report another boot',
      until,
    };
    if (until <= now)
      return fail(flight, {
        reason: 'RebootTimeout',
        message: `no other boot of the host was reported in time: ${LOOK_AT_MACHINE}`,
      });
    return wait(flight, verdict);
  }
  if (flight.orphaned) return giveBack(flight, 'Idle', { reason: 'TakingBack', message: 'its policy is gone: the node is given back' });
  if (byHand.paused)
    return giveBack(flight, 'Staged', { reason: 'Paused', message: 'the node was paused before its reboot was asked: it is given back' });
  if (flight.closed !== undefined) return giveBack(flight, 'Staged', flight.closed);
  switch (answer?.state) {
    case 'Failed':
      return refused(flight, answer.error?.code, answer.error?.message ?? 'without a word');
    case 'Unsupported':
      return giveBackBlocked(flight, { reason: 'AgentOutdated', message: 'the agent does not know the Reboot order: upgrade the agents' });
    default:
  }
  if (until <= now) {
    return giveBackBlocked(flight, {
      reason: 'RebootNotStarted',
      message: 'the agent did not begin the reboot in time: the node is given back and tried again',
    });
  }
  return wait(flight, { reason: 'RebootOrdered', message: `waits for the agent to ${rebootWork(record)}`, until });
}

function refused(flight: Flight, code: ErrorCode | undefined, words: string): Step {
  const { record, node, now, status } = flight;
  // A reboot by hand activates nothing: that it was refused says nothing against what runs.
  switch (code === 'ActivationFailed' && isRebootOnly(record) ? undefined : code) {
    case 'ActivationFailed': {
      const verdict: Verdict = { reason: 'ActivationFailed', message: `${record.target} could not be activated: ${words}` };
      if (record.rollsBack === true) return fail(flight, { ...verdict, reason: 'RollbackFailed' });
      return giveBack(flight, 'RolledBack', verdict, { failures: withFailure(status, node, record.target, verdict, now) });
    }
    case 'ProofLost':
    case 'BootIDChanged':
      return giveBackToStage(flight, {
        reason: 'ProofLost',
        message: `the agent refused to reboot (${words}): the node is given back and stages again`,
      });
    default:
      // Says nothing against the target: the host could not be asked.
      return giveBackBlocked(flight, {
        reason: 'RebootNotStarted',
        message: `the agent could not begin the reboot (${code ?? 'no code'}: ${words}): the node is given back and tried again`,
      });
  }
}

function wait(flight: Flight, verdict: Verdict): Step {
  const deadline = flight.status.deadlines?.reboot;
  const deadlines = { drain: flight.record.drainDeadline, ...(deadline !== undefined && { reboot: deadline }) };
  return stay(enter(flight.status, 'Rebooting', verdict, flight.now, { ...inFlight(flight), deadlines }), verdict, {
    commands: keepCordoned(flight),
    lookAt: true,
  });
}

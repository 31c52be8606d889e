import type { Order } from '../../api/node-host.ts';
import { isRemembered, rememberEvicted } from '../comebacks.ts';
import type { Command, Verdict } from '../command.ts';
import { type DrainPlan, isDaemonSetPod, planDrain } from '../drain-plan.ts';
import { drainContext, podKey } from '../drain-settings.ts';
import type { Reason } from '../reasons.ts';
import { enter, failureOf, passed, type StatusChange, withFailure } from '../status.ts';
import { backoffMs, type Instant, instant, stagedVersion, timestamp } from '../world.ts';
import {
  type Flight,
  hasRebooted,
  inFlight,
  keepCordoned,
  rebootAnswer,
  rebootAsked,
  rebootDeadline,
  rebootOrdered,
  rebootOrderID,
  type Step,
  stageOrderID,
  stagingDeadline,
  stay,
  wayBack,
} from './flight.ts';
import { listed } from './listed.ts';
import { fail, giveBack, LOOK_AT_MACHINE } from './outcomes.ts';
import { whatItWaitsFor } from './readiness.ts';
import { volumesToDetach } from './volumes.ts';

/** Whether a node that runs its target can be taken back: its agent has answered under this boot, and somebody still wants it to. */
export function canGoBack(flight: Flight): boolean {
  const { node, record, orphaned } = flight;
  // The pods of a node that is not Ready are not either, whatever they do.
  const gone = node.agent === 'missing' && node.ready.status;
  return (
    !wentBack(flight) &&
    !orphaned &&
    record.rollsBack !== true &&
    record.from !== record.target &&
    node.host?.status.bootID === node.bootID &&
    !gone
  );
}

/** It could not be taken back: its host may boot the failed version however often it is asked, so only a retry, which forgets that, tries again. */
export const wentBack = ({ status, record }: Flight): boolean => failureOf(status, record.target)?.reason === 'RollbackFailed';

/** Takes back a node that runs its target and did not get ready: what failed is persisted before anything is done about it. */
export function beginRollback(flight: Flight, waits: string): Step {
  const { record, node, now, status } = flight;
  const failure: Verdict = { reason: 'VerificationTimeout', message: `${record.target} booted, and did not get ready in time (${waits})` };
  const failures = withFailure(status, node, record.target, failure, now, true);
  const verdict: Verdict = { reason: 'RollingBack', message: `${failure.message}: the node is taken back to ${record.from}` };
  const change: StatusChange = { ...inFlight(flight), drain: undefined, attempts: undefined, failedOrder: undefined, failures };
  const begun = enter(status, 'RollingBack', verdict, now, change);
  return { status: begun, commands: [{ type: 'WriteStatus', status: begun }, ...turn(flight, timestamp(now))], lookAt: true };
}

/**
 * RollingBack: a node that did not get ready on its target keeps claim and cordon. Its host stages what it ran before, whatever
 * its wave, reboots into that, and is verified.
 */
export function rollingBack(flight: Flight): Step {
  const { record, node, now } = flight;
  if (record.rollback === undefined) return { status: flight.status, commands: turn(flight, timestamp(now)), lookAt: true };
  const back = wayBack(flight);
  if (node.os?.version === back.record.target) return verifyingBack(back);
  if (hasRebooted(back)) return rebootedAgain(flight, back, record.rollback.at);
  if (rebootOrdered(back)) return rebootingBack(back);
  if (back.orphaned) return takeBack(back);
  return stagingBack(back, stagingDeadline(record.rollback));
}

/** The way back begins under the boot that the kubelet reports now. */
function turn({ record, node, world, ...flight }: Flight, at: string): Command[] {
  const containers = (world.pods.get(node.name) ?? []).filter(isDaemonSetPod).flatMap((pod) => pod.containers ?? []);
  const rollback = { at, bootID: node.bootID, ...(containers.length > 0 && { daemonSetContainers: containers.slice(0, 256) }) };
  return [...keepCordoned({ ...flight, record, node, world }), { type: 'UpdateRecord', record: { ...record, rollback } }];
}

/** Its policy is gone before its reboot was asked: nobody wants it to go back any more. */
const takeBack = (back: Flight): Step =>
  giveBack(back, 'Idle', { reason: 'TakingBack', message: 'its policy is gone: the node is given back as it is' });

/** Not into what was staged: by its host's own doing, or by somebody else's hand. */
function rebootedAgain(flight: Flight, back: Flight, at: string): Step {
  const { node, now, status } = back;
  const { target, from } = back.record;
  const answer = rebootAnswer(back)?.state;
  if (answer === 'RebootAsked' || answer === 'Done' || status.reason === 'RebootAsked')
    return failed(back, `the host came back with ${node.os?.version ?? 'another OS'} and not with ${target}`);
  if (node.os?.version !== from) return failed(back, `the host runs ${node.os?.version ?? 'another OS'} now: nobody here asked for that`);
  if (rebootOrdered(back) && node.host?.status.bootID !== node.bootID && rebootDeadline(back) > now)
    return wait(back, 'the host runs under another boot; waits for its agent to say whose reboot it was', rebootDeadline(back));
  const begun = enter(status, 'RollingBack', { reason: 'RollingBack', message: `it rebooted by itself: ${to(back)}` }, now, inFlight(back));
  return { status: begun, commands: [{ type: 'WriteStatus', status: begun }, ...turn(flight, at)], lookAt: true };
}

function stagingBack(back: Flight, until: Instant): Step {
  const { node, record, world, now, status } = back;
  const order = node.host?.spec.order;
  const ours = order?.action === 'Stage' && order.id.startsWith(stageOrderID(record));
  const answer = ours && node.host?.status.answer?.id === order.id ? node.host.status.answer : undefined;
  const words = answer?.error === undefined ? '' : ` (${answer.error.code}: ${answer.error.message})`;
  if (answer?.state === 'Unsupported') return failed(back, 'its agent does not know the Stage order: upgrade the agents');
  if (ours && stagedVersion(node) === record.target) return emptying(back, until);
  if (until <= now) return failed(back, `${record.target} could not be staged within 30 minutes${words}`);
  if (!world.guarded) return wait(back, 'no order is given while the agents’ admission policy or its binding is missing', until);
  if (node.host === undefined) return wait(back, 'its NodeHost is gone: nothing can be ordered', until);
  const stage = (change: StatusChange): Step => {
    const wanted: Order = {
      id: `${stageOrderID(record)}-${now.toString(36)}`,
      action: 'Stage',
      version: record.target,
      ignoreWaves: true,
    };
    const step = wait(back, `the host downloads ${record.target}`, until, { change });
    return { ...step, commands: [...step.commands, { type: 'Order', order: wanted }] };
  };
  if (!ours) return stage({});
  if (answer?.state !== 'Failed' && answer?.state !== 'Done') return wait(back, `the host downloads ${record.target}`, until);
  const counted = status.failedOrder === order.id;
  const attempts = (status.attempts ?? 0) + (counted ? 0 : 1);
  const retryAt = (counted ? status.retryAt : undefined) ?? timestamp(now + backoffMs(world.retry, attempts));
  if (counted && passed(retryAt, now)) return stage({ attempts });
  const change = { attempts, retryAt, failedOrder: order.id };
  const message = `downloading ${record.target} failed, is tried again at ${retryAt}${words}`;
  return wait(back, message, Math.min(until, instant(retryAt)), { change });
}

/** It was drained before, and is cordoned: only what has come since is evicted. */
function emptying(back: Flight, until: Instant): Step {
  const { node, record, world, now, status } = back;
  const pods = record.drain.mode === 'None' ? [] : world.pods.get(node.name);
  if (pods === undefined) return wait(back, 'lists the pods on the node', until);
  const context = drainContext(world, node, now, status.drain?.evictedOnce);
  const plan = planDrain(pods, record.drain, context);
  const { evict, later, waitFor, errors } = plan;
  const remaining = [...evict, ...later, ...waitFor].map(podKey);
  const volumes = volumesToDetach(back, plan);
  if (remaining.length + errors.length > 0 || volumes !== undefined) {
    const what = [...(remaining.length > 0 ? [listed(remaining)] : []), ...(volumes === undefined ? [] : [volumes]), ...errors].join('; ');
    if (until <= now) return failed(back, `pods have come to the node, and did not leave in time: ${what}`);
    return evicting(back, plan, `${record.target} is staged; waits for ${what}`, until);
  }
  if (!world.guarded) {
    if (until <= now) return failed(back, 'the agents’ admission policy or its binding was missing for too long');
    return wait(back, 'no reboot is ordered while the agents’ admission policy or its binding is missing', until);
  }
  const deadline = status.deadlines?.reboot ?? timestamp(now + record.rebootTimeoutMs);
  if (instant(deadline) <= now) return failed(back, 'no reboot could be ordered in time');
  const ordered = wait(back, `waits for the agent to activate ${record.target} and reboot`, instant(deadline), {
    reason: 'RebootOrdered',
    change: { deadlines: { drain: record.drainDeadline, reboot: deadline } },
  });
  const order: Order = { id: rebootOrderID(record), action: 'Reboot', version: record.target, bootID: record.bootID };
  return { ...ordered, commands: [...ordered.commands, { type: 'OrderReboot', order, record, context, status: ordered.status }] };
}

/** One that may come straight back is evicted once before this reboot, too: only when that is persisted. */
function evicting(back: Flight, plan: DrainPlan, what: string, until: Instant): Step {
  const { node, record, status, now } = back;
  const known = status.drain?.evictedOnce ?? [];
  const evictedOnce = rememberEvicted(known, plan.evict);
  const remaining = plan.evict.length + plan.later.length + plan.waitFor.length;
  const step = wait(back, what, Math.min(until, plan.until ?? Number.POSITIVE_INFINITY), {
    change: {
      drain: {
        startedAt: status.drain?.startedAt ?? timestamp(now),
        total: Math.max(remaining, status.drain?.total ?? 0),
        remaining,
        ...(evictedOnce.length > 0 && { evictedOnce: [...evictedOnce] }),
      },
    },
  });
  const evict = plan.evict.filter((pod) => isRemembered(pod, known) || !isRemembered(pod, evictedOnce));
  const persist: Command[] = evictedOnce === known ? [] : [{ type: 'WriteStatus', status: step.status }];
  const grace = record.drain.gracePeriodSeconds;
  const drain = { node: node.name, claim: record.claim, evict, ...(grace !== undefined && { gracePeriodSeconds: grace }) };
  return { ...step, commands: [...step.commands, ...persist], drain };
}

function rebootingBack(back: Flight): Step {
  const { record, now } = back;
  const until = rebootDeadline(back);
  const answer = rebootAnswer(back);
  const asked = rebootAsked(back);
  if (answer?.state === 'Unsupported') return failed(back, 'its agent does not know the Reboot order: upgrade the agents');
  // Where the boot is over, the Node will say so soon.
  if (answer?.state === 'Failed' && answer.error?.code !== 'BootIDChanged')
    return failed(back, `the host could not boot ${record.target}: ${answer.error?.message ?? 'without a word'}`);
  if (until <= now) return failed(back, `no other boot of the host was reported in time: ${LOOK_AT_MACHINE}`);
  if (back.orphaned && !asked) return takeBack(back);
  return asked
    ? wait(back, 'the host was asked to reboot; waits for its kubelet to report another boot', until, { reason: 'RebootAsked' })
    : wait(back, `waits for the agent to activate ${record.target} and reboot`, until, { reason: 'RebootOrdered' });
}

function verifyingBack(back: Flight): Step {
  const { record, now, status } = back;
  const deadline = status.deadlines?.verify ?? timestamp(now + record.rebootTimeoutMs);
  const waits = whatItWaitsFor(back, instant(deadline) - record.rebootTimeoutMs);
  if (waits === undefined) {
    const message = `${record.from} did not get ready on it: the node was taken back to ${record.target}`;
    return giveBack(back, 'RolledBack', { reason: 'RolledBack', message }, { attempts: undefined, failedOrder: undefined });
  }
  if (instant(deadline) <= now) return failed(back, `it runs ${record.target} again, but ${waits.message}`);
  return wait(back, waits.message, Math.min(instant(deadline), waits.until ?? Number.POSITIVE_INFINITY), {
    change: { deadlines: { drain: record.drainDeadline, verify: deadline } },
  });
}

const to = ({ record }: Flight): string => `is taken back from ${record.from} to ${record.target}`;

const failed = (back: Flight, why: string): Step =>
  fail(back, {
    reason: 'RollbackFailed',
    message: `${back.record.from} did not get ready, and the node could not be taken back to ${back.record.target}: ${why}`,
  });

function wait(
  back: Flight,
  what: string,
  until: Instant,
  { reason = 'RollingBack', change = {} }: { reason?: Reason; change?: StatusChange } = {},
): Step {
  const verdict: Verdict = { reason, message: `${to(back)}: ${what}`, until };
  const reboot = back.status.deadlines?.reboot;
  const deadlines = { drain: back.record.drainDeadline, ...(reboot !== undefined && { reboot }) };
  const fields = { ...inFlight(back), drain: back.status.drain, deadlines, ...change };
  return stay(enter(back.status, 'RollingBack', verdict, back.now, fields), verdict, { commands: keepCordoned(back), lookAt: true });
}

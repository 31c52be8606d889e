import type { CordonRecord } from '../api/cordon-record.ts';
import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS } from '../api/names.ts';
import { durationMs } from '../api/primitives.ts';
import type { Claim } from '../api/update-policy.ts';
import { knownBadFor } from './bad-releases.ts';
import { isUrgent } from './by-hand.ts';
import type { Command, Verdict } from './command.ts';
import { drainSettings } from './drain-settings.ts';
import type { Facts, Member } from './facts.ts';
import { readyDaemonSets } from './flight/draining.ts';
import { cancelOrderID, inFlight, type Step } from './flight/flight.ts';
import { hooksTimeMs, pendingHooks, recordedHooks } from './flight/hooks.ts';
import { rebootGround } from './reboot-ground.ts';
import { preflight } from './rules/preflight.ts';
import { unreadable } from './rules/readable.ts';
import { unavailableOthers } from './rules/rollback-turn.ts';
import { whyClosed } from './rules/window.ts';
import { enter, failureOf } from './status.ts';
import { type Instant, stagedVersion, timestamp, type World } from './world.ts';

/** A node that is claimed and carries no record yet: it is cordoned, or, where that is no longer right, its claim is given up. */
export function claimedStep(world: World, facts: Facts, member: Member, claim: Claim, now: Instant): Step {
  const { node, status } = member;
  const reboot = rebootGround(facts, member, {}, now) !== undefined;
  const refused = whyNot(world, facts, member, reboot);
  if (refused !== undefined) return givenUp(member, claim, refused, now);
  const pods = world.pods.get(node.name);
  const version = reboot ? node.os?.version : member.target.version;
  if (pods === undefined || version === undefined || node.os === undefined) {
    const verdict: Verdict = { reason: 'Claimed', message: 'holds a slot; its pods are being looked at' };
    return { status: enter(status, reboot ? 'Idle' : 'Staged', verdict, now), commands: [], lookAt: true };
  }
  const { target } = member;
  const goesBack = !reboot && target.version !== undefined && target.rollsBack === true;
  const hurried = !reboot && isUrgent(version, member.byHand, facts.byHand);
  // Its pods may be others than those that were looked at before the claim.
  const barred = preflight({ world, facts, node, member, version, claimed: new Set(), othersPending: false }, now);
  if (barred !== undefined) return givenUp(member, claim, barred, now);
  const { spec } = facts.view;
  const evictFrom = now + durationMs(spec.drain.loadBalancerDelay);
  const { hooks } = recordedHooks(spec);
  const soakMs = durationMs(spec.rollout.soak);
  const record: CordonRecord = {
    policy: facts.view.name,
    policyUID: facts.view.uid,
    claim: claim.id,
    rollout: claim.rollout,
    from: node.os.version,
    target: version,
    bootID: node.bootID,
    ...(hurried && { urgent: true as const }),
    ...(member.reboot !== undefined && { reboot: member.reboot }),
    ...(node.host?.spec.order !== undefined && { order: node.host.spec.order.id }),
    at: timestamp(now),
    ...(evictFrom > now && { evictFrom: timestamp(evictFrom) }),
    drainDeadline: timestamp(evictFrom + hooksTimeMs(hooks, 'BeforeDrain') + durationMs(spec.drain.timeout)),
    drain: drainSettings(spec),
    rebootTimeoutMs: durationMs(spec.reboot.timeout),
    minReadySeconds: spec.rollout.minReadySeconds,
    ...(soakMs > 0 && { soakMs }),
    ...(goesBack && { rollsBack: true as const }),
    ...readyDaemonSets(pods),
    ...(hooks !== undefined && { hooks }),
    prior: {
      unschedulable: node.unschedulable,
      annotations: priorOf(KEEP_NODE_ANNOTATIONS, node.annotations),
      labels: priorOf(CORDON_LABELS, node.labels),
    },
  };
  const verdict: Verdict = { reason: 'Draining', message: 'cordoned; its pods are being looked at' };
  return {
    status: enter(status, 'Draining', verdict, now, { ...inFlight({ record }), hooks: pendingHooks(record) }),
    commands: [{ type: 'Cordon', record, annotations: KEEP_NODE_ANNOTATIONS, labels: missing(CORDON_LABELS, node.labels) }],
    lookAt: true,
  };
}

type Values = Readonly<Record<string, string>>;

const priorOf = (ours: Values, present: Values) => Object.fromEntries(Object.keys(ours).map((name) => [name, present[name] ?? null]));

const missing = (ours: Values, present: Values) => Object.fromEntries(Object.entries(ours).filter(([name]) => !(name in present)));

function givenUp({ node, status }: Member, claim: Claim, verdict: Verdict, now: Instant): Step {
  const cancel: Command[] =
    node.host === undefined || node.host.spec.order?.id === cancelOrderID({ claim: claim.id })
      ? []
      : [{ type: 'Order', order: { id: cancelOrderID({ claim: claim.id }), action: 'Cancel' } }];
  return { status: enter(status, 'Idle', verdict, now), commands: [...cancel, { type: 'Fence', claim: claim.id }] };
}

function whyNot(world: World, facts: Facts, member: Member, reboot: boolean): Verdict | undefined {
  const { node, status, byHand, target } = member;
  const { view } = facts;
  const back = 'its claim is given up';
  if (view.deleting) return { reason: 'TakingBack', message: `policy ${view.name} is being deleted: ${back}` };
  if (byHand.paused) return { reason: 'Paused', message: `the node was paused: ${back}` };
  const unclear = unreadable(facts, member);
  if (unclear !== undefined) return { ...unclear, message: `${unclear.message}: ${back}` };
  const rollsBack = !reboot && target.version !== undefined && target.rollsBack === true;
  const shut = rollsBack || (!reboot && isUrgent(target.version ?? '', byHand, facts.byHand)) ? undefined : whyClosed(facts);
  if (shut !== undefined) return { ...shut, message: `${shut.message}: ${back}` };
  if (!world.guarded) return { reason: 'AdmissionPolicyMissing', message: `the agents' admission policy is missing: ${back}` };
  if (node.deleting) return { reason: 'BeingDeleted', message: `the node is being deleted: ${back}` };
  if (node.unschedulable) return { reason: 'CordonedByOther', message: `somebody else cordoned the node: ${back}` };
  const used = rollsBack ? unavailableOthers(facts, node).length + 1 : facts.unavailable.size;
  if (node.ready.status && used > facts.limit)
    return { reason: 'CapacityReached', message: `more nodes than ${facts.limit} are unavailable meanwhile: ${back}` };
  if (reboot) return undefined;
  if (target.version === undefined) return { ...target.verdict, message: `${target.verdict.message}: ${back}` };
  const bad = knownBadFor(facts, node, target.version);
  if (bad !== undefined) return { ...bad, message: `${bad.message}: ${back}` };
  if (failureOf(status, target.version) !== undefined) return { reason: 'KnownBad', message: `${target.version} failed before: ${back}` };
  if (stagedVersion(node) !== target.version)
    return { reason: 'ProofLost', message: `it is no longer proven that ${target.version} is staged: ${back}` };
  return undefined;
}

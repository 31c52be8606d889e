import { isRebootOnly } from '../api/cordon-record.ts';
import { claimOn } from './assign.ts';
import { knownBadFor } from './bad-releases.ts';
import { isRetried, isSkipped, isUrgent, mergeByHand, readByHand, tokensOf } from './by-hand.ts';
import { claimedStep } from './claimed.ts';
import type { Verdict } from './command.ts';
import type { Facts, Member } from './facts.ts';
import { advance } from './flight/advance.ts';
import type { Flight, Step } from './flight/flight.ts';
import { whyClosed } from './rules/window.ts';
import { enter } from './status.ts';
import type { Instant, NodeView, World } from './world.ts';

/** The step of a policy's node that is in flight or claimed; undefined where it is neither. */
export function flightStep(world: World, facts: Facts, member: Member, now: Instant): Step | undefined {
  const { node, status, byHand, retried } = member;
  if (node.record !== undefined) {
    const tokens = tokensOf(status, byHand, facts.byHand);
    const orphaned = facts.view.deleting || (typeof node.record === 'object' && node.record.policyUID !== facts.view.uid);
    const closed = whyTakenBack(facts, member);
    const { onTimeout } = facts.view.spec.drain;
    return recordedStep(world, node, { status, byHand, retried, tokens, orphaned, closed, onTimeout, policyPaused: facts.paused }, now);
  }
  const claim = claimOn(facts.view, node);
  if (claim === undefined) return undefined;
  return claimedStep(world, facts, member, claim, now);
}

/** The step of a node in flight that no policy has any more: it is finished or taken back by its record. */
export function strayStep(world: World, node: NodeView, now: Instant): Step {
  const { update } = node;
  const byHand = mergeByHand(readByHand(node.annotations), readByHand(update?.annotations ?? {}));
  const status = update?.status ?? {};
  const asked = { byHand, retried: isRetried(status, byHand, undefined), tokens: tokensOf(status, byHand, undefined) };
  return recordedStep(world, node, { status, ...asked, orphaned: true, closed: undefined, onTimeout: 'Skip', policyPaused: false }, now);
}

/** Why a node whose reboot was not asked yet is taken back, if it is. */
function whyTakenBack(facts: Facts, member: Member): Verdict | undefined {
  const { node } = member;
  if (typeof node.record !== 'object' || node.record.rollsBack === true) return undefined;
  const bad = isRebootOnly(node.record) ? undefined : knownBadFor(facts, node, node.record.target);
  if (bad !== undefined) return bad;
  return facts.view.spec.schedule?.onClose === 'Release' && !isHurried(facts, member) ? whyClosed(facts) : undefined;
}

type Asked = Omit<Flight, 'world' | 'node' | 'record' | 'skipped' | 'now'>;

function recordedStep(world: World, node: NodeView, asked: Asked, now: Instant): Step {
  if (node.record === undefined || node.record === 'unreadable') {
    const message = 'the annotation lockkeeper.dev/cordon cannot be read: uncordon the node and remove the annotation by hand';
    return { status: enter(asked.status, 'Failed', { reason: 'RecordUnreadable', message }, now), commands: [] };
  }
  return advance({
    world,
    node,
    record: node.record,
    ...asked,
    skipped: isSkipped(asked.status, asked.byHand),
    now,
  });
}

/** A node in flight to a version that is urgent now. */
const isHurried = ({ byHand }: Facts, { node, byHand: own }: Member): boolean =>
  typeof node.record === 'object' && !isRebootOnly(node.record) && isUrgent(node.record.target, own, byHand);

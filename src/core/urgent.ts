import { BY_HAND } from '../api/names.ts';
import { knownBadFor } from './bad-releases.ts';
import { type Finding, NODE_CONDITIONS } from './conditions.ts';
import type { Facts, Member } from './facts.ts';
import { isOf } from './releases.ts';
import { isWanted } from './rollouts.ts';
import { compareVersions } from './versions.ts';
import type { NodeView } from './world.ts';

/** What becomes of the version that an annotation says is urgent. */
export interface Urgency {
  /** Nodes are being brought to it, whatever the calendar says. */
  holds: boolean;
  reason: string;
  message: string;
}

/** The rules that an urgent version passes, and those that it does not, in words. */
const LIFTED =
  'whatever window, exclusions, minAge, waves and approval say; pauses, the failure budget, groups, capacity, checks and PodDisruptionBudgets hold';

/** What becomes of a policy's urgent version. It stays the same message as long as nothing is to be told anew. */
export function urgencyOf(facts: Pick<Facts, 'view' | 'byHand' | 'members' | 'rollouts' | 'badReleases'>): Urgency {
  const { view, byHand, members, rollouts } = facts;
  const { urgent } = byHand;
  if (urgent === undefined) return { holds: false, reason: 'NotUrgent', message: 'no version is urgent' };
  const refused = whyNotWanted(facts, urgent);
  if (refused !== undefined) return { holds: false, reason: 'UrgentNotWanted', message: refused };
  const behind = members.filter(({ node: { os } }) => os !== undefined && compareVersions(os.version, urgent) < 0);
  if (behind.length === 0)
    return {
      holds: false,
      reason: 'UrgentReached',
      message: `every node runs ${urgent} or a newer version: kubectl annotate updatepolicy ${view.name} ${BY_HAND.urgent}-`,
    };
  const bad = behind.map(({ node }) => knownBadFor(facts, node, urgent));
  const [marked] = bad;
  if (marked !== undefined && !bad.includes(undefined)) return { holds: false, reason: 'UrgentNotWanted', message: marked.message };
  const others = rollouts.filter(
    ({ target, ...of }) => target !== urgent && behind.some(({ node: { os } }) => os !== undefined && isOf(of, os)),
  );
  const newer = others.find(({ target }) => compareVersions(target, urgent) > 0);
  if (newer !== undefined)
    return {
      holds: false,
      reason: 'UrgentSuperseded',
      message: `nodes of ${newer.variant} (${newer.arch}) are brought to ${newer.target} already, which is newer than ${urgent}: that is not urgent; name it, or pin the policy to ${urgent}`,
    };
  const message = `${urgent} is wanted now${setBy(view.urgentBy)}, ${LIFTED}`;
  if (rollouts.some(({ target }) => target === urgent)) return { holds: true, reason: 'Urgent', message };
  return { holds: true, reason: 'UrgentNotOffered', message: `${message}; waits for it to be offered to two nodes of a variant` };
}

/**
 * Whether a node is to look past its wave for the urgent version that its policy has: as long as it is behind, and, until a rollout to
 * it has begun, where it runs it already: then it says that it is offered.
 */
export function looksPastWaves({ byHand: { urgent }, rollouts }: Pick<Facts, 'byHand' | 'rollouts'>, { os }: NodeView): boolean {
  if (urgent === undefined || os === undefined) return false;
  const order = compareVersions(os.version, urgent);
  return order < 0 || (order === 0 && !rollouts.some((rollout) => rollout.target === urgent && isOf(rollout, os)));
}

/** What a node's own annotation makes urgent there, and what keeps it from that. */
export function urgentNode(facts: Pick<Facts, 'view' | 'byHand'>, { node, byHand: { urgent, pin } }: Member): Finding[] {
  if (urgent === undefined || node.os === undefined || compareVersions(node.os.version, urgent) >= 0) return [];
  const finding = { type: NODE_CONDITIONS.urgent, status: 'False', reason: 'UrgentNotWanted' } as const;
  if (pin !== undefined && pin !== urgent) return [{ ...finding, message: `${urgent} is urgent, but the node is pinned to ${pin}` }];
  const refused = pin === undefined ? whyNotWanted(facts, urgent) : undefined;
  if (refused !== undefined) return [{ ...finding, message: refused }];
  const by = setBy(node.annotations[BY_HAND.urgent] === urgent ? node.urgentBy : node.update?.urgentBy);
  return [{ type: NODE_CONDITIONS.urgent, status: 'True', reason: 'Urgent', message: `${urgent} is wanted now${by}, ${LIFTED}` }];
}

function whyNotWanted({ view, byHand }: Pick<Facts, 'view' | 'byHand'>, urgent: string): string | undefined {
  const pin = byHand.pin ?? view.spec.version.pin;
  if (isWanted(view, pin, urgent)) return undefined;
  const why = pin === undefined ? `lies outside version.range ${view.spec.version.range}` : `policy ${view.name} is pinned to ${pin}`;
  return `${urgent} is urgent, but ${pin === undefined ? 'it ' : ''}${why}`;
}

const setBy = (who: string | undefined): string => (who === undefined ? '' : ` (annotation set by ${who})`);

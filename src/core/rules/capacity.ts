import type { CountOrPercent } from '../../api/update-policy.ts';
import { countOf } from '../budget.ts';
import type { Facts } from '../facts.ts';
import { type Candidate, pass, type Rule } from './rule.ts';

/**
 * Holds a node while as many nodes as the policy allows, or its group, are unavailable; one that is not Ready anyway takes no
 * further slot.
 */
export const capacity: Rule = (candidate) => {
  const { facts, node, member, claimed } = candidate;
  if (facts.unavailable.has(node.name) && !node.ready.status) return pass;
  const begun = [...claimed].filter((name) => !facts.unavailable.has(name));
  if (facts.unavailable.size + begun.length >= facts.limit) {
    return {
      reason: 'CapacityReached',
      message: `waits for its turn: ${facts.limit} of ${facts.members.length} nodes may be unavailable at once${alsoLost(facts)}`,
    };
  }
  const group = facts.view.spec.rollout.groups[member.group];
  return group?.maxUnavailable === undefined ? pass : withinGroup(candidate, { ...group, maxUnavailable: group.maxUnavailable }, begun);
};

const MAX_NAMED = 5;

/** In a larger fleet nodes come and go all the time, and it is said to all that wait: each change would be a write for each of them. */
const SMALL_FLEET = 100;

/** The nodes that are unavailable by nobody's update, as the end of a sentence; in a large fleet only where they alone leave no room. */
export function alsoLost({ lost, limit, members }: Pick<Facts, 'lost' | 'limit' | 'members'>): string {
  if (lost.length === 0 || (members.length > SMALL_FLEET && lost.length < limit)) return '';
  const more = lost.length > MAX_NAMED ? ` and ${lost.length - MAX_NAMED} more` : '';
  return `, and so already ${lost.length === 1 ? 'is' : 'are'} ${lost.slice(0, MAX_NAMED).join(', ')}${more}`;
}

function withinGroup(
  { facts, member }: Candidate,
  { name, maxUnavailable }: { name: string; maxUnavailable: CountOrPercent },
  begun: readonly string[],
) {
  const names = facts.groups[member.group] ?? new Set<string>();
  const limit = countOf(maxUnavailable, names.size);
  const used = [...facts.unavailable, ...begun].filter((other) => names.has(other)).length;
  if (used < limit) return pass;
  return {
    reason: 'CapacityReached' as const,
    message: `waits for its turn: ${limit} of the ${names.size} nodes of group ${name} may be unavailable at once`,
  };
}

import { claimOn } from '../assign.ts';
import type { Facts, Member } from '../facts.ts';
import { isOf } from '../releases.ts';
import type { NodeView } from '../world.ts';
import { alsoLost } from './capacity.ts';
import { pass, type Rule } from './rule.ts';

/**
 * Holds a node that is to be taken back while another one is, or while as many others as the policy allows are unavailable. Those
 * that failed in the rollout do not count: nobody waits for the slots that they hold.
 */
export const rollbackTurn: Rule = ({ facts, node, claimed }) => {
  const others = facts.members.filter((member) => member.node.name !== node.name);
  const stuck = others.find(isStuck);
  if (stuck !== undefined)
    return {
      reason: 'RollbackFailed',
      message: `waits to be taken back: ${stuck.node.name} could not be; look at it first, or uncordon it (kubectl uncordon ${stuck.node.name})`,
    };
  const under = others.some((member) => isGoingBack(facts, member) || (claimed.has(member.node.name) && isToGoBack(member)));
  if (under) return { reason: 'CapacityReached', message: 'waits to be taken back: one node at a time, and another one is under way' };
  const taken = [...unavailableOthers(facts, node), ...[...claimed].filter((name) => !facts.unavailable.has(name))];
  if (facts.limit > taken.length || (facts.unavailable.has(node.name) && !node.ready.status)) return pass;
  return {
    reason: 'CapacityReached',
    message: `waits to be taken back: ${facts.limit} of ${facts.members.length} nodes may be unavailable at once, besides those that failed${alsoLost(facts)}`,
  };
};

/** The unavailable nodes besides one that is taken back, without those that failed in its rollout. */
export function unavailableOthers({ rollouts, members, unavailable }: Facts, { name, os }: NodeView): string[] {
  // A later rollout, to what is wanted instead, carries the failures along.
  const failed = new Set(
    rollouts
      .filter((rollout) => os !== undefined && isOf(rollout, os))
      .flatMap((rollout) => rollout.failed.filter(({ target }) => target === os?.version).map(({ hostID }) => hostID)),
  );
  return members
    .filter(({ node }) => node.name !== name && unavailable.has(node.name) && !failed.has(node.hostID))
    .map(({ node }) => node.name);
}

const isToGoBack = ({ target }: Member): boolean => target.version !== undefined && target.rollsBack === true;

const isFailed = ({ status }: Member): boolean => status.phase === 'Failed';

/** It was to be taken back with its rollout, and that failed: going on could cost every node. */
const isStuck = (member: Member): boolean =>
  typeof member.node.record === 'object' && member.node.record.rollsBack === true && isFailed(member);

function isGoingBack({ view }: Facts, member: Member): boolean {
  const { record } = member.node;
  if (typeof record === 'object') return !isFailed(member) && (record.rollsBack === true || record.rollback !== undefined);
  return isToGoBack(member) && claimOn(view, member.node) !== undefined;
}

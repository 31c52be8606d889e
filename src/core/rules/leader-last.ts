import { pass, type Rule } from './rule.ts';

/** Holds the leader's own node until all others are done, and then until another replica leads, where there is one. */
export const leaderLast: Rule = ({ world, node, othersPending }) => {
  if (world.self?.node !== node.name) return pass;
  if (othersPending) return { reason: 'LeaderLast', message: "waits for the policy's other nodes: the controller runs on this one" };
  return world.standby ? { reason: 'HandingOver', message: 'waits for another controller replica to take over' } : pass;
};

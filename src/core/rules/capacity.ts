import { pass, type Rule } from './rule.ts';

/** Holds a node while as many nodes as the policy allows are unavailable; one that is not Ready anyway takes no further slot. */
export const capacity: Rule = ({ facts, node, claimed }) => {
  if (facts.unavailable.has(node.name) && !node.ready.status) return pass;
  const begun = [...claimed].filter((name) => !facts.unavailable.has(name)).length;
  if (facts.unavailable.size + begun < facts.limit) return pass;
  return {
    reason: 'CapacityReached',
    message: `waits for its turn: ${facts.limit} of ${facts.members.length} nodes may be unavailable at once`,
  };
};

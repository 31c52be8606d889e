import type { Rule } from './rule.ts';

/** Holds every node of a policy of which too many nodes have failed, until a person has looked. */
export const failureBudget: Rule = ({ facts }) => facts.halt;

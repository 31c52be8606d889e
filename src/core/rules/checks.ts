import type { Rule } from './rule.ts';

/** Holds a node whose turn it is while a check of its policy fails, or has not been looked at since. */
export const checks: Rule = ({ facts }) => facts.checks;

import { pass, type Rule } from './rule.ts';

/** Holds a node that somebody else has cordoned: it is theirs, and it stays cordoned. */
export const cordonedByOther: Rule = ({ node }) =>
  node.unschedulable ? { reason: 'CordonedByOther', message: 'waits for whoever cordoned the node to uncordon it' } : pass;

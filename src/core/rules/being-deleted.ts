import { pass, type Rule } from './rule.ts';

/** Holds a node that is on its way out of the cluster. */
export const beingDeleted: Rule = ({ node }) =>
  node.deleting ? { reason: 'BeingDeleted', message: 'the node is being deleted: a new one comes with a new image' } : pass;

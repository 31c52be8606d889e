import { pass, type Rule } from './rule.ts';

/** Holds a node on which no agent could carry out an order. */
export const agentPresent: Rule = ({ node }) =>
  node.agent === 'missing' ? { reason: 'AgentMissing', message: 'waits for a Ready agent pod on the node' } : pass;

import { pass, type Rule } from './rule.ts';

/** Holds a node that is paused, or whose policy is. */
export const paused: Rule = ({ facts, member }) => {
  if (member.byHand.paused) return { reason: 'Paused', message: 'the node is paused' };
  return facts.paused ? { reason: 'Paused', message: `policy ${facts.view.name} is paused` } : pass;
};

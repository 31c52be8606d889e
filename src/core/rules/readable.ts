import { pass, type Rule } from './rule.ts';

/** Holds a node whose policy, or whose own annotations, cannot be read: what people meant is not guessed. */
export const readable: Rule = ({ facts, member }) => {
  if (facts.problems.length > 0)
    return { reason: 'PolicyNotReady', message: `policy ${facts.view.name} counts as closed: ${facts.problems.join('; ')}` };
  if (member.byHand.problems.length > 0) return { reason: 'InvalidAnnotation', message: member.byHand.problems.join('; ') };
  return pass;
};

import type { Verdict } from '../command.ts';
import type { Facts, Member } from '../facts.ts';
import type { Rule } from './rule.ts';

/** Holds a node whose policy, or whose own annotations, cannot be read: what people meant is not guessed. */
export const readable: Rule = ({ facts, member }) => unreadable(facts, member);

/** What cannot be read of a node's policy or of its own annotations. */
export function unreadable(facts: Pick<Facts, 'problems' | 'view'>, { byHand }: Pick<Member, 'byHand'>): Verdict | undefined {
  if (facts.problems.length > 0)
    return { reason: 'PolicyNotReady', message: `policy ${facts.view.name} counts as closed: ${facts.problems.join('; ')}` };
  if (byHand.problems.length > 0) return { reason: 'InvalidAnnotation', message: byHand.problems.join('; ') };
  return undefined;
}

import { isUrgent } from '../by-hand.ts';
import type { Verdict } from '../command.ts';
import type { Facts, Member } from '../facts.ts';
import type { Turn } from '../turn.ts';
import type { Instant, NodeView, World } from '../world.ts';

/** What a rule looks at: one node that could be begun, its policy, and what this decision has begun already. */
export interface Candidate {
  world: World;
  facts: Facts;
  node: NodeView;
  member: Member;
  /** The version that the node would be brought to. */
  version: string;
  /** It would reboot into the version that it runs: no version is waited for. */
  reboot?: boolean;
  /** How far the rollout of that version has come; absent for a node of its own pin, and while nothing is staged yet. */
  turn?: Turn;
  /** Names of the nodes that this decision has claimed already, or has kept a slot for until their pods have been looked at. */
  claimed: ReadonlySet<string>;
  /** Other members that are in flight, or that could still be begun before this one. */
  othersPending: boolean;
}

/** The answer of a rule that has nothing against it. */
export const pass = undefined;

/** Holds a candidate, with the one reason that people read, or passes. Pure. */
export type Rule = (candidate: Candidate, now: Instant) => Verdict | typeof pass;

/** Whether the version that a candidate would be brought to is urgent for it: what says when to begin does not hold it then. */
export const hurries = ({ facts, member, version, reboot = false }: Candidate): boolean =>
  !reboot && isUrgent(version, member.byHand, facts.byHand);

/** The first rule's verdict that holds a candidate, or pass. */
export function firstHold(rules: readonly Rule[], candidate: Candidate, now: Instant): Verdict | typeof pass {
  for (const rule of rules) {
    const verdict = rule(candidate, now);
    if (verdict !== pass) return verdict;
  }
  return pass;
}

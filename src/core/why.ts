import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Verdict } from './command.ts';
import { decide } from './decide.ts';
import { lastRules, RULES, rollbackRules, turnRules } from './rules/index.ts';
import type { Candidate, Rule } from './rules/rule.ts';
import type { Instant, World } from './world.ts';

/** A rule that a node was put to, and what it said. */
export interface AskedRule {
  /** What it looks for, as in `src/core/rules/`. */
  rule: string;
  /** What must be so for the node to be begun. */
  wants: string;
  /** Absent where it has nothing against the node. */
  hold?: Verdict;
}

/** Why a node is where it is. */
export interface Why {
  /** What the decision makes of the node; absent where it has nothing to say of it. */
  status?: NodeUpdateStatus;
  /** For which version, and in what order, its rules were asked; empty where none is asked: it is in flight, or has nothing to do. */
  asked: readonly AskedRule[];
  version?: string;
}

/**
 * Decides as the controller does, and says of one node what each of its rules has to say at that very moment, also those that come after
 * the first that holds it: that one's is the reason shown. Pure.
 */
export function whyNode(world: World, name: string, now: Instant): Why {
  let why: Pick<Why, 'asked' | 'version'> = { asked: [] };
  const decision = decide(world, now, (rules, candidate) => {
    if (candidate.node.name !== name || rules === lastRules || rules === rollbackRules.last) return;
    why = { asked: withLast(rules).map((rule) => told(rule, candidate, now)), version: candidate.version };
  });
  const status = decision.nodes.find(({ node }) => node === name)?.status;
  return { ...(status !== undefined && { status }), ...why };
}

/** What is asked once the others pass is told of as well. */
const withLast = (rules: readonly Rule[]): readonly Rule[] =>
  rules === turnRules ? [...rules, ...lastRules] : rules === rollbackRules.turn ? [...rules, ...rollbackRules.last] : rules;

function told(rule: Rule, candidate: Candidate, now: Instant): AskedRule {
  const hold = rule(candidate, now);
  const { name, wants } = RULES.get(rule) ?? { name: rule.name, wants: '' };
  return { rule: name, wants, ...(hold !== undefined && { hold }) };
}

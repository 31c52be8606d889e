import { agentPresent } from './agent-present.ts';
import { approval } from './approval.ts';
import { beingDeleted } from './being-deleted.ts';
import { capacity } from './capacity.ts';
import { checks } from './checks.ts';
import { cordonedByOther } from './cordoned-by-other.ts';
import { exclusion } from './exclusion.ts';
import { failureBudget } from './failure-budget.ts';
import { group } from './group.ts';
import { guarded } from './guarded.ts';
import { knownBad } from './known-bad.ts';
import { leaderLast } from './leader-last.ts';
import { managedByOther } from './managed-by-other.ts';
import { paused } from './paused.ts';
import { preflight } from './preflight.ts';
import { readable } from './readable.ts';
import { rollbackTurn } from './rollback-turn.ts';
import type { Rule } from './rule.ts';
import { stagingWindow } from './staging-window.ts';
import { window } from './window.ts';
import { zone } from './zone.ts';

/** What must not hold for anything to begin. */
const both: readonly Rule[] = [guarded, readable, paused, managedByOther, beingDeleted, agentPresent];

/** What must not hold for a download to begin, in this order. */
export const stageRules: readonly Rule[] = [...both, knownBad, stagingWindow];

/** What must not hold for it to be a staged node's turn, in this order. */
export const turnRules: readonly Rule[] = [
  ...both,
  knownBad,
  cordonedByOther,
  approval,
  exclusion,
  window,
  failureBudget,
  group,
  zone,
  leaderLast,
  capacity,
];

/** What must not hold, besides, for a node to be claimed whose turn it is: these look at more than what is watched anyway. */
export const lastRules: readonly Rule[] = [checks, preflight];

/**
 * The same for a node whose rollout is taken back: neither window, approval nor failure budget holds it, nor a turn of group or zone;
 * nor a check, which may fail because of that very release.
 */
export const rollbackRules = {
  stage: both,
  turn: [...both, cordonedByOther, leaderLast, rollbackTurn],
  last: [preflight],
} as const satisfies Record<string, readonly Rule[]>;

/** What may hold one node whatever its policy and the others do: it holds up no group and no zone. */
export const ownRules: readonly Rule[] = [managedByOther, beingDeleted, agentPresent, cordonedByOther];

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
import { hostReachable } from './host-reachable.ts';
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
const both: readonly Rule[] = [guarded, readable, paused, managedByOther, beingDeleted, agentPresent, hostReachable];

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
export const ownRules: readonly Rule[] = [managedByOther, beingDeleted, agentPresent, hostReachable, cordonedByOther];

/** Each rule's name, and what it wants, for people. */
export const RULES: ReadonlyMap<Rule, { name: string; wants: string }> = new Map([
  [guarded, { name: 'guarded', wants: 'an admission policy limits the agents' }],
  [readable, { name: 'readable', wants: 'spec and annotations can be read' }],
  [paused, { name: 'paused', wants: 'neither the node nor its policy is paused' }],
  [managedByOther, { name: 'managed-by-other', wants: "the OS's existing operator is not on the node" }],
  [beingDeleted, { name: 'being-deleted', wants: 'nobody is deleting the node' }],
  [agentPresent, { name: 'agent-present', wants: 'an agent answers there' }],
  [hostReachable, { name: 'host-reachable', wants: 'the agent reaches its host' }],
  [knownBad, { name: 'known-bad', wants: 'the version is not marked bad' }],
  [stagingWindow, { name: 'staging-window', wants: 'a download may begin now' }],
  [cordonedByOther, { name: 'cordoned-by-other', wants: 'nobody else has cordoned the node' }],
  [approval, { name: 'approval', wants: 'the version is approved, or needs no approval' }],
  [exclusion, { name: 'exclusion', wants: 'no exclusion is in force' }],
  [window, { name: 'window', wants: 'a window is open' }],
  [failureBudget, { name: 'failure-budget', wants: 'the rollout is not halted' }],
  [group, { name: 'group', wants: "it is its group's turn" }],
  [zone, { name: 'zone', wants: "it is its zone's turn" }],
  [leaderLast, { name: 'leader-last', wants: 'it is not the node of the leading controller, or the last' }],
  [capacity, { name: 'capacity', wants: 'a slot is free (maxUnavailable)' }],
  [rollbackTurn, { name: 'rollback-turn', wants: 'no other node is being taken back' }],
  [checks, { name: 'checks', wants: "the policy's checks hold" }],
  [preflight, { name: 'preflight', wants: 'its pods may be evicted' }],
]);

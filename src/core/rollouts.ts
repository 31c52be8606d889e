import type { Rollout } from '../api/update-policy.ts';
import { countOf } from './budget.ts';
import { isOf, type Releases, variantsOf } from './releases.ts';
import { failureOf, hasMemory } from './status.ts';
import { compareVersions, inRange } from './versions.ts';
import { type Instant, type NodeOS, type NodeView, type PolicyView, timestamp } from './world.ts';

const MAX_ROLLOUTS = 64;
const MAX_FAILED = 256;

/** What a rollout's target is chosen by, besides the policy's spec. */
export interface RolloutInput {
  policy: PolicyView;
  /** The policy's own nodes. */
  members: readonly NodeView[];
  /** What all nodes report of releases. */
  releases: Releases;
  pin: string | undefined;
  approved: string | undefined;
  /** The version that the policy's annotation wants now. */
  urgent: string | undefined;
  /** Whether a person has looked at the failures of a rollout: they count no longer. */
  resumed: (rollout: Rollout) => boolean;
  /** Machines (host IDs) whose `retry` token is new: what failed on them is forgotten. */
  retried: ReadonlySet<string>;
}

/**
 * The rollouts of a policy as they are now: one for each variant and architecture that has a target, and those of which a failure
 * is remembered, whatever has become of their target and their nodes.
 */
export function rolloutsOf(input: RolloutInput, now: Instant): Rollout[] {
  const known = (input.policy.status.rollouts ?? []).map((rollout) => count(input, rollout));
  const halted = isHalted(input.policy, known, input.members.length);
  const rollouts = known.filter(({ failed }) => failed.length > 0);
  for (const os of variantsOf(input.members)) {
    const previous = known.find((rollout) => isOf(rollout, os));
    const target = chooseTarget(input, os, previous);
    if (target === undefined) continue;
    const rollout = previous?.target === target ? previous : count(input, begin(os, target, previous, halted, now));
    const index = rollouts.findIndex((other) => isOf(other, os));
    rollouts.splice(index === -1 ? rollouts.length : index, 1, rollout);
  }
  return rollouts.slice(0, MAX_ROLLOUTS);
}

/** Whether a policy wants a version now: its pin, else what lies in its range. A rollout of another is only remembered. */
export const isWanted = (policy: PolicyView, pin: string | undefined, version: string): boolean =>
  pin === undefined ? inRange(version, policy.spec.version.range) : version === pin;

/** Failures that count against the budget: those that no person has looked at since. */
export const countedFailures = (rollouts: readonly Rollout[]) =>
  rollouts.flatMap((rollout) => rollout.failed.filter((failure) => failure.resumed !== true));

/** Whether a policy's failures have used up its budget. */
export function isHalted(policy: PolicyView, rollouts: readonly Rollout[], members: number): boolean {
  return countedFailures(rollouts).length >= countOf(policy.spec.rollout.failureBudget, members);
}

function chooseTarget(input: RolloutInput, os: NodeOS, previous: Rollout | undefined): string | undefined {
  const { policy, members, releases, pin, approved } = input;
  if (pin !== undefined) return releases.seen(os).has(pin) || previous?.target === pin ? pin : undefined;
  const hurried = urgentTarget(input, os, previous);
  if (hurried !== undefined) return hurried;
  const best = releases.wanted(os);
  const current = previous !== undefined && isWanted(policy, pin, previous.target) ? previous.target : undefined;
  if (best === undefined || current === undefined) return best ?? current;
  if (compareVersions(best, current) <= 0) return current;
  const finished = members.every((node) => node.os === undefined || !isOf(os, node.os) || node.os.version === current);
  const held = policy.spec.approval === 'Manual' && approved === current && !finished;
  return held ? current : best;
}

/**
 * The urgent version, as long as a node of the variant still needs it: however young it is and whatever else is wanted by now, but
 * never in place of a newer one that is being brought to nodes already.
 */
function urgentTarget({ policy, urgent, members, releases }: RolloutInput, os: NodeOS, previous: Rollout | undefined): string | undefined {
  if (urgent === undefined || !isWanted(policy, undefined, urgent) || !members.some((node) => needs(node, os, urgent))) return undefined;
  if (policy.status.badReleases?.some((bad) => bad.version === urgent && isOf(bad, os))) return undefined;
  if (previous === undefined || !isWanted(policy, undefined, previous.target)) return releases.seen(os).has(urgent) ? urgent : undefined;
  const order = compareVersions(urgent, previous.target);
  return order === 0 || (order > 0 && releases.seen(os).has(urgent)) ? urgent : undefined;
}

const needs = (node: NodeView, os: NodeOS, version: string): boolean =>
  node.os !== undefined &&
  isOf(os, node.os) &&
  compareVersions(node.os.version, version) < 0 &&
  failureOf(node.update?.status, version) === undefined;

/** A halt outlives what it halted: its failures go along into the next rollout. */
function begin(os: NodeOS, target: string, previous: Rollout | undefined, halted: boolean, now: Instant): Rollout {
  return {
    id: `${os.variant}-${os.arch}-${target}-${now.toString(36)}`,
    variant: os.variant,
    arch: os.arch,
    target,
    startedAt: timestamp(now),
    updated: 0,
    failed: (halted ? previous?.failed : undefined)?.filter(({ resumed }) => resumed !== true) ?? [],
  };
}

function count({ members, resumed: isResumed, retried }: RolloutInput, rollout: Rollout): Rollout {
  const resumed = isResumed(rollout);
  const peers = members.filter((node) => node.os !== undefined && isOf(rollout, node.os));
  const byHost = new Map(peers.map((node) => [node.hostID, node]));
  const failed = new Map<string, Rollout['failed'][number]>();
  for (const failure of rollout.failed) {
    if (retried.has(failure.hostID)) continue;
    const node = byHost.get(failure.hostID);
    const known = node?.update?.status.failures?.some(({ target }) => target === failure.target);
    // A node that has memory, and not of this failure, was retried or has succeeded.
    const kept = node === undefined || known === true || !hasMemory(node.update?.status);
    if (kept) failed.set(key(failure), resumed ? { ...failure, resumed: true } : failure);
  }
  for (const node of peers) {
    if (retried.has(node.hostID)) continue;
    for (const { target, reason, at, rebooted } of node.update?.status.failures ?? []) {
      if (target !== rollout.target) continue;
      const failure = { node: node.name, hostID: node.hostID, target, reason, at, ...(rebooted && { rebooted }) };
      if (!failed.has(key(failure))) failed.set(key(failure), resumed ? { ...failure, resumed: true } : failure);
    }
  }
  return {
    ...rollout,
    updated: peers.filter((node) => node.os?.version === rollout.target).length,
    failed: [...failed.values()].slice(-MAX_FAILED),
  };
}

const key = (failure: { hostID: string; target: string }): string => `${failure.hostID} ${failure.target}`;

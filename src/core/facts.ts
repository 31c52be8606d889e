import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { BadRelease, Group, Rollout } from '../api/update-policy.ts';
import { claimOn } from './assign.ts';
import { badReleasesOf, isBad, isCleared, rollbackTarget } from './bad-releases.ts';
import { unavailableLimit } from './budget.ts';
import { type ByHand, isRetried, mergeByHand, type RebootTokens, readByHand, tokensOf } from './by-hand.ts';
import { rebootDue } from './by-hand-reboot.ts';
import { checkProblems, checksHold } from './checks.ts';
import type { Verdict } from './command.ts';
import { notAllowed } from './flight/hooks.ts';
import { haltVerdict } from './halt.ts';
import { isOf, type Releases, releasesOf, reports } from './releases.ts';
import { isHalted, isWanted, rolloutsOf } from './rollouts.ts';
import { readSchedule, type ScheduleState } from './schedule.ts';
import { matches } from './selector.ts';
import { hasMemory, soakOf } from './status.ts';
import { type Target, targetOf } from './target.ts';
import { isRange } from './versions.ts';
import type { Instant, NodeView, PolicyView, World } from './world.ts';

/** What is true of one policy during one decision; computed once, used by every rule. */
export interface Facts {
  view: PolicyView;
  byHand: ByHand;
  members: readonly Member[];
  rollouts: readonly Rollout[];
  releases: Releases;
  /** Releases that no node is brought to. */
  badReleases: readonly BadRelease[];
  /** Why the policy counts as closed: what of its spec or annotations cannot be read. */
  problems: readonly string[];
  paused: boolean;
  /** Whether nodes may be begun as far as the policy's schedule goes. */
  schedule: ScheduleState;
  /** Why no node may be begun, where failures have used up the policy's budget. */
  halt: Verdict | undefined;
  /** Why no node may be begun and no group finish its soak as far as the policy's checks go. */
  checks: Verdict | undefined;
  limit: number;
  /** The node that this controller runs on. */
  ownNode: string | undefined;
  /** A `skip` token on the policy was not acted upon yet. */
  skipped: boolean;
  /** Names of members that are unavailable: cordoned by anyone, not Ready, in flight, claimed or soaking. */
  unavailable: ReadonlySet<string>;
  /** Members that are unavailable and not by us, with why: those that wait for a slot name them. */
  lost: readonly string[];
  /** Of each group: names of its members. */
  groups: readonly ReadonlySet<string>[];
}

/** A node of a policy with what was asked of it by hand. */
export interface Member {
  node: NodeView;
  /**
   * Its persisted status; where that remembers nothing, with what the policy remembers of the machine. Out of flight a new `retry`
   * has been acted upon in it.
   */
  status: NodeUpdateStatus;
  byHand: ByHand;
  /** A `retry` token, on the node or its policy, that was not acted upon yet. */
  retried: boolean;
  /** The `reboot` tokens, of the node and its policy, where one was not acted upon yet. */
  reboot?: RebootTokens;
  target: Target;
  /** Index of the first group that it belongs to; as many as there are groups where it is in none. */
  group: number;
}

/** Gathers what the rules need to know of a policy. */
export function factsOf(view: PolicyView, nodes: readonly NodeView[], world: World, now: Instant): Facts {
  const byHand = readByHand(view.annotations);
  const seen = nodes.map((node) => {
    const asked = mergeByHand(readByHand(node.annotations), readByHand(node.update?.annotations ?? {}));
    const { due, status: before } = rebootDue(view, node, remembered(view, node), asked, byHand);
    const retried = isRetried(before, asked, byHand);
    const status = retried && node.record === undefined ? forgiven(before, tokensOf(before, asked, byHand)) : before;
    return { node, status, byHand: asked, retried, ...(due && { reboot: due }) };
  });
  const pin = byHand.pin ?? view.spec.version.pin;
  const reporters = world.nodes.filter((node) => reports(world.policies, node));
  const releases = releasesOf(view, nodes, reporters, now);
  const cleared = isCleared(view, byHand);
  const resumed = byHand.resume !== undefined && byHand.resume !== view.status.tokens?.resume;
  const rollouts = rolloutsOf(
    {
      policy: view,
      members: nodes,
      releases,
      pin,
      approved: byHand.approved,
      urgent: byHand.urgent,
      resumed: (rollout) => resumed || (cleared && isBad(view.status.badReleases ?? [], rollout)),
      retried: new Set(seen.filter(({ retried }) => retried).map(({ node }) => node.hostID)),
    },
    now,
  );
  const badReleases = badReleasesOf(view, rollouts, { members: nodes.length, cleared }, now);
  const schedule = readSchedule(view.spec.schedule);
  const problems = [...byHand.problems, ...schedule.problems];
  if (!isRange(view.spec.version.range)) problems.push(`spec.version.range ${JSON.stringify(view.spec.version.range)} is no semver range`);
  for (const namespace of new Set(view.spec.hooks.map(({ cronJob }) => cronJob.namespace)))
    if (!world.hookNamespaces.includes(namespace)) problems.push(`spec.hooks: ${notAllowed(namespace, world.hookNamespaces)}`);
  problems.push(...checkProblems(view.spec.checks, world.prometheusHosts));
  const { groups } = view.spec.rollout;
  const members = seen.map((member) => ({
    ...member,
    target: rollbackTarget(view, member, { rollouts, badReleases }) ?? memberTarget(view, member, { rollouts, releases }, pin),
    group: groupOf(groups, member.node),
  }));
  return {
    view,
    byHand,
    members,
    rollouts,
    releases,
    badReleases,
    problems,
    paused: view.spec.paused || byHand.paused,
    schedule: schedule.stateAt(now),
    halt: isHalted(view, rollouts, nodes.length) ? haltVerdict(view, rollouts, badReleases) : undefined,
    checks: checksHold(view, world.checks, now),
    limit: unavailableLimit(view.spec.rollout.maxUnavailable, nodes.length),
    ownNode: world.self?.node,
    skipped: byHand.skip !== undefined && byHand.skip !== view.status.tokens?.skip,
    groups: groups.map((_, index) => new Set(members.filter(({ group }) => group === index).map(({ node }) => node.name))),
    lost: nodes.flatMap((node) => whyLost(view, node) ?? []),
    unavailable: new Set(nodes.filter((node) => isUnavailable(view, node, now)).map(({ name }) => name)),
  };
}

function groupOf(groups: readonly Group[], node: NodeView): number {
  const index = groups.findIndex(({ nodeSelector }) => matches(nodeSelector, node.labels));
  return index === -1 ? groups.length : index;
}

function remembered(policy: PolicyView, { update, hostID, bootID, ready, record }: NodeView): NodeUpdateStatus {
  const { rollouts = [], tokens } = policy.status;
  if (update !== undefined && hasMemory(update.status)) {
    const { status } = update;
    // What a policy was asked before it had the node is not meant for that.
    const moved = status.policy !== policy.name && record === undefined;
    return moved && tokens?.retry !== undefined ? { ...status, tokens: { ...status.tokens, policyRetry: tokens.retry } } : status;
  }
  const failures = rollouts
    .flatMap(({ failed }) => failed)
    .filter((failure) => failure.hostID === hostID)
    .map(({ target, at, reason, rebooted }) => ({
      target,
      at,
      reason,
      bootID,
      readySince: ready.since,
      ...(rebooted && { rebooted }),
    }));
  return {
    ...(failures.length > 0 && { failures }),
    ...(tokens?.retry !== undefined && { tokens: { policyRetry: tokens.retry } }),
  };
}

function forgiven(status: NodeUpdateStatus, tokens: NodeUpdateStatus['tokens']): NodeUpdateStatus {
  const { attempts: _attempts, retryAt: _retryAt, failures: _failures, ...kept } = status;
  return { ...kept, ...(tokens && { tokens }) };
}

function memberTarget(
  view: PolicyView,
  { node, byHand }: { node: NodeView; byHand: ByHand },
  { rollouts, releases }: Pick<Facts, 'rollouts' | 'releases'>,
  pin: string | undefined,
): Target {
  const { os } = node;
  if (os === undefined) return { verdict: { reason: 'NoPolicy', message: 'the node no longer runs Bottlerocket' } };
  return targetOf(
    view,
    rollouts.find((rollout) => isOf(rollout, os) && isWanted(view, pin, rollout.target)),
    os,
    byHand,
    pin,
    releases.tooYoung(os),
  );
}

function whyLost(policy: PolicyView, node: NodeView): string | undefined {
  if (node.ready.status && !node.unschedulable) return undefined;
  if (node.record !== undefined || claimOn(policy, node) !== undefined) return undefined;
  return node.unschedulable ? `${node.name} (cordoned by somebody else)` : `${node.name} (not ready)`;
}

function isUnavailable(policy: PolicyView, node: NodeView, now: Instant): boolean {
  if (node.update !== undefined && soakOf(node.update.status, now) !== undefined) return true;
  return node.unschedulable || !node.ready.status || node.record !== undefined || claimOn(policy, node) !== undefined;
}

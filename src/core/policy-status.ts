import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Condition } from '../api/primitives.ts';
import type { Claim, Counts, UpdatePolicyStatus } from '../api/update-policy.ts';
import { clearCommand, isBad } from './bad-releases.ts';
import { conditionOf, NODE_CONDITIONS } from './conditions.ts';
import type { Facts } from './facts.ts';
import { progressOf, summaryOf } from './progress.ts';
import { whyClosed } from './rules/window.ts';
import { inZone } from './schedule.ts';
import { LONGEST_TEXT, shortened } from './shortened.ts';
import { isCurrent } from './target.ts';
import { urgencyOf } from './urgent.ts';
import { type Instant, timestamp } from './world.ts';

/** What a policy's status tells of, besides its nodes' statuses. */
type Told = Facts & {
  /** Nodes that it selects and other policies have, by the name of these. */
  taken: ReadonlyMap<string, readonly string[]>;
};

/** A policy's status: the lock, the rollouts, the counts, and the conditions that a person or a GitOps tool reads. */
export function policyStatus(
  facts: Told,
  claims: readonly Claim[],
  statuses: ReadonlyMap<string, NodeUpdateStatus>,
  now: Instant,
): UpdatePolicyStatus {
  const { view, byHand, rollouts } = facts;
  const counts = countsOf(facts, statuses);
  const tokens = {
    ...view.status.tokens,
    ...(byHand.retry !== undefined && { retry: byHand.retry }),
    ...(byHand.resume !== undefined && { resume: byHand.resume }),
    ...(byHand.skip !== undefined && { skip: byHand.skip }),
    ...(byHand.clearBadRelease !== undefined && { clearBadRelease: byHand.clearBadRelease }),
    ...(byHand.reboot !== undefined && { reboot: byHand.reboot }),
  };
  return {
    observedGeneration: view.generation,
    summary: shortened(summaryOf(counts, rollouts), LONGEST_TEXT),
    counts,
    window: windowOf(facts),
    ...(facts.releases.known.length > 0 && { releases: [...facts.releases.known] }),
    ...(facts.badReleases.length > 0 && { badReleases: [...facts.badReleases] }),
    claims: [...claims],
    rollouts: [...rollouts],
    ...(Object.keys(tokens).length > 0 && { tokens }),
    conditions: conditionsOf(facts, counts, statuses, now),
  };
}

function countsOf({ members, unavailable }: Facts, statuses: ReadonlyMap<string, NodeUpdateStatus>): Counts {
  const counts: Counts = {
    nodes: members.length,
    updated: 0,
    outdated: 0,
    staging: 0,
    staged: 0,
    inFlight: 0,
    blocked: 0,
    failed: 0,
    unavailable: unavailable.size,
    overdue: 0,
  };
  for (const { node, reboot, target } of members) {
    const status = statuses.get(node.name);
    if (conditionOf(status, NODE_CONDITIONS.overdue) !== undefined) counts.overdue += 1;
    const current = target.version === undefined && isCurrent(target.verdict);
    if (status !== undefined && (isCurrent(status) || (reboot !== undefined && current))) counts.updated += 1;
    else if (status?.target !== undefined && status.target !== status.from) counts.outdated += 1;
    switch (status?.phase) {
      case 'Staging':
        counts.staging += 1;
        break;
      case 'Staged':
        // A claim is written with this very status, and the next one may be a while.
        if (status.reason === 'Claimed') counts.inFlight += 1;
        else counts.staged += 1;
        break;
      case 'Draining':
      case 'Rebooting':
      case 'Verifying':
      case 'RollingBack':
      case 'Uncordoning':
      case 'Soaking':
        counts.inFlight += 1;
        break;
      case 'Blocked':
        counts.blocked += 1;
        break;
      case 'RolledBack':
      case 'Failed':
        counts.failed += 1;
        break;
      case 'Idle':
      case undefined:
        break;
    }
  }
  return counts;
}

function windowOf({ schedule: { open, nextChange } }: Facts): UpdatePolicyStatus['window'] {
  return { open, ...(nextChange && { nextChange: timestamp(nextChange.at) }) };
}

/** Which nodes a policy does not have although it selects them, and who has them. */
function overlapOf(taken: Told['taken']): string {
  if (taken.size === 0) return 'no other policy has a node that it selects';
  const whose = [...taken].map(([policy, nodes]) => `${policy} has ${listed(nodes)}`);
  return `other policies select the same nodes and go before it, by spec.priority, then by name, or because they have begun them: ${whose.slice(0, MAX_LISTED).join('; ')}`;
}

/** Why the schedule is open or closed, and until when, in its own zone and in UTC. */
function whyOpen({ schedule, view }: Facts): { reason: string; message: string } {
  const hold = whyClosed({ schedule });
  if (hold !== undefined) return hold;
  if (view.spec.schedule?.windows === undefined && schedule.nextChange === undefined)
    return { reason: 'AlwaysOpen', message: 'nodes may be begun at any time' };
  const { nextChange } = schedule;
  return {
    reason: 'Open',
    message: nextChange === undefined ? 'open, and does not close soon' : `open; closes at ${inZone(nextChange)}`,
  };
}

/** The nodes whose status carries a condition that is there only while there is something to say. */
const carriers = ({ members }: Facts, statuses: ReadonlyMap<string, NodeUpdateStatus>, type: string): string[] =>
  members.map(({ node }) => node.name).filter((name) => conditionOf(statuses.get(name), type) !== undefined);

const MAX_LISTED = 10;

const listed = (names: readonly string[]): string =>
  names.length > MAX_LISTED ? `${names.slice(0, MAX_LISTED).join(', ')} and ${names.length - MAX_LISTED} more` : names.join(', ');

function conditionsOf(facts: Told, counts: Counts, statuses: ReadonlyMap<string, NodeUpdateStatus>, now: Instant): Condition[] {
  const { view, problems, paused, halt, badReleases, rollouts } = facts;
  const failedWith = `nodes failed with it: ${listed(rollouts.filter((rollout) => isBad(badReleases, rollout)).flatMap(({ failed }) => failed.map(({ node }) => node)))}`;
  const set = (type: string, holds: boolean, reason: string, message: string): Condition => {
    const status = holds ? 'True' : 'False';
    const before = view.status.conditions?.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : timestamp(now);
    return { type, status, reason, message: shortened(message, LONGEST_TEXT), lastTransitionTime, observedGeneration: view.generation };
  };
  const progress = progressOf(facts, counts, statuses);
  const window = whyOpen(facts);
  const urgency = urgencyOf(facts);
  const overdue = carriers(facts, statuses, NODE_CONDITIONS.overdue);
  const tooOld = carriers(facts, statuses, NODE_CONDITIONS.kubernetesSupported);
  return [
    set(
      'Ready',
      problems.length === 0,
      problems.length === 0 ? 'Accepted' : 'PolicyNotReady',
      problems.join('; ') || 'the spec is valid and observed',
    ),
    set('Progressing', progress.holds, progress.reason, progress.message),
    set('Paused', paused, paused ? 'Paused' : 'NotPaused', paused ? 'no node is begun; what is in flight finishes' : 'not paused'),
    set('WindowOpen', facts.schedule.open, window.reason, window.message),
    set(
      'Overdue',
      overdue.length > 0,
      overdue.length > 0 ? 'PatchDeadlineExceeded' : 'WithinPatchDeadline',
      overdue.length > 0 ? `behind for longer than ${view.spec.patchDeadline}: ${listed(overdue)}` : 'no node is overdue',
    ),
    set(
      'KubernetesSupported',
      tooOld.length === 0,
      tooOld.length === 0 ? 'WithinVersionSkew' : 'KubernetesTooOld',
      tooOld.length === 0
        ? 'no node is of a Kubernetes that is too old for the control plane'
        : `no update of the OS mends that these nodes are of a Kubernetes too old for the control plane, they must be replaced: ${listed(tooOld)}`,
    ),
    set('Overlapped', facts.taken.size > 0, facts.taken.size > 0 ? 'OtherPolicyHasNodes' : 'NoOverlap', overlapOf(facts.taken)),
    set('Urgent', urgency.holds, urgency.reason, urgency.message),
    set(
      'BadRelease',
      badReleases.length > 0,
      badReleases.length > 0 ? 'MarkedBad' : 'NoneMarkedBad',
      badReleases.length > 0
        ? `no node is brought to ${listed(badReleases.map(({ version, variant, arch }) => `${version} (${variant}, ${arch})`))}: ${failedWith}; to try it again: ${clearCommand(view.name)}`
        : 'no release is marked bad',
    ),
    set(
      'Halted',
      halt !== undefined,
      halt === undefined ? 'WithinFailureBudget' : 'FailureBudgetReached',
      halt?.message ?? 'the failure budget is not used up',
    ),
  ];
}

import type { Rollout as RolloutStatus } from '../../api/update-policy.ts';
import { withVerbs } from '../../cli/plugin-hints.ts';
import { type ByHand as Asked, readByHand } from '../../core/by-hand.ts';
import type { PolicyView } from '../../core/world.ts';
import type { ByHand, PolicyRow, Rollout, Upcoming } from '../wire.ts';
import { compact, compactOrNothing } from './compact.ts';
import { instantOf } from './node-row.ts';

/** What the page shows of a policy; `upcoming` is what is to happen to it and its nodes. */
export function policyRow({ name, uid, generation, annotations, spec, status }: PolicyView, upcoming: readonly Upcoming[]): PolicyRow {
  const { window, releases = [], badReleases = [], rollouts = [], claims = [] } = status;
  return compact<PolicyRow>({
    name,
    uid,
    summary: status.summary,
    unseen: status.observedGeneration !== generation || undefined,
    conditions: (status.conditions ?? []).map(({ type, status: is, reason, message, lastTransitionTime }) => ({
      type,
      status: is,
      reason,
      message: withVerbs(message),
      since: instantOf(lastTransitionTime) ?? 0,
    })),
    counts: status.counts,
    window: window && compact({ open: window.open, nextChange: instantOf(window.nextChange) }),
    timeZone: spec.schedule?.windows?.[0]?.timeZone ?? 'UTC',
    approval: spec.approval,
    maxUnavailable: String(spec.rollout.maxUnavailable),
    zoneKey: spec.rollout.zoneKey,
    groups: some(spec.rollout.groups.map((group) => group.name)),
    rollouts: some(rollouts.map(rolloutOf)),
    releases: some(
      releases.map(({ variant, arch, version, firstSeen }) => ({ variant, arch, version, firstSeen: instantOf(firstSeen) ?? 0 })),
    ),
    badReleases: some(
      badReleases.map(({ variant, arch, version, markedAt }) => ({ variant, arch, version, markedAt: instantOf(markedAt) ?? 0 })),
    ),
    pausedBySpec: spec.paused || undefined,
    pinBySpec: spec.version.pin,
    byHand: byHandOf(readByHand(annotations), status.tokens),
    claims: some(claims.map(({ node }) => node)),
    upcoming: some(upcoming),
  });
}

const some = <T>(items: readonly T[]): readonly T[] | undefined => (items.length > 0 ? items : undefined);

function rolloutOf({ id, variant, arch, target, startedAt, updated, groups = [], zone, failed }: RolloutStatus): Rollout {
  return compact<Rollout>({
    id,
    variant,
    arch,
    target,
    startedAt: instantOf(startedAt) ?? 0,
    updated,
    groups: some(
      groups.map(({ name, state, soakUntil, nodes, updated: of }) =>
        compact({ name, state, soakUntil: instantOf(soakUntil), nodes, updated: of }),
      ),
    ),
    zone,
    failed: some(
      failed.map(({ node, target: to, reason, at, resumed }) =>
        compact({ node, target: to, reason, at: instantOf(at) ?? 0, resumed: resumed || undefined }),
      ),
    ),
  });
}

/** A policy's tokens are acted upon as a whole: each stands in its status once that has been. */
function byHandOf(asked: Asked, acted: PolicyView['status']['tokens'] = {}): ByHand | undefined {
  const { paused, pin, approved, urgent, problems } = asked;
  const pending = (
    [
      ['retry', 'retry'],
      ['reboot', 'reboot'],
      ['skip', 'skip'],
      ['resume', 'resume'],
      ['clearBadRelease', 'clear-bad-release'],
    ] as const
  ).flatMap(([token, name]) => (asked[token] !== undefined && asked[token] !== acted[token] ? [name] : []));
  return compactOrNothing<ByHand>({
    paused: paused || undefined,
    pin,
    approved,
    urgent,
    pending: some(pending),
    problems: some(problems),
  });
}

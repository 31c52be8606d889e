import { BY_HAND } from '../api/names.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { BadRelease, Rollout } from '../api/update-policy.ts';
import { countOf } from './budget.ts';
import { type ByHand, tokenCommand } from './by-hand.ts';
import type { Verdict } from './command.ts';
import { isOf } from './releases.ts';
import { failureOf } from './status.ts';
import type { Target } from './target.ts';
import { compareVersions } from './versions.ts';
import { type Instant, type NodeView, type PolicyView, timestamp } from './world.ts';

const MAX_BAD = 64;

/** A `clear-bad-release` token is new, and there is something that it clears. */
export const isCleared = ({ status: { badReleases = [], tokens } }: PolicyView, { clearBadRelease }: ByHand): boolean =>
  badReleases.length > 0 && clearBadRelease !== undefined && clearBadRelease !== tokens?.clearBadRelease;

/** Whether a rollout's release is marked bad. */
export const isBad = (bad: readonly BadRelease[], { target, ...of }: Pick<Rollout, 'variant' | 'arch' | 'target'>): boolean =>
  bad.some((release) => release.version === target && isOf(release, { ...of, version: target }));

/**
 * The releases that are bad for a policy: those that were and have neither been cleared nor superseded, and those of which so many
 * nodes failed by their kubelets' word as the failure budget says, where the policy takes such a rollout back.
 */
export function badReleasesOf(
  { status, spec }: PolicyView,
  rollouts: readonly Rollout[],
  { members, cleared }: { members: number; cleared: boolean },
  now: Instant,
): BadRelease[] {
  const isSuperseded = ({ version, ...of }: BadRelease): boolean =>
    rollouts.some((rollout) => isOf(rollout, { ...of, version }) && compareVersions(rollout.target, version) > 0);
  const kept = (cleared ? [] : (status.badReleases ?? [])).filter((release) => !isSuperseded(release));
  if (spec.rollout.onExceeded !== 'RollBack') return kept;
  const budget = countOf(spec.rollout.failureBudget, members);
  const fresh = rollouts
    .filter((rollout) => !isBad(kept, rollout) && failuresOf(rollout).length >= budget)
    .map(({ variant, arch, target: version }) => ({ variant, arch, version, markedAt: timestamp(now) }));
  return [...kept, ...fresh].slice(-MAX_BAD);
}

const failuresOf = ({ failed, target }: Rollout) =>
  failed.filter((failure) => failure.target === target && failure.rebooted === true && failure.resumed !== true);

/** What holds a node of a version that is marked bad for its policy. */
export function knownBadFor(
  { view, badReleases }: { view: Pick<PolicyView, 'name'>; badReleases: readonly BadRelease[] },
  { os }: Pick<NodeView, 'os'>,
  version: string,
): Verdict | undefined {
  const bad = os && badReleases.find((release) => release.version === version && isOf(release, os));
  if (bad === undefined) return undefined;
  return {
    reason: 'KnownBad',
    message: `${version} is marked bad for policy ${view.name} since ${bad.markedAt}: waits for a newer release; to try it again: ${clearCommand(view.name)}`,
  };
}

/** What makes a policy's bad releases good again. */
export const clearCommand = (policy: string): string => tokenCommand('updatepolicy', policy, BY_HAND.clearBadRelease);

/** What a node should become whose rollout is taken back; undefined where it is not. */
export function rollbackTarget(
  { spec }: PolicyView,
  { node, byHand, status }: { node: NodeView; byHand: ByHand; status: NodeUpdateStatus },
  { badReleases, rollouts }: { badReleases: readonly BadRelease[]; rollouts: readonly Rollout[] },
): Target | undefined {
  const { os } = node;
  if (spec.rollout.onExceeded !== 'RollBack' || os === undefined || byHand.pin === os.version) return undefined;
  if (!isBad(badReleases, { ...os, target: os.version })) return undefined;
  if (failureOf(status, os.version) !== undefined) {
    const message = `runs ${os.version}, which is marked bad, and could not be taken back or was uncordoned by hand: not tried again by itself; to take it back: ${tokenCommand('nodeupdate', node.name, BY_HAND.retry)}`;
    return { verdict: { reason: 'KnownBad', message } };
  }
  const last = status.history?.findLast(({ to, outcome }) => to === os.version && outcome === 'Updated');
  if (last === undefined || last.from === last.to || isBad(badReleases, { ...os, target: last.from })) {
    const message = `runs ${os.version}, which is marked bad, and stays there: no version is known that it ran before and could be taken back to`;
    return { verdict: { reason: 'KnownBad', message } };
  }
  const rollout = rollouts.find((one) => one.target === os.version && isOf(one, os));
  return { version: last.from, rollout: rollout?.id ?? `back-${last.from}`, rollsBack: true };
}

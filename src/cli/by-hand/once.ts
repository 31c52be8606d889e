import { BY_HAND } from '../../api/names.ts';
import { isRetried, isSkipped, rebootAskedBy } from '../../core/by-hand.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { FleetNode } from '../fleet.ts';
import { askedOf, askedOn, change, nothing, titleOf, type Verb, wordOf } from './change.ts';
import { listed, type Target } from './targets.ts';

const waits = (target: Target, what: string) =>
  nothing(target, `${titleOf(target)} was told to ${what} already, and no controller has acted upon it yet`);

const hasFailed = ({ status: { failures = [], attempts = 0, phase } }: FleetNode): boolean =>
  failures.length > 0 || attempts > 0 || phase === 'Failed' || phase === 'RolledBack';

/** Forgets what failed, once. */
export const retry: Verb = (target, { token }) => {
  const failed = (target.kind === 'policy' ? target.nodes : [target.node]).filter(hasFailed).map(({ name }) => name);
  if (failed.length === 0) return nothing(target, `nothing has failed on ${titleOf(target)}`);
  const asked = askedOn(target);
  const pending =
    target.kind === 'policy'
      ? asked.retry !== undefined && asked.retry !== target.policy.status.tokens?.retry
      : isRetried(target.node.status, askedOf(target), undefined);
  if (pending) return waits(target, 'try again');
  const what =
    target.kind === 'policy'
      ? `what failed on ${listed(failed)} is forgotten, and tried again in its turn`
      : 'what failed there is forgotten, and it is tried again in its turn';
  return change(target, { [BY_HAND.retry]: token }, 'told to try again', what);
};

/** Gives up a drain, or the wait for a group, once. */
export const skip: Verb = (target, { token }) => {
  if (target.kind === 'node') {
    if (target.node.status.phase !== 'Draining')
      return nothing(target, `${titleOf(target)} is not being drained (it is ${target.node.status.phase ?? 'not looked at yet'})`);
    if (isSkipped(target.node.status, askedOf(target))) return waits(target, 'skip');
    return change(
      target,
      { [BY_HAND.skip]: token },
      'skipped',
      'its drain is given up, it is uncordoned and its slot is free; it is tried again later',
    );
  }
  const groups = (target.policy.status.rollouts ?? []).flatMap(({ groups: of = [] }) => of);
  const untested = groups.filter(({ state }) => state === 'Untested');
  const meant = untested.length > 0 ? untested : groups.filter(({ state }) => state === 'Updating' || state === 'Soaking');
  if (meant.length === 0) return nothing(target, `no group of ${titleOf(target)} is waited for`);
  const asked = askedOn(target).skip;
  if (asked !== undefined && asked !== target.policy.status.tokens?.skip) return waits(target, 'skip');
  const names = [...new Set(meant.map(({ name }) => name))];
  return change(
    target,
    { [BY_HAND.skip]: token },
    `told to wait no longer for group ${listed(names)}`,
    'the nodes that come after it are begun as the other rules allow',
  );
};

/** One reboot without a new version. */
export const reboot: Verb = (target, { token }) => {
  if (target.kind === 'node') {
    if (target.node.status.phase === undefined)
      throw new RefusedError(`no controller has looked at ${titleOf(target)} yet: try again in a moment`);
    if (rebootAskedBy(target.node.status, askedOf(target), undefined) !== undefined) return waits(target, 'reboot');
  } else {
    const asked = askedOn(target).reboot;
    if (asked !== undefined && asked !== target.policy.status.tokens?.reboot) return waits(target, 'reboot');
    if (target.nodes.length === 0) return nothing(target, `${titleOf(target)} has no node`);
  }
  const nodes = target.kind === 'policy' ? target.nodes.map(({ name }) => name) : [target.node.name];
  const paused = askedOf(target).paused || target.policy.spec.paused;
  const when = paused
    ? `it is paused, so it waits for: kubectl lockkeeper resume ${wordOf(target)}`
    : 'each in its turn, by window, capacity, checks and PodDisruptionBudgets; see it: kubectl lockkeeper status';
  return change(
    target,
    { [BY_HAND.reboot]: token },
    'to reboot once',
    `drained first and brought back as in an update, without a new version: ${when}`,
    `${titleOf(target)}: drained and rebooted once, pods are evicted: ${listed(nodes)}`,
  );
};

/** What was taken back is tried again. */
export const clearBadRelease: Verb = (target, { token, version }) => {
  if (target.kind === 'node')
    throw new UsageError(
      `a release is marked bad for an UpdatePolicy, not for a node: kubectl lockkeeper clear-bad-release ${target.policy.name}; for one node: kubectl lockkeeper retry ${target.node.name}`,
    );
  const bad = target.policy.status.badReleases ?? [];
  if (bad.length === 0) return nothing(target, `no release is marked bad for ${titleOf(target)}`);
  const versions = [...new Set(bad.map((release) => release.version))];
  if (version !== undefined && !versions.includes(version))
    throw new RefusedError(`${version} is not marked bad for ${titleOf(target)}: marked are ${versions.join(', ')}`);
  const asked = askedOn(target).clearBadRelease;
  if (asked !== undefined && asked !== target.policy.status.tokens?.clearBadRelease) return waits(target, 'clear them');
  return change(
    target,
    { [BY_HAND.clearBadRelease]: token },
    `no longer holds ${versions.join(', ')} for bad`,
    'its nodes are brought to it again as the rules allow; machines on which it failed wait for: kubectl lockkeeper retry NODE',
  );
};

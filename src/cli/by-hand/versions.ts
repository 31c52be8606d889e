import { readByHand } from '../../core/by-hand.ts';
import { isWanted } from '../../core/rollouts.ts';
import { compareVersions, isVersion } from '../../core/versions.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { FleetNode } from '../fleet.ts';
import { type Ask, askedOf, titleOf, wordOf } from './change.ts';
import type { Target } from './targets.ts';

const nodesOfTarget = (target: Target): readonly FleetNode[] => (target.kind === 'policy' ? target.nodes : [target.node]);

/** The versions that a target's nodes run, are brought to or were offered, newest first. */
export function knownVersions(target: Target): string[] {
  const known = new Set<string>();
  for (const { status, host } of nodesOfTarget(target)) {
    for (const version of [status.from, status.target, host?.version, host?.staged?.version, ...(host?.available ?? [])])
      if (version !== undefined && isVersion(version)) known.add(version);
  }
  // What two nodes of a variant were offered, others of that variant may be, too.
  if (target.kind === 'policy') for (const { version } of target.policy.status.releases ?? []) known.add(version);
  return [...known].sort((a, b) => compareVersions(b, a));
}

/** The version that a command names. Throws where it is none, or where none of its nodes knows it. */
export function namedVersion(target: Target, { version, force }: Ask): string {
  if (version === undefined || !isVersion(version))
    throw new UsageError(`${version === undefined ? 'a version is missing' : `${version} is no version`}: write one such as 1.26.1`);
  const known = knownVersions(target);
  if (force !== true && !known.includes(version))
    throw new RefusedError(
      `no host of ${titleOf(target)} is offered ${version}: known there ${known.length === 0 ? 'is none yet' : `${known.length === 1 ? 'is' : 'are'} ${known.slice(0, 10).join(', ')}`}. Agents ask their hosts every ${target.policy.spec.version.refreshInterval} (spec.version.refreshInterval); with --force it is set all the same, and nodes wait for it to be offered`,
    );
  return version;
}

/** The version that nodes are to be brought to, where there is but one. Throws a RefusedError that lists them otherwise. */
export function waitingVersion(target: Target): string | undefined {
  const waiting = new Set(
    nodesOfTarget(target).flatMap(({ status: { from, target: to } }) =>
      to !== undefined && from !== undefined && to !== from ? [to] : [],
    ),
  );
  if (waiting.size > 1)
    throw new RefusedError(
      `nodes of ${titleOf(target)} are to be brought to several versions: ${[...waiting].join(', ')}; name one: kubectl lockkeeper approve VERSION ${wordOf(target)}`,
    );
  return [...waiting][0];
}

/** Throws where a policy's range or a pin keeps its nodes from a version. */
export function mustBeWanted(target: Target, version: string): void {
  const pin = askedOf(target).pin ?? (target.kind === 'node' ? readByHand(target.policy.annotations).pin : undefined);
  const { pin: inSpec, range } = target.policy.spec.version;
  if (pin !== undefined && pin !== version)
    throw new RefusedError(
      `${titleOf(target)} is pinned to ${pin}, so nothing would come of ${version}: kubectl lockkeeper unpin first, or pin ${version}`,
    );
  if (pin === undefined && !isWanted(target.policy, inSpec, version))
    throw new RefusedError(
      inSpec === undefined
        ? `${version} lies outside spec.version.range (${range}) of UpdatePolicy ${target.policy.name}: widen that where the policy is kept, or pin it by hand: kubectl lockkeeper pin ${version} ${wordOf(target)}`
        : `UpdatePolicy ${target.policy.name} is pinned to ${inSpec} by its spec: change spec.version.pin where the policy is kept, or pin it by hand: kubectl lockkeeper pin ${version} ${wordOf(target)}`,
    );
}

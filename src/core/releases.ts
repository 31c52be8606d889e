import { durationMs } from '../api/primitives.ts';
import type { Release } from '../api/update-policy.ts';
import { isOfOtherOperator, selects } from './assign.ts';
import { compareVersions, inRange, isVersion, newest } from './versions.ts';
import { type Instant, instant, type NodeOS, type NodeView, type PolicyView, timestamp } from './world.ts';

const MAX_RELEASES = 256;
const MAX_RELEASES_OF_ONE = 16;

/** What the nodes of a policy know of releases, and since when. */
export interface Releases {
  /** As they are to be remembered, so that no restart makes one young again. */
  known: readonly Release[];
  /** Versions that enough nodes of a variant and architecture report. */
  seen(os: NodeOS): ReadonlySet<string>;
  /** The newest of these in the policy's range that are old enough. */
  wanted(os: NodeOS): string | undefined;
  /** The first that will be wanted of those that are too young yet, newer than what a node runs. */
  tooYoung(os: NodeOS): YoungRelease | undefined;
  /** When the next one is old enough; infinite where there is none. */
  until: Instant;
}

/** A release that is not wanted yet. */
export interface YoungRelease {
  version: string;
  firstSeen: string;
  until: Instant;
}

/** Whether a release or a rollout is of a node's variant and architecture. */
export const isOf = (one: { variant: string; arch: string }, os: NodeOS): boolean => one.variant === os.variant && one.arch === os.arch;

/** Each variant and architecture of some nodes, once. */
export function variantsOf(nodes: readonly NodeView[]): NodeOS[] {
  const variants = new Map<string, NodeOS>();
  let last: NodeOS | undefined;
  for (const { os } of nodes) {
    // Most are of the same.
    if (os === undefined || (last !== undefined && isOf(last, os))) continue;
    variants.set(variantKey(os), os);
    last = os;
  }
  return [...variants].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, os]) => os);
}

/**
 * Whether a node reports releases, or will: one whose letterbox is not there yet, or lost, is still one of those that a single liar
 * is not believed beside, whichever policy has it. Nobody's nodes never report, nor do another operator's.
 */
export const reports = (policies: readonly PolicyView[], node: NodeView): boolean =>
  node.host !== undefined || (!isOfOtherOperator(node) && policies.some((policy) => selects(policy, node)));

/** Reads what nodes report of releases, `members` being the policy's own: a release's age counts from when two of them see it. */
export function releasesOf(policy: PolicyView, members: readonly NodeView[], reporters: readonly NodeView[], now: Instant): Releases {
  const { range, minAge } = policy.spec.version;
  const variants = variantsOf(members);
  const seen = new Map(variants.map((os) => [variantKey(os), seenReleases(reporters, os)]));
  const known = remembered(policy.status.releases ?? [], variants, seen, members, now);
  const firstSeen = new Map(known.map((release) => [releaseKey(release, release.version), release.firstSeen]));
  const seenOf = (os: NodeOS) => seen.get(variantKey(os)) ?? new Set<string>();
  const oldAt = (os: NodeOS, version: string): Instant => {
    const since = firstSeen.get(releaseKey(os, version));
    if (since !== undefined) return instant(since) + durationMs(minAge);
    return isNews(members, os, version) ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  };
  const inRangeOf = (os: NodeOS) => [...seenOf(os)].filter((version) => inRange(version, range));
  const young = new Map(variants.map((os) => [variantKey(os), youngOf(os)] as const).filter(([, list]) => list.length > 0));
  return {
    known,
    seen: seenOf,
    wanted: (os) => newest(inRangeOf(os).filter((version) => oldAt(os, version) <= now)),
    tooYoung: (os) =>
      (young.size === 0 ? undefined : young.get(variantKey(os)))?.find(({ version }) => compareVersions(version, os.version) > 0),
    until: Math.min(Number.POSITIVE_INFINITY, ...[...young.values()].flatMap((list) => list.map(({ until }) => until))),
  };

  function youngOf(os: NodeOS): YoungRelease[] {
    return inRangeOf(os)
      .map((version) => ({ version, until: oldAt(os, version), firstSeen: firstSeen.get(releaseKey(os, version)) ?? '' }))
      .filter(({ until }) => now < until && until < Number.POSITIVE_INFINITY)
      .sort((a, b) => a.until - b.until || compareVersions(b.version, a.version));
  }
}

const variantKey = ({ variant, arch }: { variant: string; arch: string }): string => `${variant} ${arch}`;
const releaseKey = (of: { variant: string; arch: string }, version: string): string => `${variantKey(of)} ${version}`;

/**
 * Releases that two nodes of a variant and architecture report, or the only one there is: so one lying agent can announce none
 * where there are others.
 */
function seenReleases(reporters: readonly NodeView[], os: NodeOS): ReadonlySet<string> {
  const firstBy = new Map<string, NodeView>();
  const confirmed = new Set<string>();
  let peers = 0;
  for (const node of reporters) {
    if (node.os === undefined || !isOf(os, node.os)) continue;
    peers += 1;
    for (const version of node.host?.status.available ?? []) {
      if (confirmed.has(version)) continue;
      const first = firstBy.get(version);
      if (first === undefined) firstBy.set(version, node);
      else if (first !== node) confirmed.add(version);
    }
  }
  return new Set([...firstBy.keys()].filter((version) => (peers === 1 || confirmed.has(version)) && isVersion(version)));
}

/** Whether a version is newer than what some node of a variant and architecture runs; any other is too old to matter. */
const isNews = (members: readonly NodeView[], os: NodeOS, version: string): boolean =>
  members.some((node) => node.os !== undefined && isOf(os, node.os) && compareVersions(version, node.os.version) > 0);

/** Of each variant the newest; of those that are seen now only what is news to a node. What no node is of any more goes first. */
function remembered(
  before: readonly Release[],
  variants: readonly NodeOS[],
  seen: ReadonlyMap<string, ReadonlySet<string>>,
  members: readonly NodeView[],
  now: Instant,
): Release[] {
  const present = variants.flatMap((os) => {
    const kept = before.filter((release) => isOf(release, os));
    const news = [...(seen.get(variantKey(os)) ?? [])]
      .filter((version) => !kept.some((release) => release.version === version))
      .filter((version) => isNews(members, os, version))
      .map((version) => ({ variant: os.variant, arch: os.arch, version, firstSeen: timestamp(now) }));
    return [...kept, ...news].sort((a, b) => compareVersions(b.version, a.version)).slice(0, MAX_RELEASES_OF_ONE);
  });
  const absent = before.filter((release) => !variants.some((os) => isOf(release, os)));
  return [...present, ...absent].slice(0, MAX_RELEASES);
}

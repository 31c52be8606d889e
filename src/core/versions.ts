import semver from 'semver';
import { OS_IMAGE_PREFIX } from '../api/names.ts';
import { versionSchema } from '../api/primitives.ts';
import type { NodeOS } from './world.ts';

/**
 * The OS that a node's `osImage` names (`Bottlerocket OS 1.26.0 (aws-k8s-1.31)`), or undefined where it is another OS
 * or its version cannot be read.
 */
export function parseOSImage(osImage: string, arch: string): NodeOS | undefined {
  if (!osImage.startsWith(OS_IMAGE_PREFIX)) return undefined;
  const match = /^(\S{1,64}) \(([^()]{1,128})\)$/.exec(osImage.slice(OS_IMAGE_PREFIX.length));
  const version = match?.[1];
  const variant = match?.[2];
  return version !== undefined && variant !== undefined && isVersion(version) ? { version, variant, arch } : undefined;
}

/** Whether a text is one OS version, such as `1.26.1`. */
export const isVersion = (text: string): boolean => version.safeParse(text).success && semver.valid(text) !== null;

const version = versionSchema();

/** Whether a text is a range that can be read. */
export const isRange = (text: string): boolean => semver.validRange(text) !== null;

/** Whether a version lies in a range; a prerelease only where the range names one. */
export const inRange = (version: string, range: string): boolean => semver.satisfies(version, range);

/** Negative where `a` is the older version, positive where it is the newer, 0 where they are equal. */
export const compareVersions = (a: string, b: string): number => (a === b ? 0 : semver.compareBuild(parsed(a), parsed(b)));

/** A fleet runs a handful of versions, and each decision compares them thousands of times. */
const known = new Map<string, semver.SemVer>();
const MAX_KNOWN = 256;

function parsed(text: string): semver.SemVer {
  const before = known.get(text);
  if (before !== undefined) return before;
  if (known.size >= MAX_KNOWN) known.clear();
  const version = new semver.SemVer(text);
  known.set(text, version);
  return version;
}

/** The newest of some versions. */
export function newest(versions: Iterable<string>): string | undefined {
  let best: string | undefined;
  for (const version of versions) if (best === undefined || compareVersions(version, best) > 0) best = version;
  return best;
}

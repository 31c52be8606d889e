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
export const inRange = remembering((version, range) => semver.satisfies(version, range));

/**
 * Negative where `a` is the older version, positive where it is the newer, 0 where they are equal. What is no version, as anybody may
 * have written into a status, is older than any.
 */
export const compareVersions = remembering((a, b) => {
  if (a === b) return 0;
  const [readableA, readableB] = [semver.valid(a) !== null, semver.valid(b) !== null];
  return readableA && readableB ? semver.compareBuild(a, b) : Number(readableA) - Number(readableB);
});

const MAX_KNOWN = 1024;

/** A fleet runs a handful of versions, and each decision compares them thousands of times. */
function remembering<T>(ask: (a: string, b: string) => T): (a: string, b: string) => T {
  const answers = new Map<string, Map<string, T>>();
  let known = 0;
  return (a, b) => {
    const before = answers.get(a)?.get(b);
    if (before !== undefined) return before;
    if (known >= MAX_KNOWN) {
      answers.clear();
      known = 0;
    }
    const answer = ask(a, b);
    answers.set(a, (answers.get(a) ?? new Map<string, T>()).set(b, answer));
    known += 1;
    return answer;
  };
}

/** The newest of some versions. */
export function newest(versions: Iterable<string>): string | undefined {
  let best: string | undefined;
  for (const version of versions) if (best === undefined || compareVersions(version, best) > 0) best = version;
  return best;
}

import { compareBuild } from 'semver';

/** From `bound` (a seed, exclusive) on, hosts see the release from `at` on. */
export interface Wave {
  bound: number;
  at: Date;
}

/** One entry of an update repository's manifest. */
export interface Release {
  version: string;
  variant: string;
  arch: string;
  /** No version above this one is offered; a host above it is downgraded. Absent: the newest version of the same variant and arch. */
  maxVersion?: string;
  /** Absent: open to every host. */
  waves?: Wave[];
  /** The versions between which and this one a migration chain exists. Absent: all. */
  migrationsFrom?: string[];
}

/** A repository that any number of hosts share. Mutable: a release added here is seen by each host at its next refresh. */
export interface Repository {
  releases: Release[];
}

/** An image as the host's API shows it. */
export interface Image {
  arch: string;
  version: string;
  variant: string;
}

export const maxSeed = 2048;

const hour = 3_600_000;

/** The default waves of a release that was published at `start`. Seed 0 is in none of them and sees it at once. */
export function defaultWaves(start: Date): Wave[] {
  const steps: [share: number, hours: number][] = [
    [0, 1],
    [0.01, 4],
    [0.05, 24],
    [0.15, 48],
    [0.4, 96],
    [0.6, 120],
    [0.9, 144],
  ];
  return steps.map(([share, hours]) => ({ bound: Math.floor(share * maxSeed), at: new Date(start.getTime() + hours * hour) }));
}

/** Orders versions as the updater does: build metadata counts. */
export const compareVersions = (left: string, right: string): number => compareBuild(left, right);

/** Whether a host with this seed sees the release. Inside a wave hosts open one by one, in the order of their seeds, until the next wave begins. */
export function waveIsOpen(release: Release, seed: number, now: Date): boolean {
  const waves = (release.waves ?? []).toSorted((left, right) => left.bound - right.bound);
  const start = waves.findLast(({ bound }) => bound < seed);
  if (start === undefined) return true;
  const end = waves.find(({ bound }) => bound >= seed);
  const share = end === undefined ? 0 : (seed - start.bound) / (end.bound - start.bound);
  const span = end === undefined ? 0 : end.at.getTime() - start.at.getTime();
  return now.getTime() >= start.at.getTime() + share * span;
}

/** The newest version that a release lets hosts run. */
function maxVersionOf(repository: Repository, release: Release): string {
  const siblings = repository.releases.filter(({ variant, arch }) => variant === release.variant && arch === release.arch);
  return (
    release.maxVersion ??
    siblings.map(({ version }) => version).reduce((newest, next) => (compareVersions(next, newest) > 0 ? next : newest), release.version)
  );
}

/** The releases offered to a host, newest first; the current and older versions are among them. */
export function offered(
  repository: Repository,
  os: { variant: string; arch: string },
  waves: { ignoreWaves: boolean; seed: number; now: Date },
): Release[] {
  return repository.releases
    .filter((release) => release.variant === os.variant && release.arch === os.arch)
    .filter((release) => compareVersions(release.version, maxVersionOf(repository, release)) <= 0)
    .filter((release) => waves.ignoreWaves || waveIsOpen(release, waves.seed, waves.now))
    .toSorted((left, right) => compareVersions(right.version, left.version));
}

/** The release that a version lock picks from those offered: the newest above the current one, or exactly the pinned one if it is another. */
export function chosen(repository: Repository, releases: readonly Release[], current: string, versionLock: string): Release | undefined {
  if (versionLock === 'latest') {
    return releases.find(
      (release) => compareVersions(current, release.version) < 0 || compareVersions(current, maxVersionOf(repository, release)) > 0,
    );
  }
  const pinned = versionLock.replace(/^v/, '');
  if (compareVersions(pinned, current) === 0) return undefined;
  return releases.find(({ version }) => compareVersions(version, pinned) === 0);
}

/** Where the migration chain between two versions breaks off; undefined where there is one. Chains go both ways. */
export function brokenChain(repository: Repository, from: string, to: Release): { reached: string; target: string } | undefined {
  const upgrade = compareVersions(from, to.version) <= 0;
  const upper = upgrade
    ? to
    : repository.releases.find(
        ({ version, variant, arch }) => variant === to.variant && arch === to.arch && compareVersions(version, from) === 0,
      );
  const lower = upgrade ? from : to.version;
  const starts = upper?.migrationsFrom;
  if (upper === undefined || starts === undefined || starts.some((version) => compareVersions(version, lower) === 0)) return undefined;
  return { reached: lower, target: upper.version };
}

import { describe, expect, test } from '@jest/globals';
import { brokenChain, chosen, defaultWaves, maxSeed, offered, type Release, waveIsOpen } from './repository.ts';
import { arch, release, variant } from './test-host.ts';

const start = new Date('2026-01-01T00:00:00Z');
const hours = (count: number) => new Date(start.getTime() + count * 3_600_000);
const os = { variant, arch };
const open = { ignoreWaves: false, seed: 0, now: start };
const versions = (releases: Release[]) => releases.map(({ version }) => version);

describe('waves', () => {
  test.each([
    // Seed 0 is in no wave.
    [0, 0, true],
    [1, 0.99, false],
    // The first wave, 1 % of 2,048 seeds, opens gradually between +1 h and +4 h.
    [1, 1.2, true],
    [20, 3.9, false],
    [20, 4, true],
    [21, 4, false],
    [819, 95, false],
    [819, 96, true],
    [2_047, 143, false],
    [2_047, 144, true],
  ])('seed %d after %d h: %s', (seed, after, expected) => {
    expect(waveIsOpen(release('1.26.1', { waves: defaultWaves(start) }), seed, hours(after))).toBe(expected);
  });

  test.each([
    [1, 0.01],
    [4, 0.01],
    [24, 0.05],
    [48, 0.15],
    [96, 0.4],
    [120, 0.6],
    [144, 1],
  ])('after %d h at most %d of all hosts see the release', (after, share) => {
    const waved = release('1.26.1', { waves: defaultWaves(start) });
    const seeing = Array.from({ length: maxSeed }, (_, seed) => waveIsOpen(waved, seed, hours(after))).filter(Boolean).length;
    expect(seeing / maxSeed).toBeLessThanOrEqual(share + 0.001);
    if (after > 1) expect(seeing / maxSeed).toBeGreaterThan(share - 0.001);
  });

  test('a release without waves is open', () => {
    expect(waveIsOpen(release('1.26.1'), 2_047, start)).toBe(true);
  });
});

describe('what is offered', () => {
  test('the same variant and arch, newest first, older ones too', () => {
    const releases = [
      release('1.9.0'),
      release('1.26.1'),
      release('1.10.0'),
      release('1.27.0', { variant: 'aws-k8s-1.32' }),
      release('1.28.0', { arch: 'aarch64' }),
    ];
    expect(versions(offered({ releases }, os, open))).toEqual(['1.26.1', '1.10.0', '1.9.0']);
  });

  test('nothing above its max version', () => {
    const releases = ['1.25.0', '1.26.0', '1.26.1'].map((version) => release(version, { maxVersion: '1.26.0' }));
    expect(versions(offered({ releases }, os, open))).toEqual(['1.26.0', '1.25.0']);
  });
});

describe('what is chosen', () => {
  const releases = ['1.26.1', '1.26.0', '1.25.0'].map((version) => release(version));

  test.each([
    ['1.25.0', 'latest', '1.26.1'],
    ['1.26.1', 'latest', undefined],
    ['1.26.1', 'v1.25.0', '1.25.0'],
    ['1.26.1', '1.26.1', undefined],
    ['1.26.1', '1.24.0', undefined],
  ])('from %s with %s: %s', (current, lock, expected) => {
    expect(chosen({ releases }, releases, current, lock)?.version).toBe(expected);
  });

  test('a retracted release is a downgrade', () => {
    const retracted = { releases: releases.map((each) => ({ ...each, maxVersion: '1.26.0' })) };
    expect(chosen(retracted, offered(retracted, os, open), '1.26.1', 'latest')?.version).toBe('1.26.0');
  });
});

describe('migrations', () => {
  const releases = [release('1.24.0'), release('1.25.0'), release('1.26.0', { migrationsFrom: ['1.25.0'] })];
  const [old, middle, newest] = releases as [Release, Release, Release];

  test.each([
    ['1.25.0', newest, undefined],
    ['1.24.0', newest, { reached: '1.24.0', target: '1.26.0' }],
    ['1.26.0', middle, undefined],
    ['1.26.0', old, { reached: '1.24.0', target: '1.26.0' }],
    ['1.24.0', middle, undefined],
  ])('from %s', (from, to, expected) => {
    expect(brokenChain({ releases }, from, to)).toEqual(expected);
  });
});

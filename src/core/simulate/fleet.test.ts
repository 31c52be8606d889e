import { describe, expect, test } from '@jest/globals';
import { Watchman } from '../testing/watchman.ts';
import { FLEET_BEGIN, type FleetSettings, fleetOf, NEW_RELEASE, OLD_RELEASE, runFleet } from './fleet.ts';

const settings: FleetSettings = {
  nodes: 300,
  seed: 1,
  maxUnavailable: '10%',
  flaws: { rollsBack: 0.02, staysNotReady: 0.02, refusesActivation: 0.01, failsPrepare: 0.02 },
  barred: 0.03,
  mute: 0.02,
  rebootMinutes: [1, 4],
};
const releasedAt = new Map([OLD_RELEASE, NEW_RELEASE].map((version) => [version, FLEET_BEGIN]));

/** Runs a fleet under the eyes of a watchman, which throws where an invariant does not hold. */
const run = (change: Partial<FleetSettings>) => {
  const fleet = fleetOf({ ...settings, ...change });
  return { fleet, cluster: runFleet(fleet, (cluster) => new Watchman(cluster, releasedAt)) };
};

describe('a fleet', () => {
  test.each([10, 200])('of %d nodes is updated but for the nodes with which something is wrong, which say what', (nodes) => {
    const { fleet, cluster } = run({ nodes });
    const left = cluster.nodes.items
      .filter(({ os, record }) => os?.version !== NEW_RELEASE || record !== undefined)
      .map(({ name }) => name);
    expect(left.filter((name) => fleet.sound.has(name))).toEqual([]);
    for (const name of left) expect(cluster.updates.get(name)?.status.message).toBeTruthy();
  });

  test('is the same each time, by its seed', () => {
    const small = { nodes: 40 };
    expect(run(small).cluster.nodes.items).toEqual(run(small).cluster.nodes.items);
    expect(fleetOf({ ...settings, seed: 2 }).sound).not.toEqual(fleetOf(settings).sound);
  });
});

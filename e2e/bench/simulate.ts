import * as fc from 'fast-check';
import type { Scenario } from '../../src/core/simulate/actions.ts';
import { FLEET_BEGIN, fleetOf, NEW_RELEASE, OLD_RELEASE, runFleet } from '../../src/core/simulate/fleet.ts';
import { heal, settle } from '../../src/core/simulate/recovery.ts';
import { scenario } from '../../src/core/testing/scenarios.ts';
import { playWatched } from '../../src/core/testing/watched.ts';
import { Watchman } from '../../src/core/testing/watchman.ts';
import { type Family, forInformation } from './figure.ts';

const WORLDS = 400;
const SEED = 20260304;
const FLEET = 5_000;

/**
 * The random worlds of the property tests, from their beginning until all is healed; and one rollout of a fleet with failures, under the
 * same watchman: an invariant that does not hold ends the run.
 */
export const simulation: Family = {
  name: 'simulate',
  figures: ['simulated_worlds_per_second', 'simulated_fleet_5000'],
  async run({ say }) {
    say(`${WORLDS} random worlds`);
    const worlds = fc.sample(scenario, { numRuns: WORLDS, seed: SEED });
    const worldsMs = timeOf(() => worlds.forEach(playToTheEnd));
    say(`a rollout of ${FLEET} nodes`);
    const fleetMs = timeOf(rollOutFleet);
    return {
      figures: [
        forInformation('simulated_worlds_per_second', '/s', (1_000 * WORLDS) / worldsMs, 1),
        forInformation('simulated_fleet_5000', 's', fleetMs / 1_000, 1),
      ],
      notes: [],
    };
  },
};

function playToTheEnd(world: Scenario): void {
  const simulation = playWatched(world);
  settle(simulation);
  heal(simulation);
}

function rollOutFleet(): void {
  const fleet = fleetOf({
    nodes: FLEET,
    seed: SEED,
    maxUnavailable: '10%',
    flaws: { rollsBack: 0.01, staysNotReady: 0.01, refusesActivation: 0.01, failsPrepare: 0.01 },
    barred: 0.02,
    mute: 0.01,
    rebootMinutes: [1, 5],
  });
  const releasedAt = new Map([OLD_RELEASE, NEW_RELEASE].map((version) => [version, FLEET_BEGIN]));
  const { nodes } = runFleet(fleet, (cluster) => new Watchman(cluster, releasedAt));
  const behind = [...fleet.sound].filter((name) => nodes.get(name)?.os?.version !== NEW_RELEASE);
  if (behind.length > 0) throw new Error(`${behind.length} sound nodes are behind at the end: ${behind.slice(0, 5).join(', ')}`);
}

function timeOf(run: () => void): number {
  const started = performance.now();
  run();
  return performance.now() - started;
}

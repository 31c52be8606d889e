import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Scenario } from './simulate/actions.ts';
import { releaseAll } from './simulate/recovery.ts';
import { scenario } from './testing/scenarios.ts';
import { playWatched } from './testing/watched.ts';

const WORLDS = 80;
const SEED = 20260302;

/** Plays one scenario, and then releases everything: takes what a failed run prints. */
function replay(found: Scenario, calls: number): void {
  releaseAll(playWatched(found), calls);
}

test('a release, killed on its way and run again, gives back every node as it was, whatever was under way', () => {
  const outcome = fc.check(fc.property(scenario, fc.nat({ max: 12 }), replay), { numRuns: WORLDS, seed: SEED });
  const { failed, counterexample, errorInstance } = outcome;
  expect(failed ? `${errorInstance}\nreplay(...${JSON.stringify(counterexample)})` : undefined).toBeUndefined();
}, 600_000);

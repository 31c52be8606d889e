import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Scenario } from './simulate/actions.ts';
import { heal, settle } from './simulate/recovery.ts';
import { scenario } from './testing/scenarios.ts';
import { playWatched } from './testing/watched.ts';

const WORLDS = 2_000;
const SEED = 20260301;

/** Plays one scenario to its end. */
function replay(found: Scenario): void {
  const simulation = playWatched(found);
  settle(simulation);
  heal(simulation);
}

describe('decide, with controllers that crash and freeze, hosts that fail, and people who meddle', () => {
  test('keeps what must always hold, and updates everything once faults stop', () => {
    const outcome: fc.RunDetails<[Scenario]> = fc.check(fc.property(scenario, replay), { numRuns: WORLDS, seed: SEED });
    expect(counterexampleOf(outcome)).toBeUndefined();
  }, 600_000);
});

/** The smallest scenario found, as the command that plays it again and says what happens. */
function counterexampleOf({ failed, counterexample, errorInstance, seed, numRuns }: fc.RunDetails<[Scenario]>): string | undefined {
  if (!failed) return undefined;
  return `world ${numRuns} of seed ${seed}: ${errorInstance}\nnode scripts/replay-world.ts - <<'END'\n${JSON.stringify(counterexample?.[0])}\nEND`;
}

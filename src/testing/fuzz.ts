import { test } from '@jest/globals';
import * as fc from 'fast-check';
import { fuzzSeconds } from './fuzz-config.ts';

/** What each property gets of `make test`, and the seed by which it tries the same every day. */
const BRIEFLY = { seconds: 4, seed: 20261123 };

/**
 * Holds a property for as long as it is given: from a fixed seed in `make test`, longer and from a random one in `make fuzz`. A failure
 * names the seed, and the smallest case that was found.
 */
export function fuzz<T>(what: string, values: fc.Arbitrary<T>, hold: (value: T) => void | Promise<void>): void {
  const longer = fuzzSeconds();
  const seconds = longer ?? BRIEFLY.seconds;
  const run = (): Promise<void> =>
    fc.assert(
      fc.asyncProperty(values, async (value) => hold(value)),
      {
        ...(longer === undefined && { seed: BRIEFLY.seed }),
        numRuns: Number.MAX_SAFE_INTEGER,
        interruptAfterTimeLimit: seconds * 1_000,
      },
    );
  // Making the case smaller takes its time, too.
  test(what, run, (seconds + 300) * 1_000);
}

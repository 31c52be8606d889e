import { test } from '@jest/globals';
import * as fc from 'fast-check';
import { longerRun } from './fuzz-config.ts';

/** What each property gets of `make test` (a minute for all), and the seed by which it tries the same every day. */
const BRIEFLY = { seconds: 3.6, seed: 20261123 };

/**
 * Holds a property for as long as it is given: from a fixed seed in `make test`, longer and from a random one in `make fuzz`. A failure
 * names the seed, how to try it again, and the smallest case that was found.
 */
export function fuzz<T>(what: string, values: fc.Arbitrary<T>, hold: (value: T) => void | Promise<void>): void {
  const longer = longerRun();
  const { seconds, seed } = longer ?? BRIEFLY;
  const run = async (): Promise<void> => {
    const property = fc.asyncProperty(values, async (value) => hold(value));
    const details = await fc.check(property, {
      ...(seed !== undefined && { seed }),
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: seconds * 1_000,
    });
    if (details.failed) {
      const again = `make fuzz FUZZ_SEED=${details.seed} FUZZ_ONLY='${what.replaceAll("'", '.')}'`;
      throw new Error(`case ${details.numRuns}; to try it again: ${again}\n${fc.defaultReportMessage(details)}`);
    }
    if (longer !== undefined) process.stderr.write(`${what}: ${details.numRuns} cases from seed ${details.seed}\n`);
  };
  // Making the case smaller takes its time, too.
  test(what, run, (seconds + 300) * 1_000);
}

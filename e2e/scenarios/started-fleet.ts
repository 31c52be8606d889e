import { afterEach } from '@jest/globals';
import { type Fleet, type FleetOptions, startFleet } from './fleet.ts';

/** Gives what starts a fleet for the test that runs, one at a time; it is stopped when the test ends. */
export function fleetOfTheTest(): (options: FleetOptions) => Promise<Fleet> {
  let fleet: Fleet | undefined;
  afterEach(async () => {
    await fleet?.stop();
    fleet = undefined;
  });
  return async (options) => {
    fleet = await startFleet(options);
    return fleet;
  };
}

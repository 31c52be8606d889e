import { describe, expect, test } from '@jest/globals';
import { walk, walking } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('a controller that is killed', () => {
  test('in each phase of a node goes on where it was: one boot a node, one node at a time, and no clock begins anew', async () => {
    const fleet = await start(walking);
    const { judge, leader, leads, machines } = fleet;
    await walk(fleet, async (place, node, phase) => {
      const controller = await leader();
      await controller.hold();
      controller.release();
      // The cordon that the dead one had under way does not hold up the new one.
      await leads(controller, node, place === 'claimed' ? undefined : phase);
    });
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);
});

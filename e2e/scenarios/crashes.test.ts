import { describe, expect, test } from '@jest/globals';
import { walk, walking } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('a controller that is killed', () => {
  test('in each phase of a node goes on where it was: one boot a node, one node at a time, and no clock begins anew', async () => {
    const fleet = await start(walking);
    const { bed, judge, leader, leads, machines } = fleet;
    await walk(fleet, async (node, phase) => {
      const controller = await leader();
      await controller.hold();
      controller.release();
      await leads(controller, node, phase);
    });
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
    // What the dead one had under way was delivered when the new one had already written its own.
    const late = { verb: 'patch', user: 'lockkeeper-controller', code: 409 };
    expect(await bed.audit.find({ ...late, resource: 'updatepolicies' })).not.toEqual([]);
    expect(await bed.audit.find({ ...late, resource: 'nodes', name: machines[2]?.name ?? '' })).toHaveLength(1);
  }, 120_000);
});

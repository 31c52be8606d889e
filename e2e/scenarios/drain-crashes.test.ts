import { describe, expect, test } from '@jest/globals';
import { drainWalking, type Position, startDrainWalk } from './drain-walk.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('a controller that is killed between two requests of a drain', () => {
  test('whichever two: the node is updated and uncordoned, no pod is evicted twice, no budget is broken', async () => {
    const walk = await startDrainWalk(await start(drainWalking));
    const requests = await walk.count();
    const positions = requests.flatMap(({ path }, index): Position[] => {
      const at = index + 1;
      // What was sent may still be carried out, and an eviction is under no resourceVersion.
      return path.endsWith('/eviction')
        ? [
            { at, fate: 'lost' },
            { at, fate: 'delivered' },
          ]
        : [{ at, fate: 'lost' }];
    });
    const missed: Position[] = [];
    for (const position of positions) if (!(await walk.killAt(position))) missed.push(position);
    await walk.judge();
    // A drain may take a request or two less than the one that was counted: then its last positions lie behind its end.
    expect(missed.filter(({ at }) => at <= requests.length - 3)).toEqual([]);
  }, 540_000);
});

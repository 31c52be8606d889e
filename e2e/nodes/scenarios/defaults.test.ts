import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { realNodes } from '../suite.ts';
import { type RealFleet, startRealFleet } from './real-fleet.ts';

const suite = await realNodes();

suite('the chart as it is, on real nodes', () => {
  let fleet: RealFleet;

  beforeAll(async () => {
    fleet = await startRealFleet({ releases: ['1.26.1'], policy: 'chart' });
  }, 300_000);

  afterAll(() => fleet?.stop(), 60_000);

  test('three nodes are updated once the version is approved', async () => {
    const { approve, judge, machines, phase, updated } = fleet;
    await Promise.all(machines.map(({ name }) => phase(name, 'Staged', 'AwaitingApproval')));
    expect(judge.boots()).toEqual([]);
    await approve('1.26.1');
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 300_000);
});

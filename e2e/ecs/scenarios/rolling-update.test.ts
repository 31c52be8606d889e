import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { allAt, type EcsBed, policy, startEcsBed } from '../bed.ts';

let bed: EcsBed;

beforeAll(async () => {
  bed = await startEcsBed({ instances: 3 });
}, 600_000);

afterAll(() => bed?.close());

test('three container instances are updated one at a time, each drained, rebooted once and given back', async () => {
  await bed.addService({ name: 'web', desired: 3, minimum: 50, maximum: 200 }, bed.instances);
  const program = await bed.start(policy());
  await allAt(bed, '1.26.1');
  await program.stop(5_000);
  expect(Object.values(bed.judge.reboots())).toEqual([1, 1, 1]);
  expect(bed.judge.mostAtOnce()).toBe(1);
  expect(bed.judge.count('ecs:UpdateContainerInstancesState')).toBe(6);
  bed.judge.invariants();
}, 90_000);

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../bed/eventually.ts';
import { allAt, type EcsBed, policy, startEcsBed } from '../bed.ts';

let bed: EcsBed;

beforeAll(async () => {
  bed = await startEcsBed({ instances: 2, versions: ['1.26.0', '1.26.1'] });
}, 600_000);

afterAll(() => bed?.close());

/** Calls that change something: a process that dies between two others leaves nothing behind that the one before did not. */
const CHANGES = new Set(['dynamodb:PutItem', 'ecs:UpdateContainerInstancesState', 'ssm:SendCommand']);

test('killed after its first call that changes something or its second, before it hears of it, over and over, it goes on where it stood', async () => {
  await bed.addService({ name: 'web', desired: 2, minimum: 50, maximum: 200 }, bed.instances);
  const killedAfter: string[] = [];
  const start = async (): Promise<void> => {
    const program = await bed.start(policy('', '1h'), ['--lease-duration', '500ms']);
    let changes = 0;
    bed.standIn.effected = async ({ action, input, status }) => {
      if (!CHANGES.has(action) || status !== 200 || JSON.stringify(input).includes('"S":"lease"')) return;
      changes += 1;
      // A process that always dies after its first could ask a host for news for ever.
      if (changes < 1 + (killedAfter.length % 2)) return;
      bed.standIn.effected = undefined;
      killedAfter.push(action);
      await program.stop(0);
      await start();
    };
  };
  await start();
  await allAt(bed, '1.26.1', 150_000, () => killedAfter);
  await eventually(
    async () => [...(await bed.records()).values()].every(({ cordon, update }) => cordon === undefined && update.phase === 'Idle'),
    {
      describe: () => bed.log(),
    },
  );
  bed.standIn.effected = undefined;
  expect(killedAfter).toEqual(expect.arrayContaining([...CHANGES]));
  expect(killedAfter.length).toBeGreaterThan(15);
  expect(Object.values(bed.judge.reboots())).toEqual([1, 0]);
  bed.judge.invariants();
}, 240_000);

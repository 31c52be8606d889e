import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../bed/eventually.ts';
import { allAt, type EcsBed, policy, startEcsBed } from '../bed.ts';
import type { Call } from '../stand-in.ts';

let bed: EcsBed;

beforeAll(async () => {
  bed = await startEcsBed({ instances: 2 });
  await bed.addService({ name: 'web', desired: 2, minimum: 50, maximum: 200 }, bed.instances);
}, 600_000);

afterAll(() => bed?.close());

test('another process takes over from one that is frozen; thawed, that writes nothing', async () => {
  const thawed = Promise.withResolvers<void>();
  const held = Promise.withResolvers<Call>();
  // Frozen with a record on its way, after it has asked its lease, and before the instance is set to DRAINING.
  bed.standIn.intercept = async (call) => {
    if (call.who !== 'frozen' || !isCordon(call)) return undefined;
    bed.standIn.intercept = undefined;
    await frozen.freeze();
    held.resolve(call);
    await thawed.promise;
    return undefined;
  };
  const frozen = await bed.start(policy(), [], { AWS_ACCESS_KEY_ID: 'frozen' });
  const late = await held.promise;
  const other = await bed.start(policy(), [], { AWS_ACCESS_KEY_ID: 'other' });
  await allAt(bed, '1.26.1', 90_000);

  const since = bed.standIn.calls.length;
  thawed.resolve();
  frozen.signal('SIGCONT');
  await eventually(() => late.status !== undefined && ownAfter(since).some(({ action }) => action === 'dynamodb:Query'), {
    describe: () => [late, ...ownAfter(since)],
  });
  expect(late).toMatchObject({ status: 400, output: { code: 'ConditionalCheckFailedException' } });
  await frozen.stop(0);
  expect(ownAfter(since).filter((call) => isChange(call) && call.status === 200)).toEqual([]);
  expect(bed.standIn.calls.filter(({ who, action }) => who === 'frozen' && action === 'ecs:UpdateContainerInstancesState')).toEqual([]);
  await other.stop(5_000);
  expect(Object.values(bed.judge.reboots())).toEqual([1, 1]);
  bed.judge.invariants();
}, 150_000);

const ownAfter = (since: number) => bed.standIn.calls.filter(({ who, number }) => who === 'frozen' && number > since);

const isCordon = ({ action, input }: Call): boolean =>
  action === 'dynamodb:PutItem' && JSON.stringify(input).includes('\\"cordon\\"') && JSON.stringify(input).includes('instance/');

const isChange = ({ action }: Call): boolean =>
  ['dynamodb:PutItem', 'dynamodb:DeleteItem', 'ecs:UpdateContainerInstancesState', 'ecs:StopTask', 'ssm:SendCommand'].includes(action);

import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../bed/eventually.ts';
import { type EcsBed, policy, release, startEcsBed } from '../bed.ts';

let bed: EcsBed;

beforeAll(async () => {
  bed = await startEcsBed({ instances: 2 });
}, 600_000);

afterAll(() => bed?.close());

test('a denial, expired credentials and throttling are named and waited out; an instance that is terminated frees its slot', async () => {
  const [one, other] = bed.instances;
  if (one === undefined || other === undefined) throw new Error('two instances');
  const says = (text: string) => eventually(async () => (await bed.log()).includes(text), { describe: () => bed.log() });
  bed.standIn.intercept = ({ action }) =>
    action === 'ssm:SendCommand' ? { status: 400, code: 'AccessDeniedException', message: 'User is not authorized' } : undefined;
  const program = await bed.start(policy());
  await says(`not allowed: ssm:SendCommand on ${one.id}`);

  bed.standIn.intercept = () => ({
    status: 400,
    code: 'ExpiredTokenException',
    message: 'The security token included in the request is expired',
  });
  await says('no valid AWS credentials for');

  let throttled = 0;
  bed.standIn.intercept = ({ action }) => {
    if (!action.startsWith('ecs:') || throttled >= 4) return undefined;
    throttled += 1;
    return { status: 400, code: 'ThrottlingException', message: 'Rate exceeded' };
  };
  const first = await Promise.race(bed.instances.map((instance) => once(instance.host, 'rebooting').then(() => instance)));
  const second = first === one ? other : one;
  expect(throttled).toBe(4);
  await bed.terminate(first);
  await eventually(async () => second.host.os.version === '1.26.1' && (await bed.states())[second.id] === 'ACTIVE', {
    describe: () => bed.log(),
    timeoutMs: 60_000,
  });
  expect((await bed.records()).has(first.id)).toBe(false);
  await program.stop(5_000);
  expect(bed.judge.reboots()).toEqual({ [first.id]: 1, [second.id]: 1 });
}, 150_000);

test('--once does what can be done, and ends', async () => {
  bed.repository.releases.push(release('1.26.2'));
  const program = await bed.start(policy('', '1s'), ['--once', '--embedded-metrics', 'Lockkeeper']);
  expect(await program.ended).toEqual({ code: 0, signal: null });
  const alive = bed.instances.find(({ host }) => host.running);
  expect(alive?.host.os.version).toBe('1.26.2');
  expect((await bed.states())[alive?.id ?? '']).toBe('ACTIVE');
  const lines = (await bed.log()).split('\n').filter((line) => line.startsWith('{"_aws"'));
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ cluster: bed.cluster, policy: 'all', lockkeeper_nodes: 1, lockkeeper_nodes_updated: 1 }),
  );
}, 90_000);

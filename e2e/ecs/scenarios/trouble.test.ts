import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Child } from '../../bed/children.ts';
import { eventually } from '../../bed/eventually.ts';
import { tail } from '../../bed/home.ts';
import { type EcsBed, policy, release, startEcsBed } from '../bed.ts';

let bed: EcsBed;
let program: Child;

const statusOf = async (id: string) => (await bed.records()).get(id)?.update;

beforeAll(async () => {
  bed = await startEcsBed({ instances: 4 });
}, 600_000);

afterAll(() => bed?.close());

test('what holds an instance is named, the others go on, and it goes on once that is over', async () => {
  const [free, pinned, alone, foreign] = bed.instances;
  if (free === undefined || pinned === undefined || alone === undefined || foreign === undefined) throw new Error('four instances');
  await bed.addService({ name: 'web', desired: 1, minimum: 50, maximum: 200 }, [free]);
  // Neither may a task of it be stopped first, nor one more be started first: ECS never drains its instance.
  await bed.addService({ name: 'stuck', desired: 1, minimum: 100, maximum: 100 }, [pinned]);
  await bed.startTask(alone);
  await bed.setState(foreign, 'DRAINING');
  program = await bed.start(policy('maxUnavailable: 2'));

  await eventually(async () => free.host.os.version === '1.26.1', { describe: () => bed.log(), timeoutMs: 60_000 });
  await eventually(
    async () => {
      expect(await statusOf(pinned.id)).toMatchObject({ reason: 'CannotEvict', message: expect.stringContaining('stuck') });
      expect(await statusOf(alone.id)).toMatchObject({ reason: 'CannotEvict', message: expect.stringContaining('app/') });
      expect(await statusOf(foreign.id)).toMatchObject({ reason: 'CordonedByOther' });
      return true;
    },
    { describe: () => bed.log() },
  );
  expect(await bed.states()).toMatchObject({ [pinned.id]: 'ACTIVE', [alone.id]: 'ACTIVE', [foreign.id]: 'DRAINING' });

  // Beside the one that holds the lease.
  const planner = await bed.start(policy('maxUnavailable: 2'), ['--plan'], { AWS_ACCESS_KEY_ID: 'planner' }, 'plan');
  expect(await planner.ended).toEqual({ code: 0, signal: null });
  const plan = await tail(planner.log);
  expect(plan).toContain('UpdatePolicy all: 1 of 4 nodes up to date');
  for (const { id } of [pinned, alone]) expect(plan).toContain(`${id}  CannotEvict`);
  expect(plan).not.toContain('kubectl');
  const planned = new Set(bed.standIn.calls.filter(({ who }) => who === 'planner').map(({ action }) => action));
  expect([...planned].filter((action) => !/^(ecs:(List|Describe)|dynamodb:Query$)/.test(action))).toEqual([]);

  const stuck = bed.scheduler.services.get('stuck');
  if (stuck !== undefined) stuck.maximum = 200;
  for (const { taskArn = '' } of await bed.scheduler.tasks({ instance: alone.arn })) await bed.stopTask(taskArn);
  await bed.setState(foreign, 'ACTIVE');
  await eventually(
    async () => {
      const states = await bed.states();
      return bed.instances.every(({ id, host }) => host.os.version === '1.26.1' && host.running && states[id] === 'ACTIVE');
    },
    { describe: () => bed.log(), timeoutMs: 60_000 },
  );
  expect(Object.values(bed.judge.reboots())).toEqual([1, 1, 1, 1]);
  bed.judge.invariants(2);
}, 150_000);

test('a host that falls back is given back and remembered, and the rollout halts', async () => {
  const [bad] = bed.instances;
  if (bad === undefined) throw new Error('no instance');
  for (const { host } of bed.instances) host.faults.arm('bootFails', 1);
  bed.repository.releases.push(release('1.26.2'));
  await eventually(
    async () => {
      const statuses = [...(await bed.records()).values()].map(({ update }) => update);
      return statuses.some(({ phase }) => phase === 'RolledBack') && statuses.some(({ reason }) => reason === 'Halted');
    },
    { describe: () => bed.log(), timeoutMs: 60_000 },
  );
  await eventually(async () => Object.values(await bed.states()).every((status) => status === 'ACTIVE'));
  bed.judge.invariants(2);
  await program.stop(5_000);
}, 120_000);

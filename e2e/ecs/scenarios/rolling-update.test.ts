import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../bed/eventually.ts';
import { allAt, type BedInstance, type EcsBed, policy, release, startEcsBed } from '../bed.ts';

const INSTANCES = 10;

let bed: EcsBed;

beforeAll(async () => {
  bed = await startEcsBed({ instances: INSTANCES });
}, 600_000);

afterAll(() => bed?.close());

test('one of ten whose item cannot be read is named and left alone with its slot taken; the others are updated', async () => {
  const [broken, ...others] = bed.instances;
  if (broken === undefined) throw new Error('no instance');
  const id = `instance/${broken.arn}`;
  const text = '{"written":"by a newer version"}';
  await bed.spoil(id, text);
  await bed.addService({ name: 'web', desired: INSTANCES, minimum: 50, maximum: 200 }, bed.instances);
  const program = await bed.start(policy('maxUnavailable: 3'));
  await updated(others, '1.26.1');
  expect(broken.host.os.version).toBe('1.26.0');
  expect(await bed.item(id)).toBe(text);
  expect(await bed.log(1_000)).toContain(`the item ${id} of the table cannot be read`);
  // Its slot is one of three.
  expect(bed.judge.mostAtOnce()).toBe(2);
  expect(bed.judge.reboots()[broken.id]).toBe(0);
  await program.stop(5_000);
  bed.judge.invariants(2);
  await bed.spoil(id, '{"host":{}}');
}, 120_000);

test('ten container instances are updated two at a time, each drained, rebooted once and given back; the canary soaks first', async () => {
  bed.repository.releases.push(release('1.26.2'));
  const before = bed.standIn.calls.length;
  const canary = bed.instances[4];
  if (canary === undefined) throw new Error('no instance');
  await bed.putAttribute(canary, 'stage', 'canary');
  const program = await bed.start(
    policy('maxUnavailable: 2, groups: [{name: canary, nodeSelector: {matchLabels: {stage: canary}}, soak: 4s}]', '20s'),
  );
  await allAt(bed, '1.26.2', 200_000);
  await program.stop(5_000);
  const changes = bed.judge.changes().filter(({ call }) => call > before);
  const drained = changes.filter(({ status }) => status === 'DRAINING');
  expect(drained.map(({ instance }) => instance)).toHaveLength(INSTANCES);
  expect(drained[0]?.instance).toBe(canary.id);
  const [, free, next] = changes;
  expect([free?.instance, free?.status, next?.status]).toEqual([canary.id, 'ACTIVE', 'DRAINING']);
  expect((next?.at ?? 0) - (free?.at ?? 0)).toBeGreaterThanOrEqual(4_000);
  expect(bed.judge.mostAtOnce(before)).toBe(2);
  expect(bed.judge.count('ecs:UpdateContainerInstancesState', before)).toBe(2 * INSTANCES);
  bed.judge.invariants(2);
}, 260_000);

const updated = (instances: readonly BedInstance[], version: string): Promise<true> =>
  eventually(
    async () => {
      const states = await bed.states();
      return instances.every(({ id, host }) => host.os.version === version && host.running && states[id] === 'ACTIVE');
    },
    { timeoutMs: 90_000, describe: () => bed.log() },
  );

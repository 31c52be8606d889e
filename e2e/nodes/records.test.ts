import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { eventually } from '../bed/eventually.ts';
import { type BedRecord, isAlive, parseRecord, startTimeOf } from './records.ts';

const record: BedRecord = {
  id: 'abc123',
  pid: 1,
  startTime: '1',
  scratch: '/tmp/bed-Xy12Zw',
  out: '/srv/out/nodes-abc123',
  cgroups: ['/sys/fs/cgroup/pids/lockkeeper-abc123', '/sys/fs/cgroup/lockkeeper-abc123'],
  machines: [],
  ready: false,
};

test('a record reads back as it was', () => expect(parseRecord(JSON.stringify(record))).toEqual(record));

test.each([
  ['another scratch folder than a bed has', { scratch: '/home' }],
  ['a way out of it', { scratch: '/tmp/bed-../../home' }],
  ['a folder below it', { scratch: '/tmp/bed-a/..' }],
  ['a cgroup of somebody else', { cgroups: ['/sys/fs/cgroup/pids/system.slice'] }],
  ['the cgroup of another bed', { cgroups: ['/sys/fs/cgroup/pids/lockkeeper-ffffff'] }],
  ['a folder that is no cgroup', { cgroups: ['/home/lockkeeper-abc123'] }],
  ['a way out of the cgroups', { cgroups: ['/sys/fs/cgroup/../../../home/lockkeeper-abc123'] }],
  ['another kind of name', { id: '../x' }],
  ['no process', { pid: 0 }],
])('a record is not believed with %s', (_, change) => expect(parseRecord(JSON.stringify({ ...record, ...change }))).toBeUndefined());

test('a record that is no JSON', () => expect(parseRecord('{')).toBeUndefined());

test('a process lives while its number and its start are the same', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const startTime = (await startTimeOf(pid)) ?? '';
  expect(startTime).toMatch(/^\d+$/);
  expect(await isAlive({ pid, startTime })).toBe(true);
  expect(await isAlive({ pid, startTime: '1' })).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await eventually(async () => !(await isAlive({ pid, startTime })));
});

import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { auditLog } from './audit.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'audit-'));
  file = path.join(folder, 'audit.log');
});
afterEach(() => rm(folder, { recursive: true }));

const entry = (verb: string, name: string, more: object = {}) =>
  `${JSON.stringify({ verb, user: { username: 'admin' }, objectRef: { resource: 'nodes', name }, ...more })}\n`;

test('reads what was written after a mark, and leaves a line alone that is not whole yet', async () => {
  await writeFile(file, entry('create', 'first'));
  const log = auditLog(file);
  const mark = await log.mark();
  await appendFile(file, `${entry('patch', 'zweiter-für-äöü')}{"verb":"half`);
  expect((await log.since()).map((one) => one.objectRef?.name)).toEqual(['first', 'zweiter-für-äöü']);
  expect((await log.since(mark)).map((one) => one.verb)).toEqual(['patch']);
});

test('finds by all that is asked for', async () => {
  await writeFile(
    file,
    entry('create', 'a', { objectRef: { resource: 'pods', subresource: 'eviction', name: 'a' }, responseStatus: { code: 429 } }) +
      entry('create', 'a', { objectRef: { resource: 'pods', name: 'a' }, responseStatus: { code: 201 } }) +
      entry('patch', 'a', { user: { username: 'system:serviceaccount:lk:lockkeeper-agent' } }),
  );
  const log = auditLog(file);
  expect(await log.find({ verb: 'create', resource: 'pods', subresource: 'eviction', code: 429 })).toHaveLength(1);
  expect(await log.find({ resource: 'pods', subresource: '' })).toHaveLength(1);
  expect(await log.find({ verb: ['patch', 'update'], user: 'lockkeeper-agent' })).toHaveLength(1);
  expect(await log.find({ user: 'nobody' })).toHaveLength(0);
});

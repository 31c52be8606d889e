import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Children, createChildren, SpawnError } from './children.ts';
import { eventually } from './eventually.ts';

let scratch: string;
let out: string;
let children: Children;
beforeEach(async () => {
  [scratch, out] = [await mkdtemp(path.join(tmpdir(), 'children-')), await mkdtemp(path.join(tmpdir(), 'children-'))];
  children = createChildren(scratch);
});
afterEach(async () => {
  await children.close();
  await rm(out, { recursive: true });
});

const shell = (script: string) =>
  children.spawn({ name: 'shell', command: '/bin/sh', args: ['-c', script], log: path.join(out, 'log'), env: { GREETING: 'hello' } });

test('a program writes its log, has the given environment alone, and tells its ending', async () => {
  const child = await shell('echo $GREETING $PATH$HOME; exit 3');
  expect(await child.ended).toEqual({ code: 3, signal: null });
  expect(child.running).toBe(false);
  expect(await readFile(child.log, 'utf8')).toMatch(/^hello /);
  expect(children.running).toEqual([]);
});

test('one that does not want to end is killed after its grace', async () => {
  const ready = path.join(out, 'ready');
  const child = await shell(`trap "" TERM; touch ${ready}; while :; do sleep 0.05; done`);
  await eventually(() => existsSync(ready));
  expect(await child.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
});

test('one that is stopped does nothing more before it is killed', async () => {
  // One that starts nothing: a program that waits for a vfork whose other half is stopped counts as waiting.
  const child = await shell('exec sleep 1000');
  await child.freeze();
  expect(await readFile(`/proc/${child.pid}/stat`, 'utf8')).toMatch(/ T /);
  expect(await child.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
});

test('what a program has started goes with it', async () => {
  const file = path.join(out, 'pid');
  const child = await shell(`sleep 1000 & echo $! > ${file}; exec sleep 1000`);
  const grandchild = Number(await eventually(async () => existsSync(file) && (await readFile(file, 'utf8')).trim()));
  process.kill(child.pid, 'SIGKILL');
  await child.ended;
  await eventually(() => !isAlive(grandchild));
});

test('a program that is not there', async () => {
  const start = children.spawn({ name: 'none', command: '/does/not/exist', args: [], log: path.join(out, 'log') });
  await expect(start).rejects.toThrow(SpawnError);
});

test('closing ends all and removes the scratch folder', async () => {
  await writeFile(path.join(scratch, 'data'), 'x');
  const all = [await shell('sleep 1000'), await shell('trap "" TERM; sleep 1000')];
  await children.close();
  expect(all.map(({ pid }) => isAlive(pid))).toEqual([false, false]);
  expect(existsSync(scratch)).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

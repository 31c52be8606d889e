import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodProcess } from '../bed/pod-process.ts';
import type { BenchBed } from './bench-bed.ts';
import { type Memory, memoryOf } from './memory.ts';

/**
 * What a program holds on a machine of its own: all programs of a bed share the pages of one Node binary, which they do not on
 * real nodes. So one is run from a copy of that binary, in its own place, until it has been idle for a while.
 */
export async function memoryAlone({ bed, until }: BenchBed, original: PodProcess, idleMs: number, signal: AbortSignal): Promise<Memory> {
  const { pid, name, component } = original;
  if (pid === undefined) throw new Error(`${name} does not run`);
  const [, ...args] = await zeroSeparated(`/proc/${pid}/cmdline`);
  const env = Object.fromEntries((await zeroSeparated(`/proc/${pid}/environ`)).map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
  const command = path.join(bed.home.scratch, `${component}-alone`);
  await copyFile(`/proc/${pid}/exe`, command);
  const mark = await bed.audit.mark();
  await original.hold();
  const child = await bed.home.children.spawn({
    name: `${component}-alone`,
    command,
    args,
    env,
    log: bed.home.log(`${component}-alone`),
    cwd: bed.home.scratch,
  });
  try {
    await until(async () => (await bed.audit.find({ verb: 'watch', userAgent: `lockkeeper-${component}/` }, mark)).length > 0);
    await sleep(idleMs, undefined, { signal });
    return await memoryOf(child.pid);
  } finally {
    await child.stop(0);
    original.release();
  }
}

async function zeroSeparated(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\0').filter((part) => part !== '');
}

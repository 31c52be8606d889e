import { readFile } from 'node:fs/promises';
import type { PodProcess } from '../bed/pod-process.ts';

const WARN = 40;

/** How many lines a program of ours wrote between two instants (ms since the epoch), and how many of them were warnings or errors. */
export async function linesBetween({ log }: PodProcess, from: number, to: number): Promise<{ all: number; warnings: number }> {
  const lines = (await readFile(log, 'utf8')).split('\n').flatMap((text) => {
    // What is not ours: the runtime's own words on a crash, or a last line cut by a SIGKILL.
    if (!text.startsWith('{') || !text.endsWith('}')) return [];
    const { time, level } = JSON.parse(text) as { time: number | string; level: number };
    return [{ at: new Date(time).getTime(), level }];
  });
  const within = lines.filter(({ at }) => at >= from && at <= to);
  return { all: within.length, warnings: within.filter(({ level }) => level >= WARN).length };
}

import { readdir, readFile } from 'node:fs/promises';
import { type Memory, memoryOf } from '../memory.ts';

/** MB of a million bytes; pages that several share count by their share (`pss`), or whole for each (`rss`). */
export type Held = Pick<Memory, 'pss' | 'rss'>;

/** The processes of each of these groups: a command may have started others. */
async function membersOf(groups: readonly number[]): Promise<number[]> {
  const wanted = new Set(groups);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const members = await Promise.all(
    pids.map(async (pid) => {
      const group = await readFile(`/proc/${pid}/stat`, 'utf8').then(groupIn, () => undefined);
      return group !== undefined && wanted.has(group) ? [Number(pid)] : [];
    }),
  );
  return members.flat();
}

/** The process group in /proc/PID/stat; the program's name before it may hold spaces and brackets. */
function groupIn(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}

/** What all processes of these groups hold together. */
export async function memoryOfGroups(groups: readonly number[]): Promise<Held> {
  const held = await Promise.all((await membersOf(groups)).map((pid) => memoryOf(pid).catch(ended)));
  return {
    pss: held.reduce((sum, { pss }) => sum + pss, 0),
    rss: held.reduce((sum, { rss }) => sum + rss, 0),
  };
}

/** A process that ends just then holds nothing. */
const ended = (): Held => ({ pss: 0, rss: 0 });

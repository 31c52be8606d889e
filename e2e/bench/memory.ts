import { readFile } from 'node:fs/promises';

/** What a process holds, in MB of a million bytes. */
export interface Memory {
  /** Pages that it shares with others count as its share of them. */
  readonly pss: number;
  /** Pages that it shares with others count whole. */
  readonly rss: number;
  /** What no file stands behind. */
  readonly anonymous: number;
}

/** Reads /proc/PID/smaps_rollup. */
export async function memoryOf(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string): number => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/${pid}/smaps_rollup has no ${name}`);
    return (Number(kibibytes) * 1024) / 1e6;
  };
  return { pss: of('Pss'), rss: of('Rss'), anonymous: of('Anonymous') };
}

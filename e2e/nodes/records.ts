import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** Where every bed on this machine is written down, as root alone may write it. */
export const recordsFolder = '/run/lockkeeper-nodes';

const id = /^[0-9a-f]{6}$/;
const machine = z.object({ name: z.string().regex(/^[a-z0-9-]{1,63}$/), control: z.string().startsWith('/') });
const recordSchema = z
  .object({
    id: z.string().regex(id),
    /** The process that started the bed and ends it, and when that began: a number is used again, the pair is not. */
    pid: z.int().positive(),
    startTime: z.string().regex(/^\d+$/),
    scratch: z.string().regex(/^\/(?:[^/]+\/)*bed-[^/.]+$/),
    out: z.string().startsWith('/'),
    /** The bed's own folder in each hierarchy; all that runs there is the bed's. */
    cgroups: z.array(z.string()),
    kubeconfig: z.string().optional(),
    machines: z.array(machine),
    ready: z.boolean(),
  })
  .refine(({ id, cgroups }) => cgroups.every((each) => isCgroupOf(id, each)));

/** What is known of one bed, for other processes and for those who clean up after it. */
export type BedRecord = z.infer<typeof recordSchema>;

/** What these name is removed with all that is in it, so it must be a bed's beyond doubt. */
function isCgroupOf(id: string, folder: string): boolean {
  return /^\/sys\/fs\/cgroup(?:\/[a-z][^/]*)?\/[^/]+$/.test(folder) && path.basename(folder) === cgroupName(id);
}

/** The name of a bed's folder in each cgroup hierarchy. */
export const cgroupName = (id: string): string => `lockkeeper-${id}`;

export const recordFile = (id: string): string => path.join(recordsFolder, `${id}.json`);

export async function writeRecord(record: BedRecord): Promise<void> {
  await mkdir(recordsFolder, { recursive: true, mode: 0o700 });
  const unfinished = `${recordFile(record.id)}.new`;
  await writeFile(unfinished, JSON.stringify(record), { mode: 0o600 });
  await rename(unfinished, recordFile(record.id));
}

/** All beds that are written down, also those whose process is gone. What cannot be read is left alone. */
export async function readRecords(): Promise<BedRecord[]> {
  const files = await readdir(recordsFolder).catch(() => []);
  const found: BedRecord[] = [];
  for (const file of files.filter((each) => each.endsWith('.json')).sort()) {
    const record = await readRecord(path.join(recordsFolder, file));
    if (record !== undefined && recordFile(record.id) === path.join(recordsFolder, file)) found.push(record);
  }
  return found;
}

async function readRecord(file: string): Promise<BedRecord | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseRecord(text);
}

/** Undefined where the text is no record that can be trusted. */
export function parseRecord(text: string): BedRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Whether the process that started the bed still runs. */
export async function isAlive({ pid, startTime }: Pick<BedRecord, 'pid' | 'startTime'>): Promise<boolean> {
  return (await startTimeOf(pid)) === startTime;
}

/** When a process began, in the kernel's own ticks; undefined where there is none, or only its remains. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in parentheses, may hold anything.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : fields[18];
}

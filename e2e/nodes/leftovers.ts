import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type BedRecord, isAlive, readRecords, recordFile } from './records.ts';

const script = fileURLToPath(new URL('reaper.sh', import.meta.url));

/** Waits beside the bed, and takes back what is left when the bed's process ends. */
export interface Reaper {
  /** Has it begin now; settles when nothing is left. @throws LeftoverError where something would not go */
  close(): Promise<void>;
}

/** Something of a bed is still there; a retry may help. */
export class LeftoverError extends Error {
  override readonly name = 'LeftoverError';
}

/** Starts the reaper of a bed; it survives this process, and knows its end by the pipe that is its stdin. */
export function startReaper(record: Pick<BedRecord, 'id' | 'scratch' | 'cgroups'>): Reaper {
  const reaper = launch(record);
  const ended = once(reaper, 'exit');
  reaper.stdin?.on('error', () => undefined);
  (reaper.stdin as { unref?(): void } | null)?.unref?.();
  reaper.unref();
  return {
    async close() {
      reaper.ref();
      reaper.stdin?.end();
      const [code] = (await ended) as [number | null];
      if (code !== 0) throw new LeftoverError(`something of bed ${record.id} does not go; see ${recordFile(record.id)}`);
    },
  };
}

/** Removes what beds have left whose process is gone, and says which; beds that live are left alone. */
export async function removeLeftovers(): Promise<string[]> {
  const gone: BedRecord[] = [];
  for (const record of await readRecords()) if (!(await isAlive(record))) gone.push(record);
  await Promise.all(gone.map((record) => startReaper(record).close()));
  return gone.map(({ id }) => id);
}

function launch({ id, scratch, cgroups }: Pick<BedRecord, 'id' | 'scratch' | 'cgroups'>): ChildProcess {
  return spawn('/bin/sh', [script, recordFile(id), scratch, ...cgroups], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
}

import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Figure } from '../figure.ts';

/** What was measured at one size, as far as it has come: `scale-NODES.json`, or `scale-soak.json`. */
export interface ScaleRecord {
  readonly kind: 'size' | 'soak';
  readonly nodes: number;
  readonly pods: number;
  readonly machine: readonly string[];
  readonly command: string;
  readonly startedAt: string;
  /** Whether the machine did other things when it began: such figures are a rehearsal. */
  readonly loaded: boolean;
  /** False while it is being measured, and for good where it was ended early. */
  complete: boolean;
  readonly figures: Figure[];
  /** Requests by who sent what, by phase. */
  readonly requests: Record<string, Readonly<Record<string, number>>>;
  /** Cores that each program used in a phase, by phase. */
  readonly cores: Record<string, Readonly<Record<string, number>>>;
  /** Over time, in minutes since the phase began. */
  readonly series: Record<string, readonly (readonly [minute: number, value: number])[]>;
}

/** Writes a record whole, or not at all. */
export async function writeRecord(folder: string, record: ScaleRecord): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, record.kind === 'soak' ? 'scale-soak.json' : `scale-${record.nodes}.json`);
  await writeFile(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** All records of a folder: sizes in their order, then the soak. */
export async function readRecords(folder: string): Promise<ScaleRecord[]> {
  const names = (await readdir(folder)).filter((name) => /^scale-(\d+|soak)\.json$/.test(name));
  const records = await Promise.all(names.map(async (name) => JSON.parse(await readFile(path.join(folder, name), 'utf8')) as ScaleRecord));
  return records.toSorted((a, b) => Number(a.kind === 'soak') - Number(b.kind === 'soak') || a.nodes - b.nodes);
}

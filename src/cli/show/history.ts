import type { Colors } from 'picocolors/types.js';
import { lasting } from '../../core/lasting.ts';
import { instant } from '../../core/world.ts';
import { type Names, targetsOf } from '../by-hand/targets.ts';
import type { Fleet } from '../fleet.ts';
import { compactTable } from './output.ts';

/** An update that has ended, as `-o json` prints it. */
export interface HistoryEntry {
  node: string;
  policy?: string;
  from: string;
  to: string;
  startedAt: string;
  finishedAt: string;
  outcome: string;
  urgent?: true | undefined;
}

/** The updates that have ended, oldest first; a node remembers its last ten. */
export function historyOf(fleet: Fleet, names: Names): HistoryEntry[] {
  const wanted =
    names.names.length === 0
      ? fleet.nodes
      : targetsOf(fleet, names).flatMap((target) => (target.kind === 'policy' ? target.nodes : [target.node]));
  return wanted
    .flatMap(({ name, status: { policy, history = [] } }) =>
      history.map((entry) => ({ node: name, ...(policy !== undefined && { policy }), ...entry })),
    )
    .sort((a, b) => instant(a.finishedAt) - instant(b.finishedAt));
}

/** A history for people; times in UTC. */
export function renderHistory(entries: readonly HistoryEntry[], colors: Colors): string {
  if (entries.length === 0) return 'No update has ended yet.\n';
  const rows = entries.map(({ node, from, to, startedAt, finishedAt, outcome, urgent }) => [
    node,
    from,
    to,
    startedAt.replace(/\.\d+Z$/, 'Z'),
    lasting(instant(finishedAt) - instant(startedAt)),
    outcome,
    urgent === true ? 'urgent' : '',
  ]);
  const paint = (cell: string, column: number, row: number): string =>
    row === -1 ? colors.dim(cell) : column === 5 && cell !== 'Updated' ? colors.yellow(cell) : cell;
  return `${compactTable(['NODE', 'FROM', 'TO', 'STARTED', 'TOOK', 'OUTCOME', 'URGENT'], rows, paint).join('\n')}\n`;
}

import type { Fleet } from '../../cli/fleet.ts';
import { type HistoryEntry as Ended, historyOf } from '../../cli/show/history.ts';
import { instant } from '../../core/world.ts';
import type { HistoryAnswer, HistoryEntry, TargetKind } from '../wire.ts';

/** Of 5,000 nodes with ten updates each nobody reads more. */
const MAX_ENTRIES = 500;

/** The updates of a policy's nodes, of one node or of all that have ended, newest first. Throws a RefusedError where there is no such thing. */
export function historyAnswer(fleet: Fleet, of: { kind: TargetKind; name: string } | undefined): HistoryAnswer {
  const ended = historyOf(fleet, { names: of === undefined ? [] : [`${of.kind}/${of.name}`] });
  return { entries: ended.slice(-MAX_ENTRIES).reverse().map(entryOf), total: ended.length };
}

const entryOf = ({ startedAt, finishedAt, urgent, ...rest }: Ended): HistoryEntry => ({
  ...rest,
  startedAt: instant(startedAt),
  finishedAt: instant(finishedAt),
  ...(urgent === true && { urgent }),
});

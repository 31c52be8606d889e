import { Cron } from 'croner';
import { durationMs } from '../api/primitives.ts';
import type { ScheduleSpec } from '../api/schedule.ts';
import type { Instant } from './world.ts';

/** The times in which something holds, over and over or once: each from its start up to, not including, its end. */
export interface Spans {
  /** Where their times are read by people. */
  timeZone: string;
  /** What they are for, where somebody has said so. */
  reason?: string | undefined;
  /** The last end of a span that is under way at an instant; undefined where none is. */
  endAt(at: Instant): Instant | undefined;
  /** The first start after an instant; undefined where there is none. */
  nextStart(after: Instant): Instant | undefined;
}

type WindowSpec = NonNullable<ScheduleSpec['windows']>[number];
type ExclusionSpec = NonNullable<ScheduleSpec['exclusions']>[number];

/** What cannot be read of a window; for people. */
export class UnreadableWindow extends Error {
  override readonly name = 'UnreadableWindow';
}

/**
 * A window: open from each time that its cron names in its zone, for its duration in elapsed time. A time of day that the
 * clocks skip counts at the end of the gap, one that they show twice counts once; with a wildcard or a step among hours, minutes
 * or seconds, the first does not count and the second counts twice. Throws an UnreadableWindow.
 */
export function windowOf({ cron, duration, timeZone }: WindowSpec): Spans {
  const clock = readCron(cron, timeZone);
  const length = durationMs(duration);
  if (clock.nextRun(EPOCH) === null) throw new UnreadableWindow(`cron ${JSON.stringify(cron)} names no time that ever comes`);
  return {
    timeZone,
    endAt(at) {
      // What it is asked for is before: the start at that very instant is wanted, too.
      const start = clock.previousRuns(1, new Date(at + 1))[0]?.getTime();
      return start !== undefined && at < start + length ? start + length : undefined;
    },
    nextStart: (after) => clock.nextRun(new Date(after))?.getTime(),
  };
}

const EPOCH = new Date(0);

function readCron(cron: string, timeZone: string): Cron {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw new UnreadableWindow(`timeZone ${JSON.stringify(timeZone)} is no time zone such as Asia/Seoul or UTC`);
  }
  try {
    return new Cron(cron, { timezone: timeZone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' });
  } catch {
    throw new UnreadableWindow(`cron ${JSON.stringify(cron)} is no cron expression such as "0 2 * * 2-4"`);
  }
}

/** An exclusion: one span, from its first instant to its end. */
export function exclusionOf({ from, to, reason }: ExclusionSpec, timeZone: string): Spans {
  const start = Date.parse(from);
  const end = Date.parse(to);
  if (!(start < end)) throw new UnreadableWindow(`from ${JSON.stringify(from)} to ${JSON.stringify(to)} is no time`);
  return {
    timeZone,
    reason,
    endAt: (at) => (start <= at && at < end ? end : undefined),
    nextStart: (after) => (after < start ? start : undefined),
  };
}

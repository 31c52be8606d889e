import type { ScheduleSpec } from '../../api/schedule.ts';
import { type Instant, timestamp } from '../world.ts';

const MINUTE = 60_000;

/** When random worlds begin. */
export const BEGIN = Date.parse('2026-03-01T12:00:00Z');

/** Schedules of simulated policies, each of which opens again and again, or for good. */
export const CALENDARS = ['always', 'windows', 'exclusion'] as const;
export type Calendar = (typeof CALENDARS)[number];

const windows = [{ cron: '*/20 * * * *', duration: '7m', timeZone: 'UTC' }];
const exclusions = [{ from: timestamp(BEGIN + 10 * MINUTE), to: timestamp(BEGIN + 50 * MINUTE) }];

/** The spec of a calendar. */
export function scheduleOf(calendar: Calendar, onClose: ScheduleSpec['onClose']): ScheduleSpec {
  switch (calendar) {
    case 'always':
      return { always: true, onClose };
    case 'windows':
      return { windows, onClose };
    case 'exclusion':
      return { always: true, exclusions, onClose };
  }
}

/** Whether nodes may be begun, by arithmetic of its own: the first seven of every twenty minutes, and never in an exclusion. */
export function mayBegin(schedule: ScheduleSpec | undefined, at: Instant): boolean {
  const inWindow = schedule?.windows === undefined || (at / MINUTE) % 20 < 7;
  return inWindow && !(schedule?.exclusions ?? []).some(({ from, to }) => Date.parse(from) <= at && at < Date.parse(to));
}

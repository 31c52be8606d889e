import { describe, expect, test } from '@jest/globals';
import { readSchedule } from './schedule.ts';
import { timestamp } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const AROUND = 10 * HOUR;
const LONGEST = 25 * HOUR;

/** A cron expression, and by hand what it means. */
interface Case {
  cron: string;
  duration: string;
  minutes: readonly number[];
  hours: readonly number[];
  weekdays?: readonly number[];
  /** Goes by elapsed time and not by the time of day. */
  wild?: true;
}

const every = (step: number, end: number) => Array.from({ length: end / step }, (_, index) => index * step);

const cases: readonly Case[] = [
  { cron: '0 2 * * *', duration: '4h', minutes: [0], hours: [2] },
  { cron: '30 2 * * *', duration: '45m', minutes: [30], hours: [2] },
  { cron: '15 1,2,3 * * *', duration: '20m', minutes: [15], hours: [1, 2, 3] },
  { cron: '50 23 * * 6,0', duration: '3h30m', minutes: [50], hours: [23], weekdays: [6, 7] },
  { cron: '0 0 * * *', duration: '25h', minutes: [0], hours: [0] },
  { cron: '*/30 * * * *', duration: '10m', minutes: [0, 30], hours: every(1, 24), wild: true },
  { cron: '10 */2 * * *', duration: '1h', minutes: [10], hours: every(2, 24), wild: true },
];

const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Sao_Paulo', 'Asia/Seoul', 'UTC'];
const changes = zones.flatMap((zone) => changesOf(zone).map((at) => ({ zone, at, name: `${zone} ${timestamp(at)}` })));

describe('windows around every change of the clocks from 2025 to 2030', () => {
  test('there are as many as there are', () => {
    const counts = zones.map((zone) => changes.filter((change) => change.zone === zone).length);
    // Where the clocks never change, one day is looked at.
    expect(counts).toEqual([12, 12, 12, 1, 1, 1]);
  });

  test.each(changes)('$name', ({ zone, at }) => {
    const clock = wallClock(zone, at - AROUND - LONGEST, at + AROUND);
    const wrong = cases.flatMap((window) => {
      const { problems, stateAt } = readSchedule({
        windows: [{ cron: window.cron, duration: window.duration, timeZone: zone }],
        onClose: 'Finish',
      });
      const minutes = openMinutes(window, clock);
      const flips = minutes.flatMap(({ open, minute }, index) => (index > 0 && minutes[index - 1]?.open !== open ? [minute] : []));
      const some = minutes.filter((_, index) => index % 90 === 7).map(({ minute }) => minute + 1);
      const near = flips.filter((flip) => Math.abs(flip - at) < 3 * HOUR);
      const found = [...some, ...near, ...near.map((flip) => flip - 1)].filter((instant) => {
        const open = minutes.findLast(({ minute }) => minute <= instant)?.open;
        const nextChange = flips.find((flip) => flip > instant);
        const state = stateAt(instant);
        return state.open !== open || (nextChange !== undefined && state.nextChange?.at !== nextChange);
      });
      return [...problems, ...found.map((instant) => `${window.cron} for ${window.duration} at ${timestamp(instant)}`)];
    });
    expect(wrong).toEqual([]);
  });
});

/** The instants at which a zone's clocks change; one day where they never do. */
function changesOf(zone: string): number[] {
  const end = Date.parse('2031-01-01T00:00:00Z');
  const found: number[] = [];
  for (let at = Temporal.ZonedDateTime.from(`2025-01-01T00:00:00[${zone}]`); ; ) {
    const next = at.getTimeZoneTransition('next');
    if (next === null || next.epochMilliseconds >= end) break;
    found.push(next.epochMilliseconds);
    at = next;
  }
  return found.length > 0 ? found : [Date.parse('2026-03-01T00:00:00Z')];
}

/** One minute, with what the clock on the wall shows then, and what it skipped just before. */
interface WallMinute {
  minute: number;
  wall: Temporal.PlainDateTime;
  /** It has shown that time before. */
  repeated: boolean;
  skipped: readonly Temporal.PlainDateTime[];
}

function wallClock(zone: string, from: number, to: number): WallMinute[] {
  const clock: WallMinute[] = [];
  for (let minute = from; minute <= to; minute += MINUTE) {
    const wall = Temporal.Instant.fromEpochMilliseconds(minute).toZonedDateTimeISO(zone).toPlainDateTime();
    const repeated = wall.toZonedDateTime(zone, { disambiguation: 'earlier' }).epochMilliseconds !== minute;
    const skipped: Temporal.PlainDateTime[] = [];
    let next = clock.at(-1)?.wall.add({ minutes: 1 });
    for (; next !== undefined && Temporal.PlainDateTime.compare(next, wall) < 0; next = next.add({ minutes: 1 })) skipped.push(next);
    clock.push({ minute, wall, repeated, skipped });
  }
  return clock;
}

/** For every minute whether a window is open: its starts are found by looking at the clock on the wall. */
function openMinutes(window: Case, clock: readonly WallMinute[]): { minute: number; open: boolean }[] {
  const length = Temporal.Duration.from(`PT${window.duration.toUpperCase()}`).total('milliseconds');
  const starts = clock
    .filter(({ wall, repeated, skipped }) =>
      window.wild === true ? matches(window, wall) : (matches(window, wall) && !repeated) || skipped.some((time) => matches(window, time)),
    )
    .map(({ minute }) => minute);
  return clock
    .slice(LONGEST / MINUTE)
    .map(({ minute }) => ({ minute, open: starts.some((start) => start <= minute && minute < start + length) }));
}

function matches({ minutes, hours, weekdays }: Case, wall: Temporal.PlainDateTime): boolean {
  return (
    wall.second === 0 &&
    minutes.includes(wall.minute) &&
    hours.includes(wall.hour) &&
    (weekdays === undefined || weekdays.includes(wall.dayOfWeek))
  );
}

import type { ScheduleSpec } from '../../api/schedule.ts';
import { type OldCron, readOldCron } from './old-cron.ts';

/** A schedule of ours, or why there is none that says the same. */
export type Carried = { schedule: ScheduleSpec | undefined } | { problem: string };

/** What the old controller was told of its times, by its environment. */
export interface OldSchedule {
  /** SCHEDULER_CRON_EXPRESSION. */
  cron?: string;
  /** UPDATE_WINDOW_START and UPDATE_WINDOW_STOP, which came before. */
  start?: string;
  stop?: string;
}

const DAY = 24 * 60;
const MAX_WINDOWS = 16;
const TIME = /^(2[0-3]|[01]?[0-9]):([0-5]?[0-9]):([0-5]?[0-9])$/;

/**
 * The schedule that begins nodes when the old controller did; an undefined one is always open. `duration` is for an expression that names
 * moments: the old controller begins then and goes on until nothing is left, and we have no window without an end.
 */
export function carrySchedule({ cron, start, stop }: OldSchedule, duration: string | undefined): Carried {
  // Where both are set, the old controller goes by the cron expression.
  if (cron !== undefined) return carryCron(cron, duration);
  if (start === undefined && stop === undefined) return { schedule: undefined };
  const [from, to] = [hourOf(start), hourOf(stop)];
  const said = `UPDATE_WINDOW_START=${start ?? ''} UPDATE_WINDOW_STOP=${stop ?? ''}`;
  if (from === undefined || to === undefined) return { problem: `${said}: both must be times such as 21:00:00` };
  if (start === stop) return { problem: `${said}: its earlier releases read this as always, later ones as one hour` };
  // It looks at the hours alone, and the last one counts to its end.
  return carryCron(from <= to ? `* * ${from}-${to} * * *` : `* * ${from}-23,0-${to} * * *`, duration);
}

const hourOf = (time: string | undefined): number | undefined => {
  const hour = TIME.exec(time ?? '')?.[1];
  return hour === undefined ? undefined : Number(hour);
};

function carryCron(expression: string, duration: string | undefined): Carried {
  const cron = readOldCron(expression);
  const said = JSON.stringify(expression);
  if (cron === undefined) return { problem: `${said} is no cron expression that the old controller reads` };
  if (cron.years) return { problem: `${said} names years, and our windows come every year` };
  const [days, weekdays] = [cron.days.length < 31, cron.weekdays.length < 7];
  if (days && weekdays)
    return { problem: `${said} wants a day of the month and a day of the week at once, and our windows take either of them` };
  if (cron.seconds.length === 60) return carryWindows(cron, said);
  if (cron.seconds.length > 1 || cron.minutes.length > 1)
    return { problem: `${said} names moments so close to each other that it is a window in parts` };
  if (duration === undefined)
    return {
      problem: `${said} names moments: the old controller begins then and goes on until no node is left, and our windows have an end; say how long with --window-duration, such as --window-duration 4h`,
    };
  const at = `${cron.seconds[0] === 0 ? '' : `${cron.seconds[0]} `}${cron.minutes[0]} ${listed(cron.hours, 24)} ${dayFields(cron)}`;
  return { schedule: scheduleOf([{ cron: at, duration }]) };
}

/** Every second of some minutes: the minutes that follow on each other make a window. */
function carryWindows(cron: OldCron, said: string): Carried {
  const open = new Set(cron.hours.flatMap((hour) => cron.minutes.map((minute) => hour * 60 + minute)));
  const daily = cron.days.length === 31 && cron.weekdays.length === 7 && cron.months.length === 12;
  if (open.size === DAY) return { schedule: daily ? undefined : scheduleOf([{ cron: `0 0 ${dayFields(cron)}`, duration: '24h' }]) };
  const before = (minute: number): number | undefined => (minute > 0 ? minute - 1 : daily ? DAY - 1 : undefined);
  const starts = [...open].filter((minute) => !open.has(before(minute) ?? -1)).sort((a, b) => a - b);
  const runs = starts.map((from) => ({ from, minutes: lengthOf(open, from, daily) }));
  // Hours that open alike share a window.
  const alike = Map.groupBy(runs, ({ from, minutes }) => `${from % 60} ${minutes}`);
  if (alike.size > MAX_WINDOWS)
    return { problem: `${said} opens ${runs.length} times a day: more than the ${MAX_WINDOWS} windows that a policy can have` };
  return {
    schedule: scheduleOf(
      [...alike.values()].map((group) => ({
        cron: `${(group[0]?.from ?? 0) % 60} ${listed(
          group.map(({ from }) => Math.floor(from / 60)),
          24,
        )} ${dayFields(cron)}`,
        duration: durationOf(group[0]?.minutes ?? 0),
      })),
    ),
  };
}

function lengthOf(open: ReadonlySet<number>, from: number, wraps: boolean): number {
  let minutes = 0;
  while (minutes < DAY && open.has(wraps ? (from + minutes) % DAY : from + minutes)) minutes += 1;
  return minutes;
}

const scheduleOf = (windows: { cron: string; duration: string }[]): ScheduleSpec => ({
  windows: windows.map((window) => ({ ...window, timeZone: 'UTC' })),
  // The old controller finishes what it has begun.
  onClose: 'Finish',
});

const dayFields = ({ days, months, weekdays }: OldCron): string => `${listed(days, 31)} ${listed(months, 12)} ${listed(weekdays, 7)}`;

/** `1,2,3,5` → `1-3,5`; all of them: `*`. */
function listed(values: readonly number[], all: number): string {
  if (values.length === all) return '*';
  const ranges: [number, number][] = [];
  for (const value of values) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === value - 1) last[1] = value;
    else ranges.push([value, value]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function durationOf(minutes: number): string {
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return `${hours > 0 ? `${hours}h` : ''}${rest > 0 ? `${rest}m` : ''}`;
}

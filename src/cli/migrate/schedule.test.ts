import { describe, expect, test } from '@jest/globals';
import { readSchedule } from '../../core/schedule.ts';
import { readOldCron } from './old-cron.ts';
import { carrySchedule, type OldSchedule } from './schedule.ts';

const MINUTE = 60_000;
const fromInstant = Date.parse('2026-02-20T00:00:00Z');
const until = Date.parse('2026-03-10T00:00:00Z');

const windows = (...list: [string, string][]) => ({
  schedule: { windows: list.map(([cron, duration]) => ({ cron, duration, timeZone: 'UTC' })), onClose: 'Finish' },
});

describe('a schedule of windows', () => {
  test.each<[OldSchedule, object]>([
    [{}, { schedule: undefined }],
    [{ cron: '* * * * * * *' }, { schedule: undefined }],
    [{ cron: '* * * * * *' }, { schedule: undefined }],
    [{ cron: '* * 10-12 * * MON *' }, windows(['0 10 * * 1', '3h'])],
    [{ cron: '* * 10-12 ? * Mon-Thurs' }, windows(['0 10 * * 1-4', '3h'])],
    [{ cron: '* * 21-23,0-5 * * * *' }, windows(['0 21 * * *', '9h'])],
    [{ cron: '* * 21-23,0-5 * * Fri *' }, windows(['0 0 * * 5', '6h'], ['0 21 * * 5', '3h'])],
    [{ cron: '* * * * * 1,7' }, windows(['0 0 * * 0,6', '24h'])],
    [{ cron: '* 0-29 2 1,15 jan-mar * *' }, windows(['0 2 1,15 1-3 *', '30m'])],
    [{ cron: '* 0-29 2,4 * * *' }, windows(['0 2,4 * * *', '30m'])],
    [{ cron: '* 30-59 2-3 * * *' }, windows(['30 2-3 * * *', '30m'])],
    [{ cron: '* */30 2 * * *' }, windows(['0 2 * * *', '1m'], ['30 2 * * *', '1m'])],
    [{ cron: '* 50/5,51-54,56-59 22 * * *' }, windows(['50 22 * * *', '10m'])],
    [{ start: '09:00:00', stop: '21:00:00' }, windows(['0 9 * * *', '13h'])],
    [{ start: '21:0:0', stop: '8:30:0' }, windows(['0 21 * * *', '12h'])],
    [{ cron: '* * 3 * * *', start: '1:0:0', stop: '2:0:0' }, windows(['0 3 * * *', '1h'])],
  ])('%j', (old, expected) => {
    const carried = carrySchedule(old, undefined);
    expect(carried).toEqual(expected);
    const { schedule } = carried as { schedule: Parameters<typeof readSchedule>[0] };
    expect(readSchedule(schedule).problems).toEqual([]);
    // Minute by minute it is open when the old one was.
    const cron = old.cron === undefined ? undefined : readOldCron(old.cron);
    const wasOpen = (at: Date): boolean =>
      cron === undefined ||
      (cron.minutes.includes(at.getUTCMinutes()) &&
        cron.hours.includes(at.getUTCHours()) &&
        cron.days.includes(at.getUTCDate()) &&
        cron.months.includes(at.getUTCMonth() + 1) &&
        cron.weekdays.includes(at.getUTCDay()));
    if (old.cron === undefined && old.start !== undefined) return;
    const read = readSchedule(schedule);
    const differs: string[] = [];
    for (let at = fromInstant; at < until; at += MINUTE)
      if (read.stateAt(at + MINUTE / 2).open !== wasOpen(new Date(at))) differs.push(new Date(at).toISOString());
    expect(differs.slice(0, 3)).toEqual([]);
  });
});

describe('a schedule of moments', () => {
  test.each<[string, object]>([
    ['0 0 10 * * Mon', windows(['0 10 * * 1', '4h'])],
    ['30 15 1,13 * * *', windows(['30 15 1,13 * * *', '4h'])],
    ['@weekly', windows(['0 0 * * 0', '4h'])],
    ['@daily', windows(['0 0 * * *', '4h'])],
  ])('%s needs a duration', (cron, expected) => {
    expect(carrySchedule({ cron }, undefined)).toEqual({ problem: expect.stringMatching(/names moments.*--window-duration 4h/) });
    const carried = carrySchedule({ cron }, '4h');
    expect(carried).toEqual(expected);
    expect(readSchedule((carried as { schedule: Parameters<typeof readSchedule>[0] }).schedule).problems).toEqual([]);
  });
});

test.each<[OldSchedule, RegExp]>([
  [{ cron: '* * 4 1 12 * 2099' }, /names years/],
  [{ cron: '* * 10 1-7 * Mon *' }, /day of the month and a day of the week at once/],
  [{ cron: '* */2 * * * *' }, /opens 720 times a day/],
  [{ cron: '0-30 * * * * *' }, /so close to each other/],
  [{ cron: '0 */5 2 * * *' }, /so close to each other/],
  [{ cron: '* * * *' }, /no cron expression that the old controller reads/],
  [{ cron: '* * 25 * * *' }, /no cron expression/],
  [{ cron: '* ? * * * *' }, /no cron expression/],
  [{ cron: '* * 5-3 * * *' }, /no cron expression/],
  [{ cron: '* * * * * Mon,Turtle' }, /no cron expression/],
  [{ cron: '' }, /no cron expression/],
  [{ start: '0:0:0', stop: '0:0:0' }, /earlier releases read this as always/],
  [{ start: '9:00', stop: '10:00:00' }, /must be times/],
  [{ start: '9:00:00' }, /must be times/],
])('%j is not guessed', (old, words) => {
  expect(carrySchedule(old, '4h')).toEqual({ problem: expect.stringMatching(words) });
});

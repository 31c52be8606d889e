import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ScheduleSpec } from '../api/schedule.ts';
import { inZone, readSchedule } from './schedule.ts';
import { timestamp } from './world.ts';

type Windows = NonNullable<ScheduleSpec['windows']>;

const at = (time: string) => Date.parse(time);
const schedule = (windows: Windows | undefined, exclusions: ScheduleSpec['exclusions'] = []): ScheduleSpec => ({
  ...(windows === undefined ? { always: true } : { windows }),
  exclusions,
  onClose: 'Finish',
});
const utc = (cron: string, duration: string): Windows[number] => ({ cron, duration, timeZone: 'UTC' });

function stateOf(spec: ScheduleSpec | undefined, time: string) {
  const { open, nextChange, until, exclusion } = readSchedule(spec).stateAt(at(time));
  return {
    open,
    nextChange: nextChange === undefined ? undefined : timestamp(nextChange.at),
    until: Number.isFinite(until) ? timestamp(until) : undefined,
    ...(exclusion && { exclusion: timestamp(exclusion.at), reason: exclusion.reason }),
  };
}

test('a schedule says the same whatever it was asked before', () => {
  const spec = schedule(
    [utc('0 2 * * *', '4h'), { cron: '30 5 * * 1', duration: '90m', timeZone: 'Asia/Seoul' }],
    [{ from: '2026-03-03T00:00:00Z', to: '2026-03-05T03:00:00Z', reason: 'a fair' }],
  );
  const asked = fc.array(fc.integer({ min: 0, max: 7 * 24 * 60 }), { minLength: 2, maxLength: 8 });
  const outcome = fc.check(
    fc.property(asked, (minutes) => {
      for (const minute of minutes) {
        const time = timestamp(at('2026-03-01T00:00:00Z') + minute * 60_000);
        expect(stateOf(spec, time)).toEqual(stateOf(structuredClone(spec), time));
      }
    }),
    { seed: 20260303, numRuns: 60 },
  );
  expect(outcome.counterexample).toBeNull();
});

describe('a schedule of windows', () => {
  // 2026-03-01 is a Sunday.
  test.each<[what: string, windows: Windows, time: string, open: boolean, nextChange: string | undefined]>([
    ['before it opens', [utc('0 2 * * *', '4h')], '2026-03-01T01:59:59.999Z', false, '2026-03-01T02:00:00.000Z'],
    ['at its first instant', [utc('0 2 * * *', '4h')], '2026-03-01T02:00:00Z', true, '2026-03-01T06:00:00.000Z'],
    ['in the middle', [utc('0 2 * * *', '4h')], '2026-03-01T04:12:34.567Z', true, '2026-03-01T06:00:00.000Z'],
    ['at its last instant', [utc('0 2 * * *', '4h')], '2026-03-01T05:59:59.999Z', true, '2026-03-01T06:00:00.000Z'],
    ['at its end', [utc('0 2 * * *', '4h')], '2026-03-01T06:00:00Z', false, '2026-03-02T02:00:00.000Z'],
    ['past midnight, by the day on which it began', [utc('0 22 * * 5', '6h')], '2026-03-07T03:00:00Z', true, '2026-03-07T04:00:00.000Z'],
    ['and not by the present day', [utc('0 22 * * 5', '6h')], '2026-03-06T03:00:00Z', false, '2026-03-06T22:00:00.000Z'],
    ['past the end of the week', [utc('0 20 * * 6', '12h')], '2026-03-01T07:59:00Z', true, '2026-03-01T08:00:00.000Z'],
    ['past the end of the year', [utc('0 20 31 12 *', '12h')], '2026-01-01T01:00:00Z', true, '2026-01-01T08:00:00.000Z'],
    ['that lasts longer than a week', [utc('0 0 1 * *', '240h')], '2026-03-10T23:00:00Z', true, '2026-03-11T00:00:00.000Z'],
    ['by seconds', [utc('30 0 2 * * *', '10s')], '2026-03-01T02:00:39.999Z', true, '2026-03-01T02:00:40.000Z'],
    ['with a gap of a day', [utc('0 2 * * 2-4', '4h')], '2026-03-05T06:00:00Z', false, '2026-03-10T02:00:00.000Z'],
    ['that overlap', [utc('0 2 * * *', '4h'), utc('0 5 * * *', '2h')], '2026-03-01T03:00:00Z', true, '2026-03-01T07:00:00.000Z'],
    ['one within the other', [utc('0 2 * * *', '4h'), utc('0 3 * * *', '1h')], '2026-03-01T03:30:00Z', true, '2026-03-01T06:00:00.000Z'],
    [
      'that follow without a gap',
      [utc('0 2 * * *', '1h'), utc('0 3 * * *', '1h')],
      '2026-03-01T02:30:00Z',
      true,
      '2026-03-01T04:00:00.000Z',
    ],
    ['the next of several', [utc('0 2 * * 1', '1h'), utc('0 3 * * 3', '1h')], '2026-03-02T12:00:00Z', false, '2026-03-04T03:00:00.000Z'],
    ['that begins again before it ends', [utc('0 0 * * 1-5', '24h')], '2026-03-03T12:00:00Z', true, '2026-03-07T00:00:00.000Z'],
    ['that never closes', [utc('0 * * * *', '2h')], '2026-03-03T12:00:00Z', true, undefined],
    [
      'of another zone',
      [{ cron: '0 2 * * 2-4', duration: '4h', timeZone: 'Asia/Seoul' }],
      '2026-03-02T16:59:59Z',
      false,
      '2026-03-02T17:00:00.000Z',
    ],
    [
      'of several zones',
      [utc('0 2 * * *', '1h'), { cron: '0 2 * * *', duration: '1h', timeZone: 'America/New_York' }],
      '2026-03-01T05:00:00Z',
      false,
      '2026-03-01T07:00:00.000Z',
    ],
  ])('%s', (_, windows, time, open, nextChange) => {
    expect(stateOf(schedule(windows), time)).toMatchObject({ open, nextChange });
  });

  test('that never closes is looked at again all the same', () => {
    const { until } = readSchedule(schedule([utc('0 * * * *', '2h')])).stateAt(at('2026-03-03T12:00:00Z'));
    expect(until).toBeGreaterThan(at('2026-03-04T12:00:00Z'));
    expect(until).toBeLessThan(at('2026-03-10T12:00:00Z'));
  });
});

describe('a schedule without windows', () => {
  test.each([undefined, schedule(undefined)])('is open always: %j', (spec) => {
    expect(stateOf(spec, '2026-03-01T02:00:00Z')).toEqual({ open: true, nextChange: undefined, until: undefined });
  });
});

describe('exclusions', () => {
  const yearEnd = { from: '2026-12-20T00:00:00Z', to: '2027-01-04T00:00:00+09:00', reason: 'year end' };
  const audit = { from: '2027-01-03T00:00:00Z', to: '2027-01-06T12:00:00Z', reason: 'audit' };
  const nightly = [utc('0 2 * * *', '4h')];
  test.each<[what: string, spec: ScheduleSpec, time: string, expected: object]>([
    [
      'open until it begins',
      schedule(undefined, [yearEnd]),
      '2026-12-01T00:00:00Z',
      { open: true, nextChange: '2026-12-20T00:00:00.000Z' },
    ],
    [
      'closed while it lasts',
      schedule(undefined, [yearEnd]),
      '2026-12-24T18:00:00Z',
      {
        open: false,
        nextChange: '2027-01-03T15:00:00.000Z',
        until: '2027-01-03T15:00:00.000Z',
        exclusion: '2027-01-03T15:00:00.000Z',
        reason: 'year end',
      },
    ],
    ['open at its end', schedule(undefined, [yearEnd]), '2027-01-03T15:00:00Z', { open: true, nextChange: undefined, until: undefined }],
    [
      'one after the other',
      schedule(undefined, [audit, yearEnd]),
      '2026-12-24T18:00:00Z',
      { open: false, nextChange: '2027-01-06T12:00:00.000Z', exclusion: '2027-01-06T12:00:00.000Z', reason: 'year end' },
    ],
    [
      'ends while no window is open',
      schedule(nightly, [audit]),
      '2027-01-05T03:00:00Z',
      { open: false, nextChange: '2027-01-07T02:00:00.000Z', until: '2027-01-06T12:00:00.000Z', exclusion: '2027-01-06T12:00:00.000Z' },
    ],
    [
      'cuts a window short',
      schedule(nightly, [{ from: '2027-01-05T03:00:00Z', to: '2027-01-05T04:00:00Z' }]),
      '2027-01-05T02:30:00Z',
      { open: true, nextChange: '2027-01-05T03:00:00.000Z' },
    ],
    [
      'and the window opens again',
      schedule(nightly, [{ from: '2027-01-05T03:00:00Z', to: '2027-01-05T04:00:00Z' }]),
      '2027-01-05T03:30:00Z',
      { open: false, nextChange: '2027-01-05T04:00:00.000Z' },
    ],
    [
      'closes a window that is yet to come',
      schedule(nightly, [audit]),
      '2027-01-02T12:00:00Z',
      { open: false, nextChange: '2027-01-07T02:00:00.000Z' },
    ],
  ])('%s', (_, spec, time, expected) => {
    expect(stateOf(spec, time)).toMatchObject(expected);
  });
});

describe('what cannot be read', () => {
  test.each<[windows: Windows, exclusions: ScheduleSpec['exclusions'], problem: string]>([
    [[utc('0 25 * * *', '4h')], [], 'windows[0].cron "0 25 * * *" is no cron expression such as "0 2 * * 2-4"'],
    [[utc('0 2 * * *', '1h'), utc('0 0 30 2 *', '4h')], [], 'windows[1].cron "0 0 30 2 *" names no time that ever comes'],
    [[{ cron: '0 2 * * *', duration: '4h', timeZone: 'Mars/Phobos' }], [], 'windows[0].timeZone "Mars/Phobos" is no time zone'],
    [[utc('0 2 * * *', '1h')], [{ from: '2026-13-01T00:00:00Z', to: '2026-14-01T00:00:00Z' }], 'exclusions[0].from'],
  ])('closes the schedule and is named: %j %j', (windows, exclusions, problem) => {
    const { problems, stateAt } = readSchedule(schedule(windows, exclusions));
    expect(problems).toEqual([expect.stringContaining(`spec.schedule.${problem}`)]);
    expect(stateAt(at('2026-03-01T02:30:00Z'))).toEqual({ open: false, until: Number.POSITIVE_INFINITY });
  });
});

describe('an instant for people', () => {
  test.each([
    ['Asia/Seoul', '2026-12-01T17:00:00Z', '2026-12-02 02:00 Asia/Seoul (2026-12-01T17:00Z)'],
    ['America/New_York', '2026-07-01T17:00:30Z', '2026-07-01 13:00:30 America/New_York (2026-07-01T17:00:30Z)'],
    ['UTC', '2026-07-01T17:00:00Z', '2026-07-01 17:00 UTC'],
  ])('%s', (timeZone, time, text) => {
    expect(inZone({ at: at(time), timeZone })).toBe(text);
  });
});

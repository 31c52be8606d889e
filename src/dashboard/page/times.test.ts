import { expect, test } from '@jest/globals';
import { exact, full, relative } from './times.ts';

const now = Date.parse('2026-11-23T12:00:00Z');

test.each([
  ['2026-11-23T12:00:00.4Z', 'now'],
  ['2026-11-23T11:59:30Z', '30 s ago'],
  ['2026-11-23T11:57:00Z', '3 min ago'],
  ['2026-11-23T14:00:00Z', 'in 2 h'],
  ['2026-11-20T12:00:00Z', '3 d ago'],
])('%s is %s', (at, said) => {
  expect(relative(Date.parse(at), now)).toBe(said);
});

test('today needs no date, another day does, in the zone of the reader', () => {
  expect(exact(Date.parse('2026-11-23T11:00:05Z'), now, 'UTC')).toBe('11:00:05');
  expect(exact(Date.parse('2026-11-22T11:00:05Z'), now, 'UTC')).toBe('2026-11-22 11:00:05');
  expect(exact(Date.parse('2026-11-23T16:00:05Z'), now, 'Asia/Seoul')).toBe('2026-11-24 01:00:05');
  expect(full(Date.parse('2026-11-23T11:00:05Z'), 'UTC')).toBe('2026-11-23 11:00:05 UTC');
});

import { expect, test } from '@jest/globals';
import { timestamps } from './timestamps.ts';

const at = (millis: number) => () => new Date(millis);

test.each([
  [1_000, 0, '1970-01-01T00:00:01Z'],
  [120, 0, '1970-01-01T00:00:00.120Z'],
  [120, 0.005, '1970-01-01T00:00:00.120005Z'],
  [120, 0.123456, '1970-01-01T00:00:00.120123456Z'],
])('%d ms and %d of one', (millis, share, expected) => {
  expect(timestamps(at(millis), () => share)()).toBe(expected);
});

test('no two are equal, even where the clock stands still or goes back', () => {
  const clock = [5_000, 5_000, 4_000, 4_000];
  const stamp = timestamps(
    () => new Date(clock.shift() ?? 0),
    () => 0,
  );
  const seen = [stamp(), stamp(), stamp(), stamp()];
  expect(new Set(seen).size).toBe(4);
  expect(seen[0]).toBe('1970-01-01T00:00:05Z');
});

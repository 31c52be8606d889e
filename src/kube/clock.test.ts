import { describe, expect, jest, test } from '@jest/globals';
import { backoffMs } from './backoff.ts';
import { delay, onAbort, systemClock } from './clock.ts';
import { FakeClock } from './testing/fake-clock.ts';

describe('the system clock', () => {
  test('a timer longer than Node’s longest does not fire at once', () => {
    jest.useFakeTimers();
    try {
      let fired = 0;
      const fire = (): void => {
        fired += 1;
      };
      systemClock.setTimeout(fire, 2 ** 31 + 1_000);
      const cancel = systemClock.setTimeout(fire, 2 ** 33);
      systemClock.setTimeout(fire, -5);
      jest.advanceTimersByTime(1);
      expect(fired).toBe(1);
      jest.advanceTimersByTime(2 ** 31 - 1);
      expect(fired).toBe(1);
      jest.advanceTimersByTime(1_001);
      expect(fired).toBe(2);
      cancel();
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  test('tells both times', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(60_000);
    expect(systemClock.monotonic()).toBeGreaterThan(0);
  });
});

test('a delay ends with its time or with the signal, and leaves nothing behind', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const timed = delay(clock, 1_000, stop.signal);
  clock.advance(1_000);
  await timed;
  const cut = delay(clock, 1_000, stop.signal);
  stop.abort();
  await cut;
  await delay(clock, 1_000, stop.signal);
  expect(clock.timers).toBe(0);
});

test('onAbort calls at once where it is late, and not at all once taken back', () => {
  const stop = new AbortController();
  let calls = 0;
  onAbort(stop.signal, () => (calls += 1))();
  stop.abort();
  expect(calls).toBe(0);
  onAbort(stop.signal, () => (calls += 1));
  onAbort(undefined, () => (calls += 1));
  expect(calls).toBe(1);
});

test('the backoff doubles to its limit, shortened at random', () => {
  const options = { baseMs: 100, maxMs: 1_000, jitter: 0.5 };
  expect([1, 2, 3, 4, 5, 1_000_000].map((failures) => backoffMs(options, failures, () => 0))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(backoffMs(options, 2, () => 0.999)).toBeCloseTo(100, 0);
});

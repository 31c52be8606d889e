import { describe, expect, test } from '@jest/globals';
import { AnswerTimes } from './answer-times.ts';

function bed() {
  let now = 1_000;
  const answered: number[] = [];
  const times = new AnswerTimes(
    () => now,
    (milliseconds) => answered.push(milliseconds),
  );
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  return { times, answered, pass };
}

describe('news of a node', () => {
  test('wait until its first command is sent', () => {
    const { times, answered, pass } = bed();
    times.received('a');
    pass(20);
    times.decided(new Set(['a']));
    pass(5);
    times.sent('a');
    times.sent('a');
    expect(answered).toEqual([25]);
  });

  test('count from the first of them', () => {
    const { times, answered, pass } = bed();
    times.received('a');
    pass(10);
    times.received('a');
    pass(10);
    times.sent('a');
    expect(answered).toEqual([20]);
  });

  test('that ask for nothing are forgotten with the decision that saw them', () => {
    const { times, answered, pass } = bed();
    times.received('a');
    times.decided(new Set());
    pass(5_000);
    times.received('a');
    pass(3);
    times.sent('a');
    expect(answered).toEqual([3]);
  });

  test('are there from the event to the decision that sees them', () => {
    const { times } = bed();
    const before = times.hasNews;
    times.received('a');
    const after = times.hasNews;
    times.decided(new Set(['a']));
    expect([before, after, times.hasNews]).toEqual([false, true, false]);
    // The echo of a write of ours.
    times.received('b', true);
    expect(times.hasNews).toBe(false);
  });

  test('that came after the decision wait for the next one', () => {
    const { times, answered, pass } = bed();
    times.decided(new Set());
    times.received('a');
    pass(40);
    times.decided(new Set(['a']));
    times.sent('a');
    times.sent('b');
    expect(answered).toEqual([40]);
  });
});

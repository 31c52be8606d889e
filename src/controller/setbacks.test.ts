import { describe, expect, test } from '@jest/globals';
import { ApiError, ApiUnreachableError } from '../kube/errors.ts';
import { FakeClock } from '../kube/testing/fake-clock.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { Setbacks } from './setbacks.ts';

const refusal = new ApiError(422, 'no');

function bed() {
  const clock = new FakeClock();
  const logger = recordingLogger();
  const setbacks = new Setbacks(clock, logger);
  /** A pass that tries all that does not wait. */
  const pass = (...refused: [string, unknown][]): string[] => {
    const failed = setbacks.waiting();
    const tried = refused.filter(([name]) => !failed.has(name));
    for (const [name] of tried) failed.add(name);
    setbacks.note(new Map(tried), failed);
    return tried.map(([name]) => name);
  };
  return { clock, logger, setbacks, pass };
}

describe('who was refused', () => {
  test('waits, ever longer, and no other does', () => {
    const { clock, setbacks, pass } = bed();
    for (const wait of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      expect(pass(['a', refusal])).toEqual(['a']);
      expect([...setbacks.waiting()]).toEqual(['a']);
      expect(setbacks.wait()).toBe(wait);
      clock.advance(wait - 1);
      expect([...setbacks.waiting()]).toEqual(['a']);
      clock.advance(1);
      expect([...setbacks.waiting()]).toEqual([]);
      expect(setbacks.wait()).toBeUndefined();
    }
  });

  test.each([new ApiError(503, 'busy'), new ApiUnreachableError('cut')])(
    'by what may pass by itself waits no longer than 5 s: %p',
    (error) => {
      const { clock, setbacks, pass } = bed();
      for (const wait of [1_000, 2_000, 4_000, 5_000, 5_000]) {
        pass(['a', error]);
        expect(setbacks.wait()).toBe(wait);
        clock.advance(wait);
      }
    },
  );

  test('begins anew once it was well', () => {
    const { clock, setbacks, pass } = bed();
    pass(['a', refusal]);
    clock.advance(1_000);
    pass(['a', refusal]);
    clock.advance(2_000);
    pass();
    pass(['a', refusal]);
    expect(setbacks.wait()).toBe(1_000);
  });

  test('keeps its backoff while it is left alone, or fails because the world moved on, and that makes no wait of its own', () => {
    const { clock, setbacks, pass } = bed();
    pass(['a', refusal]);
    pass();
    expect([...setbacks.waiting()]).toEqual(['a']);
    clock.advance(1_000);
    setbacks.note(new Map(), new Set(['a']));
    expect(setbacks.wait()).toBeUndefined();
    pass(['a', refusal]);
    expect(setbacks.wait()).toBe(2_000);
  });

  test('however many, is told by one line a second at most', () => {
    const { clock, logger, pass } = bed();
    const all = Array.from({ length: 500 }, (_, index): [string, unknown] => [`n${index}`, refusal]);
    for (let step = 0; step < 2_400; step += 1) {
      // They do not all begin at once, and passes come as often as watches like.
      if (step % 20 === 0) expect(logger.lines.length).toBeLessThanOrEqual(step / 20);
      pass(...all.slice(0, step + 1));
      clock.advance(50);
    }
    expect(logger.lines.length).toBeGreaterThan(10);
    expect(logger.lines[0]).toMatchObject({ level: 'warn', fields: { name: 'n0', error: refusal, failed: 1, others: [] } });
    const last = logger.lines.at(-1)!.fields as { others: string[] };
    expect(last.others.length).toBeLessThanOrEqual(4);
  });
});

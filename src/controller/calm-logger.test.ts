import { describe, expect, test } from '@jest/globals';
import { FakeClock } from '../kube/testing/fake-clock.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { calmLogger } from './calm-logger.ts';

function bed() {
  const clock = new FakeClock();
  const { lines, ...logger } = recordingLogger();
  return { clock, lines, logger: calmLogger(logger, clock) };
}

describe('a calm logger', () => {
  test('passes what is said now and then as it is', () => {
    const { clock, lines, logger } = bed();
    for (const level of ['warn', 'error', 'warn'] as const) {
      logger[level]({ a: 1 }, 'a message');
      clock.advance(10_000);
    }
    expect(lines).toEqual(['warn', 'error', 'warn'].map((level) => ({ level, message: 'a message', fields: { a: 1 } })));
  });

  test('keeps what is said all the time to a line in 10 s, and says how many it left out', () => {
    const { clock, lines, logger } = bed();
    for (let second = 0; second < 100; second += 1) {
      for (let index = 0; index < 20; index += 1) logger.warn({ second }, 'it fails');
      clock.advance(1_000);
    }
    expect(lines).toHaveLength(5 + 9);
    expect(lines.at(-1)).toEqual({ level: 'warn', message: 'it fails', fields: { second: 90, leftOut: 199 } });
  });

  test('lets no message silence another, and leaves actions and details alone', () => {
    const { lines, logger } = bed();
    for (let index = 0; index < 100; index += 1) logger.warn({}, 'one');
    logger.error({}, 'another');
    for (let index = 0; index < 100; index += 1) logger.info({}, 'acted');
    for (let index = 0; index < 100; index += 1) logger.debug({}, 'detail');
    const count = (message: string) => lines.filter((line) => line.message === message).length;
    expect([count('one'), count('another'), count('acted'), count('detail')]).toEqual([5, 1, 100, 100]);
  });
});

import { expect, test } from '@jest/globals';
import { FakeClock } from '../kube/testing/fake-clock.ts';
import { createLog, type LogLevel } from './log.ts';

function recorded(level: LogLevel = 'info') {
  const clock = new FakeClock(1_000);
  const lines: string[] = [];
  const log = createLog({ level, clock, write: (line) => lines.push(line), base: { node: 'a' } });
  return { clock, lines, log, read: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('writes lines as pino does', () => {
  const { log, lines, read } = recorded();
  log.warn({ order: 'o', error: new Error('no', { cause: new TypeError('why') }) }, 'cannot');
  log.debug({}, 'left out');
  expect(read()).toEqual([
    {
      level: 40,
      time: 1_000,
      node: 'a',
      order: 'o',
      error: { type: 'Error', message: 'no', cause: { type: 'TypeError', message: 'why' } },
      msg: 'cannot',
    },
  ]);
  expect(lines[0]?.endsWith('}\n')).toBe(true);
});

test('a steady failure is one line a second, and the next line says how many are missing', () => {
  const { log, clock, lines, read } = recorded();
  for (let i = 0; i < 1_000; i += 1) log.error({}, 'again');
  expect(lines.length).toBe(50);
  for (let second = 0; second < 10; second += 1) {
    clock.advance(1_000);
    for (let i = 0; i < 100; i += 1) log.error({}, 'again');
  }
  expect(lines.length).toBe(60);
  expect(read()[50]).toMatchObject({ dropped: 950 });
  expect(read()[51]).toMatchObject({ dropped: 99 });
});

test('nothing in a line moves a terminal, and it is the same JSON', () => {
  const { log, lines, read } = recorded();
  const said = 'a\u001b[2Jb\u009b1mc\u202ed\u007fe\nf\u2028g';
  log.info({ said, error: new Error(said) }, said);
  expect(lines.join('').trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(read()[0]).toMatchObject({ said, error: { message: said }, msg: said });
});

test('a line is bounded', () => {
  const { log, lines, read } = recorded();
  log.info({ big: 'x'.repeat(100_000) }, 'hello');
  expect(lines[0]?.length).toBeLessThan(10_000);
  expect(read()[0]).toMatchObject({ msg: 'hello', cut: true });
});

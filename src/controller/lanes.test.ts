import { describe, expect, test } from '@jest/globals';
import { FakeClock, settle } from '../kube/testing/fake-clock.ts';
import { Lanes } from './lanes.ts';

function bed(limit: number) {
  const clock = new FakeClock();
  const lanes = new Lanes(limit, clock);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    begun.push(name);
    const end = Promise.withResolvers<void>();
    ends.set(name, end.resolve);
    return end.promise;
  };
  return { clock, lanes, begun, work, end: (name: string) => ends.get(name)?.() };
}

describe('lanes', () => {
  test('work on as many names as they may, and each name once', async () => {
    const { lanes, begun, work, end } = bed(2);
    for (const name of ['a', 'b', 'c']) expect(lanes.start('act', name, work(name))).toBe(true);
    expect(lanes.start('act', 'a', work('a'))).toBe(false);
    expect(begun).toEqual(['a', 'b']);
    expect(lanes.busy).toEqual(new Set(['a', 'b', 'c']));
    end('b');
    await settle();
    expect(begun).toEqual(['a', 'b', 'c']);
    expect(lanes.busy).toEqual(new Set(['a', 'c']));
    expect(lanes.start('act', 'b', work('b again'))).toBe(true);
  });

  test('act before they report', async () => {
    const { lanes, begun, work, end } = bed(1);
    lanes.start('report', 'a', work('a'));
    lanes.start('report', 'b', work('b'));
    lanes.start('act', 'c', work('c'));
    end('a');
    await settle();
    expect(begun).toEqual(['a', 'c']);
  });

  test('are settled when the last work has ended, or the time is over', async () => {
    const { clock, lanes, work, end } = bed(1);
    await lanes.settled();
    lanes.start('act', 'a', work('a'));
    lanes.start('act', 'b', work('b'));
    const told: string[] = [];
    const wholly = lanes.settled().then(() => told.push('wholly'));
    const patiently = lanes.settled(50).then(() => told.push('patiently'));
    clock.advance(49);
    expect(told).toEqual([]);
    clock.advance(1);
    await patiently;
    expect(told).toEqual(['patiently']);
    end('a');
    await settle();
    end('b');
    await wholly;
    expect(told).toEqual(['patiently', 'wholly']);
    expect(lanes.busy.size).toBe(0);
  });
});

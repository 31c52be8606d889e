import { describe, expect, test } from '@jest/globals';
import { FakeClock, settle } from '../kube/testing/fake-clock.ts';
import { EvictionTurns, type Lane, type TurnLimits } from './eviction-turns.ts';

function bed(limits: Partial<TurnLimits> = {}) {
  const clock = new FakeClock();
  const turns = new EvictionTurns({ perNode: 2, inAll: 3, ...limits }, clock);
  const running = new Map<string, { end: () => void; fail: (error: Error) => void }>();
  const begin = (name: string, lane: Lane): void => {
    turns
      .run(lane, async () => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        running.set(name, { end: resolve, fail: reject });
        await promise.finally(() => running.delete(name));
      })
      .catch(() => {});
  };
  const end = async (name: string) => {
    running.get(name)!.end();
    await settle(1);
  };
  return { begin, end, clock, running, names: () => [...running.keys()] };
}

describe('evictions take turns', () => {
  test('so many on one node, first come, first served, whatever becomes of them', async () => {
    const { begin, end, running, names } = bed();
    for (const name of ['a1', 'a2', 'a3', 'a4']) begin(name, { node: 'a' });
    expect(names()).toEqual(['a1', 'a2']);
    running.get('a2')!.fail(new Error('failed'));
    await settle(1);
    expect(names()).toEqual(['a1', 'a3']);
    await end('a1');
    expect(names()).toEqual(['a3', 'a4']);
  });

  test('so many in all, and next the node’s that has fewest under way', async () => {
    const { begin, end, names } = bed();
    for (const node of ['a', 'b', 'c', 'd']) for (const index of [1, 2]) begin(`${node}${index}`, { node });
    expect(names()).toEqual(['a1', 'a2', 'b1']);
    await end('a1');
    expect(names()).toEqual(['a2', 'b1', 'c1']);
    await end('b1');
    expect(names()).toEqual(['a2', 'c1', 'b2']);
    await end('c1');
    expect(names()).toEqual(['a2', 'b2', 'c2']);
    await end('a2');
    expect(names()).toEqual(['b2', 'c2', 'd1']);
    await end('b2');
    expect(names()).toEqual(['c2', 'd1', 'd2']);
  });

  test('one that hangs keeps other nodes waiting no longer than a second, and its own as long as it hangs', async () => {
    const { begin, end, clock, names } = bed();
    for (const name of ['a1', 'a2', 'a3']) begin(name, { node: 'a' });
    for (const name of ['b1', 'b2', 'b3']) begin(name, { node: 'b' });
    expect(names()).toEqual(['a1', 'a2', 'b1']);
    clock.advance(999);
    await settle(1);
    expect(names()).toEqual(['a1', 'a2', 'b1']);
    clock.advance(1);
    await settle(1);
    expect(names()).toEqual(['a1', 'a2', 'b1', 'b2']);
    for (const name of ['c1', 'c2', 'd1']) begin(name, { node: name.slice(0, 1) });
    expect(names()).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
    // What ends late has given its place away already.
    await end('a1');
    expect(names()).toEqual(['a2', 'b1', 'b2', 'c1', 'c2']);
    await end('c1');
    expect(names()).toEqual(['a2', 'b1', 'b2', 'c2', 'd1']);
    for (const name of ['a2', 'b1', 'b2', 'c2', 'd1', 'a3', 'b3']) await end(name);
    expect(clock.timers).toBe(0);
  });

  test('one of a budget, on whichever node; who waits for it takes nobody’s place', async () => {
    const { begin, end, names } = bed({ inAll: 9 });
    const budget = 'shop/web';
    begin('a1', { node: 'a', budget });
    for (const name of ['a2', 'a3', 'a4']) begin(name, { node: 'a', budget });
    begin('b1', { node: 'b', budget });
    begin('a5', { node: 'a' });
    begin('b2', { node: 'b', budget: 'shop/api' });
    expect(names()).toEqual(['a1', 'a5', 'b2']);
    await end('a1');
    expect(names()).toEqual(['a5', 'b2', 'a2']);
  });

  test('one that hangs keeps the others of its budget no longer than a second, and its own place as long as it hangs', async () => {
    const { begin, end, clock, names } = bed();
    const budget = 'shop/web';
    begin('a1', { node: 'a', budget });
    begin('b1', { node: 'b', budget });
    begin('b2', { node: 'b', budget });
    clock.advance(999);
    await settle(1);
    expect(names()).toEqual(['a1']);
    clock.advance(1);
    await settle(1);
    expect(names()).toEqual(['a1', 'b1']);
    // Its late end gives nobody a turn that another still has.
    await end('a1');
    expect(names()).toEqual(['b1']);
    await end('b1');
    expect(names()).toEqual(['b2']);
    await end('b2');
    expect(clock.timers).toBe(0);
  });
});

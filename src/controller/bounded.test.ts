import { describe, expect, test } from '@jest/globals';
import { settle } from '../kube/testing/fake-clock.ts';
import { forEachBounded } from './bounded.ts';

/** Work that a test ends one piece at a time. */
function workshop() {
  const running: { name: string; end: () => void; fail: (error: Error) => void }[] = [];
  let most = 0;
  const work = async (name: string): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const piece = { name, end: resolve, fail: reject };
    running.push(piece);
    most = Math.max(most, running.length);
    try {
      await promise;
    } finally {
      running.splice(running.indexOf(piece), 1);
    }
  };
  return { running, work, most: () => most, names: () => running.map(({ name }) => name) };
}

describe('forEachBounded', () => {
  test('works on all, at most so many at a time, in order', async () => {
    const { work, running, most, names } = workshop();
    const done = forEachBounded(['a', 'b', 'c', 'd', 'e'], 2, work);
    const seen: string[][] = [];
    while (running.length > 0) {
      seen.push(names());
      running[0]!.end();
      await settle();
    }
    await done;
    expect(most()).toBe(2);
    expect(seen).toEqual([['a', 'b'], ['b', 'c'], ['c', 'd'], ['d', 'e'], ['e']]);
  });

  test('of nothing is done at once', async () => {
    await forEachBounded([], 2, () => Promise.reject(new Error('never')));
  });

  test('rejects only when all that was begun has ended, and the others go on', async () => {
    const { work, running, names } = workshop();
    let ended = false;
    const done = forEachBounded(['a', 'b', 'c'], 2, work).finally(() => {
      ended = true;
    });
    done.catch(() => {});
    running[0]!.fail(new Error('a failed'));
    await settle();
    expect([ended, names()]).toEqual([false, ['b']]);
    running[0]!.end();
    await settle();
    expect([ended, names()]).toEqual([false, ['c']]);
    running[0]!.end();
    await expect(done).rejects.toThrow('a failed');
  });
});

import { describe, expect, test } from '@jest/globals';
import { isComeback, isRemembered, rememberEvicted } from './comebacks.ts';
import { aPod } from './testing/builders.ts';

const tolerant = (uid: string, controller = 'web') =>
  aPod(uid, { uid, toleratesCordon: true, controller: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: controller } });
const { controller: _, ...naked } = tolerant('naked');

describe('pods that tolerate a cordon', () => {
  test('are remembered by controller, each controller once', () => {
    const first = rememberEvicted([], [tolerant('a'), tolerant('b'), tolerant('c', 'db'), aPod('other'), naked]);
    expect(first).toEqual([
      { controller: 'shop/ReplicaSet/web', pods: ['a', 'b'] },
      { controller: 'shop/ReplicaSet/db', pods: ['c'] },
    ]);
    expect(rememberEvicted(first, [tolerant('a'), tolerant('d')])).toBe(first);
    expect(rememberEvicted(first, [tolerant('e', 'new')])).toHaveLength(3);
  });

  test('have come back where their controller’s were evicted already', () => {
    const known = rememberEvicted([], [tolerant('a')]);
    expect([tolerant('a'), tolerant('b'), tolerant('c', 'db'), aPod('b'), naked].map((pod) => isComeback(pod, known))).toEqual([
      false,
      true,
      false,
      false,
      false,
    ]);
    expect([tolerant('a'), tolerant('c', 'db'), aPod('b'), naked].map((pod) => isRemembered(pod, known))).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  test('of more controllers than can be kept are evicted each time, and never left', () => {
    const many = Array.from({ length: 70 }, (_unused, index) => tolerant(`p${index}`, `c${index}`));
    const known = rememberEvicted([], many);
    expect(known).toHaveLength(64);
    const last = many.at(-1)!;
    expect([isRemembered(last, rememberEvicted(known, [last])), isComeback(last, known)]).toEqual([false, false]);
  });
});

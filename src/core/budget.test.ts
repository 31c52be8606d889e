import { describe, expect, test } from '@jest/globals';
import { countOf, unavailableLimit } from './budget.ts';

describe('countOf', () => {
  test.each([
    [3, 10, 3],
    [30, 10, 30],
    ['10%', 100, 10],
    ['10%', 19, 1],
    ['10%', 9, 1],
    ['1%', 1, 1],
    ['100%', 7, 7],
    ['50%', 0, 1],
  ])('%s of %s is %s', (amount, whole, expected) => {
    expect(countOf(amount, whole)).toBe(expected);
  });
});

describe('unavailableLimit', () => {
  test.each([
    [1, 10, 1],
    [5, 10, 5],
    [10, 10, 9],
    ['100%', 10, 9],
    ['33%', 10, 3],
    ['33%', 4, 1],
    [1, 1, 1],
    ['100%', 1, 1],
    [2, 2, 1],
    ['100%', 2, 1],
    [1, 0, 1],
  ])('maxUnavailable %s of %s nodes is %s', (maxUnavailable, nodes, expected) => {
    expect(unavailableLimit(maxUnavailable, nodes)).toBe(expected);
  });
});

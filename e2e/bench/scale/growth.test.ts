import { expect, test } from '@jest/globals';
import { describeGrowth, growthExponent } from './growth.ts';

const sizes = [100, 1_000, 5_000];
const pointsOf = (value: (nodes: number) => number) => sizes.map((nodes) => ({ nodes, value: value(nodes) }));

test.each([
  ['a constant', () => 7, 0, 'does not grow'],
  ['a root', (nodes: number) => 3 * Math.sqrt(nodes), 0.5, 'less than linear'],
  ['a line', (nodes: number) => 0.01 * nodes, 1, 'linear'],
  ['a square', (nodes: number) => nodes ** 2, 2, 'worse than linear'],
])('%s', (_name, value, exponent, words) => {
  const found = growthExponent(pointsOf(value));
  expect(found).toBeCloseTo(exponent, 10);
  expect(describeGrowth(found)).toBe(words);
});

test.each([
  ['one size', [{ nodes: 100, value: 5 }]],
  ['a zero', pointsOf((nodes) => nodes - 100)],
  ['nothing', []],
])('%s tells nothing', (_name, points) => {
  expect(growthExponent(points)).toBeUndefined();
  expect(describeGrowth(undefined)).toBe('');
});

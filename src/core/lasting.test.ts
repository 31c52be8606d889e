import { expect, test } from '@jest/globals';
import { lasting } from './lasting.ts';

test.each([
  [400, '0 s'],
  [59_000, '59 s'],
  [60_000, '1 min'],
  [400_000, '6 min 40 s'],
  [599_600, '10 min'],
  [3_000_000, '50 min'],
  [3_600_000, '1 h'],
  [5_400_000, '1 h 30 min'],
  [172_800_000, '2 d'],
  [180_000_000, '2 d 2 h'],
])('%i ms last %s', (ms, text) => {
  expect(lasting(ms)).toBe(text);
});

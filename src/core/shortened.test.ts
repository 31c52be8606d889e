import { expect, test } from '@jest/globals';
import { shortened } from './shortened.ts';

test.each([
  ['what fits', 'abc', 3, 'abc'],
  ['what does not', 'abcd', 3, 'ab…'],
  ['half of a pair', 'a👍bc', 3, 'a\ufffd…'],
])('%s', (_, text, length, expected) => {
  expect(shortened(text, length)).toBe(expected);
});

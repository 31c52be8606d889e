import { describe, expect, test } from '@jest/globals';
import type { LabelSelector } from '../api/label-selector.ts';
import { matches, namesKey } from './selector.ts';

const expression = (operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', values?: string[]): LabelSelector => ({
  matchExpressions: [{ key: 'pool', operator, ...(values && { values }) }],
});

describe('matches', () => {
  test.each<[string, LabelSelector, Record<string, string>, boolean]>([
    ['an empty selector, no labels', {}, {}, true],
    ['an empty selector, any labels', { matchLabels: {}, matchExpressions: [] }, { pool: 'a' }, true],
    ['an equal label', { matchLabels: { pool: 'a' } }, { pool: 'a', other: 'b' }, true],
    ['another value', { matchLabels: { pool: 'a' } }, { pool: 'b' }, false],
    ['a missing label', { matchLabels: { pool: 'a' } }, {}, false],
    ['an empty value is a value', { matchLabels: { pool: '' } }, { pool: '' }, true],
    ['an empty value is not a missing one', { matchLabels: { pool: '' } }, {}, false],
    ['two labels, one of them equal', { matchLabels: { pool: 'a', zone: 'x' } }, { pool: 'a' }, false],
    ['In', expression('In', ['a', 'b']), { pool: 'b' }, true],
    ['In, another', expression('In', ['a', 'b']), { pool: 'c' }, false],
    ['In, missing', expression('In', ['a']), {}, false],
    ['NotIn', expression('NotIn', ['a']), { pool: 'b' }, true],
    ['NotIn, listed', expression('NotIn', ['a']), { pool: 'a' }, false],
    ['NotIn, missing', expression('NotIn', ['a']), {}, true],
    ['Exists', expression('Exists'), { pool: '' }, true],
    ['Exists, missing', expression('Exists'), {}, false],
    ['DoesNotExist', expression('DoesNotExist'), {}, true],
    ['DoesNotExist, there', expression('DoesNotExist'), { pool: 'a' }, false],
    ['both parts must hold', { matchLabels: { pool: 'a' }, ...expression('NotIn', ['a']) }, { pool: 'a' }, false],
    ['In without values (no valid spec) selects nothing', expression('In'), { pool: 'a' }, false],
  ])('%s', (_, selector, labels, expected) => {
    expect(matches(selector, labels)).toBe(expected);
  });
});

describe('namesKey', () => {
  test.each<[LabelSelector, boolean]>([
    [{}, false],
    [{ matchLabels: { pool: 'a' } }, true],
    [{ matchLabels: { other: 'a' } }, false],
    [expression('DoesNotExist'), true],
  ])('%j: %s', (selector, expected) => {
    expect(namesKey(selector, 'pool')).toBe(expected);
  });
});

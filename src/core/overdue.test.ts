import { describe, expect, test } from '@jest/globals';
import { overdue } from './overdue.ts';
import { ago, aPolicy, HOUR, NEW, NOW } from './testing/builders.ts';

const policy = aPolicy({ spec: { patchDeadline: '72h' } });

describe('a node that is behind', () => {
  test.each([
    ['not at all', {}],
    ['for a while', { behindSince: ago(71 * HOUR) }],
    ['to the last millisecond', { behindSince: ago(72 * HOUR - 1) }],
    ['since a time that cannot be read', { behindSince: 'long' }],
  ])('%s is not overdue', (_, status) => {
    expect(overdue(policy, status, NOW)).toEqual([]);
  });

  test('for as long as its policy allows is overdue', () => {
    expect(overdue(policy, { behindSince: ago(72 * HOUR), target: NEW }, NOW)).toEqual([
      {
        type: 'Overdue',
        status: 'True',
        reason: 'PatchDeadlineExceeded',
        message: `behind ${NEW} since ${ago(72 * HOUR)}: patchDeadline (72h) was over at ${ago(0)}`,
      },
    ]);
  });
});

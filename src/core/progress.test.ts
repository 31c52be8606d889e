import { describe, expect, test } from '@jest/globals';
import type { Counts } from '../api/update-policy.ts';
import { summaryOf } from './progress.ts';
import { ago, aRollout, HOUR, MINUTE } from './testing/builders.ts';
import { toSecond } from './world.ts';

const counts: Counts = {
  nodes: 7,
  updated: 2,
  outdated: 5,
  staging: 0,
  staged: 4,
  inFlight: 1,
  blocked: 0,
  failed: 0,
  unavailable: 1,
  overdue: 0,
};
type Group = NonNullable<ReturnType<typeof aRollout>['groups']>[number];
const canary = (change: Partial<Group>): Group => ({ name: 'canary', state: 'Updating', nodes: 2, updated: 1, ...change });
const summary = (...groups: Group[]) =>
  summaryOf(
    counts,
    groups.map((group) => aRollout({ groups: [group, { name: 'late', state: 'Waiting' }] })),
  );

describe('the summary', () => {
  const where = '2/7 up to date, 1 in flight, 4 staged';
  const soaking = (soakUntil: string) => canary({ state: 'Soaking', updated: 2, soakUntil });
  test.each<[string, Group[], string]>([
    ['no group', [], where],
    ['one under way', [canary({})], `${where}, group canary 1/2`],
    ['one under way in two rollouts', [canary({}), canary({ state: 'Untested', updated: 0 })], `${where}, group canary 1/4`],
    ['one that soaks', [soaking(ago(-MINUTE))], `${where}, group canary 2/2, soaks until ${toSecond(ago(-MINUTE))}`],
    [
      'one that soaks longer in one',
      [soaking(ago(-HOUR)), soaking(ago(-MINUTE))],
      `${where}, group canary 4/4, soaks until ${toSecond(ago(-HOUR))}`,
    ],
    ['one that soaks in one', [soaking(ago(-MINUTE)), canary({})], `${where}, group canary 3/4`],
    ['one that is finished', [canary({ state: 'Finished', updated: 2 })], where],
    ['counts of an earlier version', [{ name: 'canary', state: 'Updating' }], `${where}, group canary 0/0`],
  ])('%s', (_, groups, expected) => {
    expect(summary(...groups)).toBe(expected);
  });
});

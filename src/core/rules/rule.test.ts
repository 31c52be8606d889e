import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { lastRules, stageRules, turnRules } from './index.ts';
import { firstHold, pass, type Rule } from './rule.ts';

const hold =
  (message: string): Rule =>
  () => ({ reason: 'Paused', message });

describe('firstHold', () => {
  test.each([
    ['no rule', [], undefined],
    ['all pass', [() => pass], undefined],
    ['the first that holds', [() => pass, hold('a'), hold('b')], 'a'],
  ])('%s', (_, rules, message) => {
    expect(firstHold(rules, aCandidate(aWorld({ nodes: [aNode('n1')] })), NOW)?.message).toBe(message);
  });
});

describe('the lists', () => {
  const names = (rules: readonly Rule[]) => rules.map(({ name }) => name);

  test('what holds a download holds a claim too', () => {
    const held = names(stageRules).filter((name) => name !== 'stagingWindow');
    expect(names(turnRules).slice(0, held.length)).toEqual(held);
  });

  test('the order is the one in which people read why a node waits', () => {
    expect(names([...turnRules, ...lastRules])).toEqual([
      'guarded',
      'readable',
      'paused',
      'managedByOther',
      'beingDeleted',
      'agentPresent',
      'hostReachable',
      'knownBad',
      'cordonedByOther',
      'approval',
      'exclusion',
      'window',
      'failureBudget',
      'group',
      'zone',
      'leaderLast',
      'capacity',
      'checks',
      'preflight',
    ]);
  });
});

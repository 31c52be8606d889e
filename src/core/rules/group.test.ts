import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aPolicy, aRollout, aWorld, NOW } from '../testing/builders.ts';
import { group } from './group.ts';

const canary = { name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } };
const hold = { reason: 'AwaitingGroup', message: 'waits for group canary: 0 of 1 nodes updated' } as const;

describe('group', () => {
  test.each([
    ['a node of the group whose turn it is', { ring: 'canary' }, { group: 0, hold }, undefined],
    ['a node of a later one', {}, { group: 0, hold }, 'AwaitingGroup'],
    ['nothing holds', {}, { group: 1 }, undefined],
    ['a node of a finished group, late', { ring: 'canary' }, { group: 1 }, undefined],
  ])('%s', (_, labels, turn, reason) => {
    const world = aWorld({ policies: [aPolicy({ spec: { rollout: { groups: [canary] } } })], nodes: [aNode('n1', { labels })] });
    expect(group(aCandidate(world, { turn: { rollout: aRollout(), ...turn } }), NOW)?.reason).toBe(reason);
  });

  test('passes a node of its own pin, which belongs to no rollout', () => {
    expect(group(aCandidate(aWorld({ nodes: [aNode('n1')] })), NOW)).toBeUndefined();
  });
});

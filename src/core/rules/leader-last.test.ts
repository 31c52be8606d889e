import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { leaderLast } from './leader-last.ts';

const on = (node: string) => ({ namespace: 'lockkeeper', pod: 'lockkeeper-0', node });

describe('leaderLast', () => {
  test.each([
    ['runs out of the cluster', undefined, true, true, undefined],
    ['runs on another node', on('n2'), true, true, undefined],
    ['others are pending', on('n1'), true, false, 'LeaderLast'],
    ['others are pending, and there is a standby', on('n1'), true, true, 'LeaderLast'],
    ['the last one, and there is a standby', on('n1'), false, true, 'HandingOver'],
    ['the last one, and there is no standby: the controller rides through', on('n1'), false, false, undefined],
  ])('%s', (_, self, othersPending, standby, reason) => {
    const world = aWorld({ nodes: [aNode('n1')], standby, ...(self && { self }) });
    expect(leaderLast(aCandidate(world, { othersPending }), NOW)?.reason).toBe(reason);
  });
});

import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { cordonedByOther } from './cordoned-by-other.ts';

describe('cordonedByOther', () => {
  test.each([
    [false, undefined],
    [true, 'CordonedByOther'],
  ])('unschedulable %s: %s', (unschedulable, reason) => {
    expect(cordonedByOther(aCandidate(aWorld({ nodes: [aNode('n1', { unschedulable })] })), NOW)?.reason).toBe(reason);
  });
});

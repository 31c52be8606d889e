import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { beingDeleted } from './being-deleted.ts';

describe('beingDeleted', () => {
  test.each([
    [false, undefined],
    [true, 'BeingDeleted'],
  ])('deleting %s: %s', (deleting, reason) => {
    expect(beingDeleted(aCandidate(aWorld({ nodes: [aNode('n1', { deleting })] })), NOW)?.reason).toBe(reason);
  });
});

import { describe, expect, test } from '@jest/globals';
import { OTHER_OPERATOR_LABEL } from '../../api/names.ts';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { managedByOther } from './managed-by-other.ts';

describe('managedByOther', () => {
  test.each([
    [{}, undefined],
    [{ labels: { [OTHER_OPERATOR_LABEL]: '2.0.0' } }, undefined],
    [{ otherOperator: true as const }, 'ManagedByOther'],
  ])('a node with %j: %s', (change, reason) => {
    expect(managedByOther(aCandidate(aWorld({ nodes: [aNode('n1', change)] })), NOW)?.reason).toBe(reason);
  });
});

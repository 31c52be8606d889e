import { describe, expect, test } from '@jest/globals';
import { OTHER_OPERATOR_LABEL } from '../../api/names.ts';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { managedByOther } from './managed-by-other.ts';

describe('managedByOther', () => {
  test.each([
    [{}, undefined],
    [{ [OTHER_OPERATOR_LABEL]: '2.0.0' }, 'ManagedByOther'],
    [{ [OTHER_OPERATOR_LABEL]: '' }, 'ManagedByOther'],
  ])('labels %j: %s', (labels, reason) => {
    expect(managedByOther(aCandidate(aWorld({ nodes: [aNode('n1', { labels })] })), NOW)?.reason).toBe(reason);
  });
});

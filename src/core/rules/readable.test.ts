import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import { aCandidate, aNode, anUpdate, aPolicy, aWorld, NOW } from '../testing/builders.ts';
import { readable } from './readable.ts';

const odd = { [BY_HAND.pinVersion]: 'latest' };

describe('readable', () => {
  test.each([
    ['all is well', aPolicy(), aNode('n1'), undefined, ''],
    [
      'a range that is none',
      aPolicy({ spec: { version: { range: '>= one' } } }),
      aNode('n1'),
      'PolicyNotReady',
      'spec.version.range ">= one"',
    ],
    ['an odd annotation on the policy', aPolicy({ annotations: odd }), aNode('n1'), 'PolicyNotReady', 'lockkeeper.dev/pin-version'],
    ['an odd annotation on the Node', aPolicy(), aNode('n1', { annotations: odd }), 'InvalidAnnotation', '"latest"'],
    ['an odd annotation on the NodeUpdate', aPolicy(), aNode('n1', { update: anUpdate({}, odd) }), 'InvalidAnnotation', '"latest"'],
    [
      'both odd: the policy comes first',
      aPolicy({ annotations: odd }),
      aNode('n1', { annotations: odd }),
      'PolicyNotReady',
      'policy default',
    ],
  ])('%s', (_, policy, node, reason, words) => {
    const verdict = readable(aCandidate(aWorld({ policies: [policy], nodes: [node] })), NOW);
    expect(verdict?.reason).toBe(reason);
    expect(verdict?.message ?? '').toContain(words);
  });
});

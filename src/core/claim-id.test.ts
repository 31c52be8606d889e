import { expect, test } from '@jest/globals';
import { ON_NODE } from '../api/names.ts';
import { claimID } from './claim-id.ts';
import { aNode, MINUTE, NOW } from './testing/builders.ts';

const fenced = (fence: string) => aNode('n1', { annotations: { [ON_NODE.fence]: fence } });

test.each([
  ['after an earlier claim', claimID(aNode('n1'), NOW - MINUTE)],
  ['after one of this very millisecond', claimID(aNode('n1'), NOW)],
  ['after one by a clock that was ahead', claimID(aNode('n1'), NOW + MINUTE)],
  ['after what somebody wrote by hand', 'uid-n1-zz'],
  ['of a node that has registered anew', claimID(aNode('n0'), NOW + MINUTE)],
])('a claim %s is another one', (_, fence) => {
  const id = claimID(fenced(fence), NOW);
  expect(id).not.toBe(fence);
  expect(id.startsWith('uid-n1-')).toBe(true);
  if (fence.length === id.length && fence.startsWith('uid-n1')) expect(id > fence).toBe(true);
});

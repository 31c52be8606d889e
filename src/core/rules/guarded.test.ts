import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { guarded } from './guarded.ts';

describe('guarded', () => {
  test.each([
    [true, undefined],
    [false, 'AdmissionPolicyMissing'],
  ])('guarded %s: %s', (inForce, reason) => {
    expect(guarded(aCandidate(aWorld({ nodes: [aNode('n1')], guarded: inForce })), NOW)?.reason).toBe(reason);
  });
});

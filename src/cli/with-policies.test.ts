import { expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import { updatePolicySpecSchema } from '../api/update-policy.ts';
import { aPolicy, aRollout } from '../core/testing/builders.ts';
import { withPolicies } from './with-policies.ts';

const file = (name: string, annotations: Record<string, string> = {}) => ({
  name,
  annotations,
  spec: z.parse(updatePolicySpecSchema, { approval: 'Manual' }),
});

test('a policy that is there keeps its status and its other annotations; a new one has none', () => {
  const status = { rollouts: [aRollout()] };
  const before = aPolicy({ name: 'workers', annotations: { a: '1', b: '2' }, status });
  const { policies, sources } = withPolicies([before, aPolicy({ name: 'other' })], [file('workers', { b: '3' }), file('batch')]);
  expect(policies).toEqual([
    { ...file('batch'), uid: 'planned-batch', resourceVersion: '0', generation: 1, deleting: false, status: {} },
    aPolicy({ name: 'other' }),
    { ...before, generation: 2, annotations: { a: '1', b: '3' }, spec: file('workers').spec },
  ]);
  expect([...sources]).toEqual([
    ['workers', 'Changed'],
    ['batch', 'New'],
  ]);
});

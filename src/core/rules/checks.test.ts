import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aPolicy, aWorld, MINUTE, NOW } from '../testing/builders.ts';
import type { ChecksView } from '../world.ts';
import { checks } from './checks.ts';

const checked = aPolicy({ generation: 2, spec: { checks: [{ pods: { namespace: 'shop', minReady: 1 } }] } });

describe('checks', () => {
  test.each<[string, ChecksView | undefined, string | undefined]>([
    ['not looked at yet', undefined, 'CheckPending'],
    ['hold', { generation: 2, at: NOW }, undefined],
    ['held a while ago', { generation: 2, at: NOW - MINUTE }, undefined],
    ['held too long ago', { generation: 2, at: NOW - MINUTE - 1 }, 'CheckPending'],
    ['held by a clock that was wrong', { generation: 2, at: NOW + 2 * MINUTE }, 'CheckPending'],
    ['of an older spec', { generation: 1, at: NOW }, 'CheckPending'],
    ['fail', { generation: 2, at: NOW, failed: 'x' }, 'CheckFailed'],
  ])('%s', (_, view, reason) => {
    const seen = new Map(view === undefined ? [] : [['uid-default', view]]);
    const world = aWorld({ policies: [checked], nodes: [aNode('n1')], checks: seen });
    expect(checks(aCandidate(world), NOW)?.reason).toBe(reason);
  });

  test('a policy without checks waits for none', () => {
    expect(checks(aCandidate(aWorld({ nodes: [aNode('n1')] })), NOW)).toBeUndefined();
  });

  test('say which one fails and what it saw', () => {
    const seen = new Map([
      ['uid-default', { generation: 2, at: NOW, failed: 'pods of namespace shop: 0 pods are Ready, at least 1 must be' }],
    ]);
    const world = aWorld({ policies: [checked], nodes: [aNode('n1')], checks: seen });
    expect(checks(aCandidate(world), NOW)?.message).toBe(
      'waits until this check holds: pods of namespace shop: 0 pods are Ready, at least 1 must be',
    );
  });
});

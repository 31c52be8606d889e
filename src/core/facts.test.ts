import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import { factsOf } from './facts.ts';
import {
  aClaim,
  aFailure,
  ago,
  aHost,
  aNode,
  anUpdate,
  aPolicy,
  aRecord,
  aRollout,
  aWorld,
  HOUR,
  MINUTE,
  NEW,
  NOW,
} from './testing/builders.ts';
import type { NodeView, PolicyView } from './world.ts';

const facts = (policy: PolicyView, ...nodes: NodeView[]) => factsOf(policy, nodes, aWorld({ policies: [policy], nodes }), NOW);
const failure = { target: NEW, at: ago(MINUTE), reason: 'RolledBackByHost', bootID: 'boot-1', readySince: ago(24 * HOUR) };

describe('what a policy remembers of a machine', () => {
  const policy = aPolicy({
    annotations: { [BY_HAND.retry]: 'old' },
    status: { rollouts: [aRollout({ failed: [aFailure('n1')] })], tokens: { retry: 'old' } },
  });

  test.each([
    ['a NodeUpdate that was never written', aNode('n1'), { failures: [failure], tokens: { policyRetry: 'old' } }],
    [
      'one that was written',
      aNode('n1', { update: anUpdate({ phase: 'Idle', tokens: { policyRetry: 'old' } }) }),
      { phase: 'Idle', tokens: { policyRetry: 'old' } },
    ],
    ['of another machine', aNode('n2'), { tokens: { policyRetry: 'old' } }],
  ])('%s', (_, node, status) => {
    expect(facts(policy, node).members[0]?.status).toEqual(status);
  });
});

describe('a retry', () => {
  const status = { phase: 'RolledBack' as const, attempts: 3, retryAt: ago(-HOUR), failures: [failure] };
  const asked = { [BY_HAND.retry]: 'now' };

  test.each([
    [
      'on the node',
      aPolicy(),
      aNode('n1', { annotations: asked, update: anUpdate(status) }),
      { phase: 'RolledBack', tokens: { retry: 'now' } },
    ],
    [
      'on the policy',
      aPolicy({ annotations: asked }),
      aNode('n1', { update: anUpdate(status) }),
      { phase: 'RolledBack', tokens: { policyRetry: 'now' } },
    ],
    [
      'of a node in flight: its step decides',
      aPolicy(),
      aNode('n1', { annotations: asked, update: anUpdate(status), record: aRecord('n1') }),
      status,
    ],
    [
      'that was acted upon',
      aPolicy(),
      aNode('n1', { annotations: asked, update: anUpdate({ ...status, tokens: { retry: 'now' } }) }),
      { ...status, tokens: { retry: 'now' } },
    ],
  ])('%s', (_, policy, node, expected) => {
    expect(facts(policy, node).members[0]?.status).toEqual(expected);
  });

  test.each([
    ['another policy', { policy: 'other', tokens: { policyRetry: 'theirs' } }],
    ['no policy', {}],
  ])('that its policy has acted upon before a node came from %s is not meant for it', (_, from) => {
    const policy = aPolicy({ annotations: asked, status: { tokens: { retry: 'now' } } });
    const known = { ...status, ...from };
    expect(facts(policy, aNode('n1', { update: anUpdate(known) })).members[0]).toMatchObject({ retried: false, status });
  });
});

describe('unavailable', () => {
  test.each<[string, Partial<NodeView>, Partial<PolicyView>, boolean]>([
    ['a Ready node', {}, {}, false],
    ['cordoned by anyone', { unschedulable: true }, {}, true],
    ['not Ready', { ready: { status: false, since: ago(MINUTE) } }, {}, true],
    ['in flight, although somebody uncordoned it', { record: aRecord('n1') }, {}, true],
    ['claimed', {}, { status: { claims: [aClaim('n1')] } }, true],
    ['an earlier node of that name was claimed', {}, { status: { claims: [aClaim('n1', { uid: 'earlier' })] } }, false],
  ])('%s', (_, node, policy, expected) => {
    expect(facts(aPolicy(policy), aNode('n1', node)).unavailable.has('n1')).toBe(expected);
  });
});

describe('problems', () => {
  const aHook = { at: 'Finally', cronJob: { namespace: 'db', name: 'unset' } } as const;

  test.each([
    ['none', aPolicy(), 0],
    ['a range', aPolicy({ spec: { version: { range: 'new' } } }), 1],
    ['a hook in a namespace that is not allowed', aPolicy({ spec: { hooks: [aHook, aHook] } }), 1],
    ['a range and an annotation', aPolicy({ spec: { version: { range: 'new' } }, annotations: { [BY_HAND.paused]: 'maybe' } }), 2],
  ])('%s', (_, policy, count) => {
    expect(facts(policy, aNode('n1')).problems).toHaveLength(count);
  });

  test('none with a hook in a namespace that is allowed', () => {
    const policy = aPolicy({ spec: { hooks: [aHook] } });
    expect(factsOf(policy, [], aWorld({ hookNamespaces: ['db'] }), NOW).problems).toEqual([]);
  });
});

describe('targets', () => {
  const two = [aNode('n1'), aNode('n2')];

  test.each([
    ['the rollout’s', aPolicy(), NEW],
    [
      'none of a rollout that is only remembered: a pin waits',
      aPolicy({ annotations: { [BY_HAND.pinVersion]: '9.0.0' }, status: { rollouts: [aRollout({ failed: [aFailure('n9')] })] } }),
      'NotOffered',
    ],
    [
      'none of a rollout that is only remembered: out of range',
      aPolicy({ spec: { version: { range: '<1.26.1' } }, status: { rollouts: [aRollout({ failed: [aFailure('n9')] })] } }),
      'UpToDate',
    ],
    [
      'the annotation’s pin beats the spec’s',
      aPolicy({ spec: { version: { pin: '9.0.0' } }, annotations: { [BY_HAND.pinVersion]: NEW } }),
      NEW,
    ],
  ])('%s', (_, policy, expected) => {
    const target = facts(policy, ...two).members[0]?.target;
    expect(target?.version ?? (target !== undefined && 'verdict' in target ? target.verdict.reason : undefined)).toBe(expected);
  });

  test('a node that has lost its OS has none', () => {
    const { os: _, ...node } = aNode('n1', { host: aHost() });
    expect(facts(aPolicy(), node).members[0]?.target).toMatchObject({ verdict: { reason: 'NoPolicy' } });
  });
});

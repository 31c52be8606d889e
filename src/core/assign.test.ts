import { describe, expect, test } from '@jest/globals';
import { ON_NODE } from '../api/names.ts';
import { assign, claimOn, isHeld, selects, takenByOthers } from './assign.ts';
import { aClaim, aNode, aPolicy, aRecord } from './testing/builders.ts';

const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';
const MASTER = 'node-role.kubernetes.io/master';
const exists = (key: string) => ({ matchExpressions: [{ key, operator: 'Exists' as const }] });
const labelled = (labels: Record<string, string>) => aNode('n1', { labels });
const { os: _, ...foreign } = aNode('n1');

describe('selects', () => {
  test.each([
    ['a Bottlerocket node', {}, aNode('n1'), true],
    ['another OS', {}, foreign, false],
    ['another OS although a label names it', { matchLabels: { pool: 'a' } }, { ...foreign, labels: { pool: 'a' } }, false],
    ['EKS Auto’s', {}, labelled({ 'eks.amazonaws.com/compute-type': 'auto' }), false],
    [
      'EKS Auto’s although it is asked for',
      exists('eks.amazonaws.com/compute-type'),
      labelled({ 'eks.amazonaws.com/compute-type': 'auto' }),
      false,
    ],
    ['EKS’s other compute types', {}, labelled({ 'eks.amazonaws.com/compute-type': 'ec2' }), true],
    ['a control-plane node', {}, labelled({ [CONTROL_PLANE]: '' }), false],
    [
      'a control-plane node that is selected by another label',
      { matchLabels: { pool: 'a' } },
      labelled({ [CONTROL_PLANE]: '', pool: 'a' }),
      false,
    ],
    ['a control-plane node whose label is named', exists(CONTROL_PLANE), labelled({ [CONTROL_PLANE]: '' }), true],
    [
      'a control-plane node whose label must not be there',
      { matchExpressions: [{ key: CONTROL_PLANE, operator: 'DoesNotExist' as const }] },
      labelled({ [CONTROL_PLANE]: '' }),
      false,
    ],
    ['a master by its old label', {}, labelled({ [MASTER]: 'true' }), false],
    ['a master whose old label is named', { matchLabels: { [MASTER]: 'true' } }, labelled({ [MASTER]: 'true' }), true],
    ['a node without the label', { matchLabels: { pool: 'a' } }, aNode('n1'), false],
  ])('%s', (_name, nodeSelector, node, expected) => {
    expect(selects(aPolicy({ spec: { nodeSelector } }), node)).toBe(expected);
  });
});

describe('assign', () => {
  const a = aPolicy({ name: 'a' });
  const b = aPolicy({ name: 'b' });
  const high = aPolicy({ name: 'z', spec: { priority: 1 } });
  const none = { spec: { nodeSelector: { matchLabels: { pool: 'elsewhere' } } } };
  const claims = [aClaim('n1')];

  test.each([
    ['no policy', [], aNode('n1'), undefined],
    ['one', [a], aNode('n1'), 'a'],
    ['two: the first by name', [b, a], aNode('n1'), 'a'],
    ['two: the higher priority', [a, high], aNode('n1'), 'z'],
    ['one that is being deleted takes no node', [aPolicy({ name: 'a', deleting: true }), b], aNode('n1'), 'b'],
    ['none that selects it', [aPolicy({ name: 'a', ...none })], aNode('n1'), undefined],
    ['claimed: stays, whatever the priority', [high, aPolicy({ name: 'a', status: { claims } })], aNode('n1'), 'a'],
    ['claimed: stays although no longer selected', [aPolicy({ name: 'a', ...none, status: { claims } }), b], aNode('n1'), 'a'],
    [
      'claimed: stays although the policy is being deleted',
      [aPolicy({ name: 'a', deleting: true, status: { claims } }), b],
      aNode('n1'),
      'a',
    ],
    [
      'claimed, and given up since: no claim',
      [high, aPolicy({ name: 'a', status: { claims } })],
      aNode('n1', { annotations: { [ON_NODE.fence]: 'claim-n1' } }),
      'z',
    ],
    [
      'claimed under an earlier uid: no claim',
      [high, aPolicy({ name: 'a', status: { claims: [aClaim('n1', { uid: 'other' })] } })],
      aNode('n1'),
      'z',
    ],
    ['in flight: stays by its record', [high, a], aNode('n1', { record: aRecord('n1', { policyUID: 'uid-a' }) }), 'a'],
    [
      'in flight: the record beats a claim',
      [aPolicy({ name: 'b', status: { claims } }), a],
      aNode('n1', { record: aRecord('n1', { policyUID: 'uid-a' }) }),
      'a',
    ],
    ['in flight for a policy that is gone: whose selects it', [a], aNode('n1', { record: aRecord('n1', { policyUID: 'gone' }) }), 'a'],
    ['in flight for a policy that is gone: none', [], aNode('n1', { record: aRecord('n1') }), undefined],
    ['a record that cannot be read: whose selects it', [a], aNode('n1', { record: 'unreadable' }), 'a'],
  ])('%s', (_, policies, node, expected) => {
    expect(assign(policies, [node]).get('n1')?.name).toBe(expected);
  });
});

describe('takenByOthers', () => {
  test('the nodes that a policy selects and does not have, by who has them', () => {
    const [low, high] = [
      aPolicy({ name: 'low' }),
      aPolicy({ name: 'high', spec: { priority: 1, nodeSelector: { matchLabels: { tier: 'a' } } } }),
    ];
    const nodes = [
      aNode('n1', { labels: { tier: 'a' } }),
      aNode('n2'),
      aNode('n3', { labels: { 'eks.amazonaws.com/compute-type': 'auto' } }),
    ];
    const assigned = assign([low, high], nodes);
    expect([...takenByOthers(low, nodes, assigned)]).toEqual([['high', ['n1']]]);
    expect(takenByOthers(high, nodes, assigned).size).toBe(0);
  });
});

describe('isHeld', () => {
  const held = (fence: string | undefined, uid = 'uid-n1') =>
    isHeld(aClaim('n1', { id: 'b' }), aNode('n1', { uid, annotations: fence === undefined ? {} : { [ON_NODE.fence]: fence } }));

  test.each([
    ['no fence', undefined, true],
    ['the fence of an earlier claim', 'a', true],
    ['its own fence', 'b', false],
    ['the fence of a later claim', 'c', false],
  ])('%s', (_name, fence, expected) => {
    expect(held(fence)).toBe(expected);
  });

  test('not on another node of the name, nor on none', () => {
    expect(held(undefined, 'another')).toBe(false);
    expect(isHeld(aClaim('n1'), undefined)).toBe(false);
  });
});

describe('claimOn', () => {
  const policy = aPolicy({ status: { claims: [aClaim('n1'), aClaim('n2', { uid: 'earlier' })] } });

  test.each([
    ['n1', 'claim-n1'],
    ['n2', undefined],
    ['n3', undefined],
  ])('%s: %s', (name, id) => {
    expect(claimOn(policy, aNode(name))?.id).toBe(id);
  });
});

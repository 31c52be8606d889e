import { expect, test } from '@jest/globals';
import type { Access, NodeRow, PolicyRow } from '../wire.ts';
import { nodeOffers, policyOffers } from './actions.ts';

const all: Access = { missing: [], forbidden: [] };
const counts = { nodes: 3, updated: 1, outdated: 2, staging: 0, staged: 2, inFlight: 0, blocked: 0, failed: 0, unavailable: 0, overdue: 0 };
const aPolicy = (more: Partial<PolicyRow> = {}): PolicyRow => ({
  name: 'fleet',
  uid: 'u',
  conditions: [],
  timeZone: 'UTC',
  approval: 'Automatic',
  maxUnavailable: '1',
  zoneKey: 'topology.kubernetes.io/zone',
  ...more,
});
const node = (more: Partial<NodeRow> = {}): NodeRow => ({
  name: 'node-1',
  policy: 'fleet',
  version: '1.26.0',
  target: '1.26.1',
  phase: 'Staged',
  ...more,
});
const halted = { type: 'Halted', status: 'True', reason: 'Halted', message: 'too many failed', since: 0 } as const;

test.each<[string, Partial<PolicyRow>, Partial<NodeRow>[], string[]]>([
  ['nothing to do', {}, [{ phase: 'Idle' }], ['Pause']],
  ['behind', { counts }, [{}], ['Pause', 'Approve now']],
  ['waits for an approval', { approval: 'Manual', counts }, [{ reason: 'AwaitingApproval' }], ['Pause', 'Approve', 'Approve now']],
  ['paused by hand', { byHand: { paused: true } }, [], ['Resume']],
  ['paused by its spec', { pausedBySpec: true }, [], []],
  ['halted', { conditions: [halted], counts }, [{ phase: 'Failed' }], ['Pause', 'Go on after the halt', 'Approve now', 'Retry nodes']],
  ['another policy’s failures', {}, [{ phase: 'Failed', policy: 'other' }], ['Pause']],
  [
    'a group’s turn',
    {
      rollouts: [
        { id: 'r', variant: 'v', arch: 'a', target: 't', startedAt: 0, updated: 0, groups: [{ name: 'canary', state: 'Soaking' }] },
      ],
    },
    [],
    ['Pause', 'Skip the group'],
  ],
])('a policy, %s', (_, policy, nodes, labels) => {
  expect(policyOffers(aPolicy(policy), nodes.map(node), all).map(({ label }) => label)).toEqual(labels);
});

test.each<[string, Partial<NodeRow>, string[]]>([
  ['that waits', {}, ['Pause', 'Approve now']],
  ['that waits for an approval', { reason: 'AwaitingApproval' }, ['Pause', 'Approve', 'Approve now']],
  ['that is up to date', { phase: 'Idle', target: '1.26.0' }, ['Pause']],
  ['that is drained', { phase: 'Draining' }, ['Pause', 'Give up the drain']],
  ['that reboots', { phase: 'Rebooting' }, ['Pause']],
  ['that failed', { phase: 'Failed' }, ['Pause', 'Retry']],
  ['that is paused', { byHand: { paused: true } }, ['Resume', 'Approve now']],
])('a node %s', (_, more, labels) => {
  expect(nodeOffers(node(more), all).map(({ label }) => label)).toEqual(labels);
});

test('of a node without a policy nothing can be asked', () => {
  expect(nodeOffers({ name: 'node-1', phase: 'Idle' }, all)).toEqual([]);
});

test('what the user may not do is named with the right and the role, on the kind of target that it concerns', () => {
  const access: Access = {
    missing: [],
    forbidden: [{ on: 'node', right: { verb: 'patch', resource: 'nodeupdates.lockkeeper.dev' }, role: 'lockkeeper-operator' }],
  };
  expect(
    nodeOffers(node(), access).every(({ forbidden }) =>
      forbidden?.includes('patch nodeupdates.lockkeeper.dev: the ClusterRole lockkeeper-operator'),
    ),
  ).toBe(true);
  expect(policyOffers(aPolicy(), [], access)).toEqual([{ verb: 'pause', label: 'Pause' }]);
});

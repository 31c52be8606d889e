import { describe, expect, test } from '@jest/globals';
import type { BadRelease } from '../../api/update-policy.ts';
import {
  aCandidate,
  aClaim,
  aFailure,
  ago,
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
  OLD,
} from '../testing/builders.ts';
import type { NodeView } from '../world.ts';
import { rollbackTurn } from './rollback-turn.ts';

const bad: BadRelease = { variant: 'aws-k8s-1.31', arch: 'amd64', version: NEW, markedAt: ago(HOUR) };
const history = [{ from: OLD, to: NEW, startedAt: ago(2 * HOUR), finishedAt: ago(HOUR), outcome: 'Updated' }];
const failures = [
  { target: NEW, at: ago(MINUTE), reason: 'VerificationTimeout', bootID: 'boot-2', readySince: ago(MINUTE), rebooted: true },
];
const updated = (name: string, change: Partial<NodeView> = {}) =>
  aNode(name, { os: { ...aNode(name).os!, version: NEW }, update: anUpdate({ phase: 'Idle', history }), ...change });
const failing = (name: string, change: Partial<NodeView> = {}) =>
  updated(name, {
    unschedulable: true,
    record: aRecord(name),
    update: anUpdate({ phase: 'Failed', claim: `claim-${name}`, failures }),
    ...change,
  });
const notReady = { ready: { status: false, since: ago(MINUTE) } };
const back = { rollback: { at: ago(MINUTE), bootID: 'boot-2' } };
const rollingBack = (name: string) => ({
  record: aRecord(name, back),
  update: anUpdate({ phase: 'RollingBack', claim: `claim-${name}`, failures }),
});

describe('rollbackTurn', () => {
  test.each<[string, number, NodeView[], string[], string | undefined]>([
    ['nobody else is away', 1, [updated('n2')], [], undefined],
    ['the node that failed in the rollout holds the only slot', 1, [failing('n2')], [], undefined],
    ['it is in flight on its own way back', 1, [failing('n2', rollingBack('n2'))], [], 'CapacityReached'],
    ['it failed on its own way back', 1, [failing('n2', { record: aRecord('n2', back) })], [], undefined],
    [
      'another one is taken back',
      3,
      [updated('n3', { record: aRecord('n3', { rollsBack: true }), unschedulable: true })],
      [],
      'CapacityReached',
    ],
    ['another one was claimed for it in this pass', 3, [updated('n3')], ['n3'], 'CapacityReached'],
    ['another one could not be taken back', 3, [failing('n3', { record: aRecord('n3', { rollsBack: true }) })], [], 'RollbackFailed'],
    ['one that somebody else cordoned counts', 1, [updated('n3', { unschedulable: true })], [], 'CapacityReached'],
    ['one that somebody else cordoned, of two', 2, [updated('n3', { unschedulable: true })], [], undefined],
    [
      'one that soaks counts',
      1,
      [aNode('n3', { update: anUpdate({ phase: 'Soaking', deadlines: { soak: ago(-MINUTE) } }) })],
      [],
      'CapacityReached',
    ],
  ])('%s', (_, maxUnavailable, others, claimed, reason) => {
    const status = { badReleases: [bad], rollouts: [aRollout({ failed: [aFailure('n2')] })] };
    const policies = [aPolicy({ spec: { rollout: { maxUnavailable, onExceeded: 'RollBack' } }, status })];
    const world = aWorld({ policies, nodes: [updated('n1'), ...others, aNode('n9'), aNode('n8')] });
    expect(rollbackTurn(aCandidate(world, { version: OLD, claimed: new Set(claimed) }), NOW)?.reason).toBe(reason);
  });

  test('a claim for it counts before there is a record', () => {
    const status = { badReleases: [bad], rollouts: [aRollout()], claims: [aClaim('n2')] };
    const policies = [aPolicy({ spec: { rollout: { maxUnavailable: 3, onExceeded: 'RollBack' } }, status })];
    const world = aWorld({ policies, nodes: [updated('n1'), updated('n2'), aNode('n3'), aNode('n4')] });
    expect(rollbackTurn(aCandidate(world), NOW)?.message).toContain('one node at a time');
  });

  test('what all that wait are told stays the same, whichever node is under way', () => {
    const told = (under: string) => {
      const status = { badReleases: [bad], rollouts: [aRollout()], claims: [aClaim(under)] };
      const policies = [aPolicy({ spec: { rollout: { maxUnavailable: 3, onExceeded: 'RollBack' } }, status })];
      return rollbackTurn(aCandidate(aWorld({ policies, nodes: ['n1', 'n2', 'n3', 'n4'].map((name) => updated(name)) })), NOW);
    };
    expect(told('n2')).toEqual(told('n3'));
    const busy = (name: string) => {
      const soaking = aNode(name, { update: anUpdate({ phase: 'Soaking', deadlines: { soak: ago(-MINUTE) } }) });
      const policies = [aPolicy({ spec: { rollout: { onExceeded: 'RollBack' } }, status: { badReleases: [bad], rollouts: [aRollout()] } })];
      return rollbackTurn(aCandidate(aWorld({ policies, nodes: [updated('n1'), soaking, aNode('n8'), aNode('n9')] })), NOW);
    };
    expect(busy('n2')).toEqual(busy('n3'));
  });

  test('one that is not ready anyway takes no further slot', () => {
    const policies = [aPolicy({ spec: { rollout: { onExceeded: 'RollBack' } }, status: { badReleases: [bad], rollouts: [aRollout()] } })];
    const world = aWorld({ policies, nodes: [updated('n1', notReady), aNode('n2', { unschedulable: true }), aNode('n3')] });
    expect(rollbackTurn(aCandidate(world), NOW)).toBeUndefined();
  });
});

import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { UpdatePolicyStatus } from '../api/update-policy.ts';
import { aClaim, ago, aNode, anUpdate, aPolicy, aRollout, aWorld, NOW } from '../core/testing/builders.ts';
import { ProgressThrottle } from './throttle.ts';

const drain = (remaining: number): NodeUpdateStatus => ({
  phase: 'Draining',
  reason: 'Draining',
  message: `waits for ${remaining} pods`,
  drain: { startedAt: ago(0), total: 9, remaining },
});

/** One node and one policy, whose persisted statuses a test moves on by writing what was let through. */
function bed(node: NodeUpdateStatus = {}, policy: UpdatePolicyStatus = {}) {
  const throttle = new ProgressThrottle();
  const persisted = { node, policy };
  const pick = (wanted: { node?: NodeUpdateStatus; policy?: UpdatePolicyStatus }, now: number) => {
    const world = aWorld({ nodes: [aNode('a', { update: anUpdate(persisted.node) })], policies: [aPolicy({ status: persisted.policy })] });
    const nodes = wanted.node === undefined ? [] : [{ node: 'a', status: wanted.node, commands: [] }];
    const policies = wanted.policy === undefined ? [] : [{ policy: 'default', status: wanted.policy }];
    const picked = throttle.pick(world, policies, nodes, now);
    if (picked.nodes[0] !== undefined) persisted.node = picked.nodes[0].status;
    if (picked.policies[0] !== undefined) persisted.policy = picked.policies[0].status;
    return { written: picked.nodes.length + picked.policies.length, due: picked.due };
  };
  return { throttle, pick };
}

describe('a node', () => {
  test('that is as it was is not written', () => {
    const { pick } = bed(drain(3));
    expect(pick({ node: drain(3) }, NOW)).toEqual({ written: 0, due: undefined });
  });

  test('that is only being drained further is written every 5 s, and is due then', () => {
    const { pick } = bed(drain(9));
    expect(pick({ node: drain(8) }, NOW)).toEqual({ written: 1, due: undefined });
    expect(pick({ node: drain(7) }, NOW + 1)).toEqual({ written: 0, due: NOW + 5_000 });
    expect(pick({ node: drain(6) }, NOW + 4_999)).toEqual({ written: 0, due: NOW + 5_000 });
    expect(pick({ node: drain(5) }, NOW + 5_000)).toEqual({ written: 1, due: undefined });
  });

  test.each<[string, NodeUpdateStatus]>([
    ['phase', { ...drain(7), phase: 'Rebooting' }],
    ['reason', { ...drain(7), reason: 'DrainTimeout' }],
    ['deadline', { ...drain(7), deadlines: { drain: ago(0) } }],
    ['failure', { ...drain(7), attempts: 1 }],
  ])('of another %s is written at once', (_name, status) => {
    const { pick } = bed(drain(9));
    pick({ node: drain(8) }, NOW);
    expect(pick({ node: status }, NOW + 1).written).toBe(1);
  });

  test('that was picked and left comes first the next time, be it mere progress', () => {
    const throttle = new ProgressThrottle();
    const nodes = ['a', 'b', 'c'].map((name) => ({ node: name, status: drain(8), commands: [] }));
    const world = aWorld({ nodes: ['a', 'b', 'c'].map((name) => aNode(name, { update: anUpdate(drain(9)) })) });
    const pick = () => throttle.pick(world, [], nodes, NOW).nodes.map(({ node }) => node);
    expect(pick()).toEqual(['a', 'b', 'c']);
    throttle.left(new Set(['c']));
    expect(pick()).toEqual(['c']);
    throttle.left(new Set(['b', 'c']));
    expect(pick()).toEqual(['b', 'c']);
  });

  test('outside of a drain is written at once, whatever of it changes', () => {
    const { pick } = bed({ phase: 'Verifying', message: 'a' });
    expect(pick({ node: { phase: 'Verifying', message: 'b' } }, NOW).written).toBe(1);
    expect(pick({ node: { phase: 'Verifying', message: 'c' } }, NOW + 1).written).toBe(1);
  });

  test('that is blocked by ever other pods is written every 5 s', () => {
    const { pick } = bed({ phase: 'Blocked', reason: 'CannotEvict', message: 'a' });
    expect(pick({ node: { phase: 'Blocked', reason: 'CannotEvict', message: 'b' } }, NOW).written).toBe(1);
    expect(pick({ node: { phase: 'Blocked', reason: 'CannotEvict', message: 'c' } }, NOW + 1)).toEqual({ written: 0, due: NOW + 5_000 });
    expect(pick({ node: { phase: 'Blocked', reason: 'DrainTimeout', message: 'c' } }, NOW + 2).written).toBe(1);
  });

  test('whose pods are looked at is written only if that lasts for a second', () => {
    const { pick } = bed({ phase: 'Staged', reason: 'CapacityReached' });
    const looking = { phase: 'Staged', reason: 'Preflight' } as const;
    expect(pick({ node: looking }, NOW)).toEqual({ written: 0, due: NOW + 1_000 });
    expect(pick({ node: { phase: 'Draining', reason: 'Draining' } }, NOW + 10).written).toBe(1);
    expect(pick({ node: looking }, NOW + 990)).toEqual({ written: 0, due: NOW + 1_990 });
    expect(pick({ node: looking }, NOW + 1_990).written).toBe(1);
  });

  test('is not held back by a clock that was put back', () => {
    const { pick } = bed(drain(9));
    pick({ node: drain(8) }, NOW);
    expect(pick({ node: drain(7) }, NOW - 3_600_000)).toEqual({ written: 1, due: undefined });
  });
});

describe('a policy', () => {
  const counts = (updated: number) => ({
    nodes: 9,
    updated,
    outdated: 9 - updated,
    staging: 0,
    staged: 0,
    inFlight: 0,
    blocked: 0,
    failed: 0,
    unavailable: 0,
    overdue: 0,
  });
  const condition = (type: string, status: 'True' | 'False', message: string) => ({
    type,
    status,
    reason: 'X',
    message,
    lastTransitionTime: ago(0),
  });
  const progress = (updated: number): UpdatePolicyStatus => ({
    counts: counts(updated),
    summary: `${updated}/9`,
    rollouts: [aRollout({ updated })],
    conditions: [condition('Progressing', updated < 9 ? 'True' : 'False', `${updated}`), condition('Ready', 'True', 'ok')],
  });

  test('of which only counts and progress change is written every 5 s', () => {
    const { pick } = bed({}, progress(0));
    expect(pick({ policy: progress(1) }, NOW).written).toBe(1);
    expect(pick({ policy: progress(2) }, NOW + 4_000)).toEqual({ written: 0, due: NOW + 5_000 });
    expect(pick({ policy: progress(9) }, NOW + 5_000).written).toBe(1);
  });

  test.each<[string, UpdatePolicyStatus]>([
    ['claim', { claims: [aClaim('a')] }],
    ['condition', { conditions: [condition('Progressing', 'True', '1'), condition('Halted', 'True', 'x')] }],
    ['generation', { observedGeneration: 2 }],
    ['token', { tokens: { resume: '1' } }],
    ['failed machine', { rollouts: [aRollout({ failed: [{ node: 'a', hostID: 'h', target: '1', reason: 'x', at: ago(0) }] })] }],
  ])('with another %s is written at once', (_name, change) => {
    const { pick } = bed({}, progress(0));
    pick({ policy: progress(1) }, NOW);
    expect(pick({ policy: { ...progress(1), ...change } }, NOW + 1).written).toBe(1);
  });

  test('that its claims have just carried waits for its counts', () => {
    const { pick, throttle } = bed({}, progress(0));
    throttle.wrote('default', NOW);
    expect(pick({ policy: progress(1) }, NOW + 1)).toEqual({ written: 0, due: NOW + 5_000 });
  });
});

test('what is gone is forgotten: a node of the same name is written at once', () => {
  const throttle = new ProgressThrottle();
  const world = aWorld({ nodes: [aNode('a', { update: anUpdate(drain(9)) })] });
  const pick = (nodes = world, at = NOW) => throttle.pick(nodes, [], [{ node: 'a', status: drain(8), commands: [] }], at).nodes.length;
  expect(pick()).toBe(1);
  expect(pick(world, NOW + 1)).toBe(0);
  throttle.pick(aWorld(), [], [], NOW + 2);
  expect(pick(world, NOW + 3)).toBe(1);
});

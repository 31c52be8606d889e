import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { decide } from '../decide.ts';
import { ago, aNode, anUpdate, aPolicy, aRollout, aWorld, HOUR, MINUTE, NEW, NOW, OLD } from '../testing/builders.ts';
import { type NodeView, type PolicyView, timestamp, type World } from '../world.ts';
import type { Notification } from './notification.ts';
import { type PolicyNews, sightingsOf } from './sightings.ts';

const since = ago(MINUTE);
const soon = timestamp(NOW + 30 * MINUTE);
const closed = { windows: [{ cron: '30 12 * * *', duration: '1h', timeZone: 'UTC' }] };
const condition = (type: string, lastTransitionTime = since, message = 'why') => ({
  type,
  status: 'True' as const,
  reason: 'Because',
  message,
  lastTransitionTime,
});

const aTroubled = (status: NodeUpdateStatus, name = 'a'): NodeView =>
  aNode(name, { update: anUpdate({ policy: 'default', since, ...status }) });

/** A node that runs what it should, brought there by the rollout. */
const anUpdated = (name: string, status: NodeUpdateStatus = {}): NodeView =>
  aNode(name, {
    os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' },
    update: anUpdate({
      policy: 'default',
      phase: 'Idle',
      reason: 'UpToDate',
      from: NEW,
      target: NEW,
      history: [{ from: OLD, to: NEW, startedAt: ago(50 * MINUTE), finishedAt: ago(40 * MINUTE), outcome: 'Updated' }],
      ...status,
    }),
  });

/** As if the decision said what is persisted. */
function newsOf(policy: PolicyView, nodes: readonly NodeView[], change: Partial<PolicyNews> = {}): PolicyNews {
  return { policy, status: policy.status, nodes: nodes.map((node) => ({ node, status: node.update?.status ?? {} })), ...change };
}

const see = (news: PolicyNews): Notification[] => sightingsOf(news, HOUR, NOW);
const seen = (news: PolicyNews) => see(news).map(({ id, at }) => [id, timestamp(at)]);

describe('a halted policy', () => {
  const halted = aPolicy({ status: { conditions: [condition('Halted', since, 'halted: a')] } });

  test('is told of since it is halted, with what to do', () => {
    expect(see(newsOf(halted, []))).toEqual([
      {
        id: `RolloutHalted/uid-default@${since}`,
        type: 'RolloutHalted',
        at: NOW - MINUTE,
        policy: 'default',
        policyUID: 'uid-default',
        reason: 'Halted',
        message: 'halted: a',
        advice: 'Look at the nodes that the condition `Halted` names; once that is mended, `kubectl lockkeeper resume default`.',
      },
    ]);
  });

  test('is not, before that is persisted, and once it is so no longer', () => {
    expect(see(newsOf(aPolicy(), [], { status: halted.status }))).toEqual([]);
    expect(see(newsOf(halted, [], { status: {} }))).toEqual([]);
    expect(see(newsOf(halted, [], { status: { conditions: [condition('Halted', ago(0))] } }))).toEqual([]);
  });
});

describe('a node', () => {
  test.each<[string, NodeUpdateStatus, [string, string][]]>([
    ['failed', { phase: 'Failed', reason: 'RebootTimeout' }, [[`NodeFailed/uid-a/RebootTimeout@${since}`, since]]],
    ['rolled back', { phase: 'RolledBack', reason: 'RolledBackByHost' }, [[`NodeFailed/uid-a/RolledBackByHost@${since}`, since]]],
    [
      'blocked by its pods: when it has been so for a while',
      { phase: 'Blocked', reason: 'CannotEvict', target: NEW },
      [[`NodeBlocked/uid-a/${NEW}/CannotEvict@${since}`, ago(-14 * MINUTE)]],
    ],
    [
      'blocked after a drain that took too long: at once',
      { phase: 'Blocked', reason: 'DrainTimeout', target: NEW },
      [[`NodeBlocked/uid-a/${NEW}/DrainTimeout@${since}`, since]],
    ],
    ['skipped by a person', { phase: 'Blocked', reason: 'Skipped', target: NEW }, []],
    ['draining', { phase: 'Draining', reason: 'Draining' }, []],
    ['of a reason that nobody knows', { phase: 'Failed', reason: 'Whatever' }, []],
  ])('%s', (_what, status, expected) => {
    expect(seen(newsOf(aPolicy(), [aTroubled(status)]))).toEqual(expected);
  });

  test('says which it is, and what to do with it', () => {
    const [failed] = see(newsOf(aPolicy(), [aTroubled({ phase: 'Failed', reason: 'ActivationFailed', message: 'no partition' })]));
    expect(failed).toMatchObject({ node: 'a', reason: 'ActivationFailed', message: 'no partition' });
    expect(failed?.advice).toContain('kubectl lockkeeper retry a');
  });

  test.each<[string, NodeUpdateStatus]>([
    ['phase', { phase: 'Verifying' }],
    ['reason', { reason: 'HookFailed' }],
    ['beginning', { since: ago(0) }],
  ])('is not told of while another %s is persisted', (_what, change) => {
    const node = aTroubled({ phase: 'Failed', reason: 'RebootTimeout' });
    const status = { ...node.update?.status, ...change };
    expect(see(newsOf(aPolicy(), [node], { nodes: [{ node, status }] }))).toEqual([]);
  });
});

describe('a window that is about to open', () => {
  const waits = aTroubled({ phase: 'Staged', from: OLD, target: NEW, reason: 'OutsideWindow' });
  const policy = (change: Partial<PolicyView> = {}, schedule: object = closed) =>
    aPolicy({ spec: { schedule }, status: { window: { open: false, nextChange: soon } }, ...change });

  test('is told of with who waits, in time', () => {
    const [opening] = see(newsOf(policy(), [waits]));
    expect(opening).toMatchObject({
      id: `WindowOpening/uid-default@${soon}`,
      at: NOW - 30 * MINUTE,
      reason: 'OutsideWindow',
      message: 'nodes may be begun from 2026-03-01 12:30 UTC on, and a waits for that',
      advice: 'Nothing; to keep it from being used, `kubectl lockkeeper pause default`.',
    });
  });

  test('says whether approvals are missing', () => {
    const unapproved = aTroubled({ phase: 'Staged', from: OLD, target: NEW, reason: 'AwaitingApproval' }, 'b');
    expect(see(newsOf(policy(), [waits, unapproved]))[0]).toMatchObject({
      message: 'nodes may be begun from 2026-03-01 12:30 UTC on, and 2 nodes wait for that, 1 of them also for an approval',
      advice: expect.stringContaining('kubectl lockkeeper approve'),
    });
    expect(see(newsOf(policy(), [unapproved]))[0]?.message).toMatch(/b waits for that, also for an approval$/);
  });

  test('at the end of an exclusion', () => {
    const exclusions = [{ from: ago(HOUR), to: soon, reason: 'year end' }];
    expect(see(newsOf(policy({}, { always: true, exclusions }), [waits]))[0]).toMatchObject({ reason: 'InExclusion' });
  });

  test.each<[string, PolicyView, NodeView[]]>([
    ['nobody waits', policy(), [anUpdated('a')]],
    ['those that wait are paused', policy(), [aTroubled({ phase: 'Staged', from: OLD, target: NEW, reason: 'Paused' })]],
    ['those that wait have failed', policy(), [aTroubled({ phase: 'RolledBack', from: OLD, target: NEW, reason: 'Whatever' })]],
    ['the policy is paused', policy({ status: { window: { open: false, nextChange: soon }, conditions: [condition('Paused')] } }), [waits]],
    ['it is not persisted', policy({ status: {} }), [waits]],
    ['it is open', policy({}, { windows: [{ cron: '0 12 * * *', duration: '30m', timeZone: 'UTC' }] }), [waits]],
    ['there is none', aPolicy(), [waits]],
  ])('not where %s', (_what, of, nodes) => {
    expect(see(newsOf(of, nodes))).toEqual([]);
  });
});

describe('a rollout that is done', () => {
  const policy = aPolicy({ status: { rollouts: [aRollout({ updated: 2 })] } });

  test('is told of when its last node is updated', () => {
    const later = anUpdated('b', {
      history: [{ from: OLD, to: NEW, startedAt: ago(30 * MINUTE), finishedAt: ago(20 * MINUTE), outcome: 'Updated' }],
    });
    expect(see(newsOf(policy, [anUpdated('a'), later]))).toMatchObject([
      {
        id: `RolloutDone/uid-default/rollout-1@${ago(HOUR)}`,
        type: 'RolloutDone',
        at: NOW - 20 * MINUTE,
        reason: 'UpToDate',
        message: `all 2 nodes of aws-k8s-1.31 (amd64) run ${NEW}; it took 40 min`,
        advice: 'Nothing.',
      },
    ]);
  });

  test.each<[string, NodeView[]]>([
    ['is behind', [anUpdated('a'), aTroubled({ phase: 'Staged', from: OLD, target: NEW, reason: 'CapacityReached' }, 'b')]],
    ['has failed', [anUpdated('a'), aTroubled({ phase: 'Failed', from: OLD, target: NEW, reason: 'RebootTimeout' }, 'b')]],
    ['soaks', [anUpdated('a'), anUpdated('b', { phase: 'Soaking', reason: 'Soaking' })]],
    ['is checked', [anUpdated('a'), anUpdated('b', { phase: 'Verifying', reason: 'Verifying' })]],
  ])('not while a node of it %s', (_what, nodes) => {
    expect(see(newsOf(policy, nodes)).filter(({ type }) => type === 'RolloutDone')).toEqual([]);
  });

  test.each<[string, NodeView]>([
    ['is paused', aTroubled({ phase: 'Staged', from: OLD, target: NEW, reason: 'Paused' }, 'b')],
    ['is to get something else', aTroubled({ phase: 'Staged', from: OLD, target: '1.25.9', reason: 'AwaitingApproval' }, 'b')],
    ['is of another variant', aNode('b', { os: { version: OLD, variant: 'vmware-k8s-1.31', arch: 'amd64' } })],
  ])('whatever becomes of a node that %s', (_what, node) => {
    expect(see(newsOf(policy, [anUpdated('a'), node]))).toMatchObject([
      { type: 'RolloutDone', message: expect.stringMatching(/^the one node of/) },
    ]);
  });

  test.each<[string, NodeUpdateStatus['history']]>([
    ['has updated nobody', undefined],
    ['has only rebooted', [{ from: NEW, to: NEW, startedAt: ago(50 * MINUTE), finishedAt: ago(MINUTE), outcome: 'Updated' }]],
    ['has failed before', [{ from: OLD, to: NEW, startedAt: ago(50 * MINUTE), finishedAt: ago(MINUTE), outcome: 'Failed' }]],
    ['began when its nodes were there', [{ from: OLD, to: NEW, startedAt: ago(2 * HOUR), finishedAt: ago(MINUTE), outcome: 'Updated' }]],
  ])('not where it %s', (_what, history) => {
    expect(see(newsOf(policy, [anUpdated('a', { history })]))).toEqual([]);
  });
});

test.each<[number, string]>([
  [0, 'less than a second'],
  [59_400, '59 s'],
  [3_600_000, '1 h'],
  [7_505_000, '2 h 5 min'],
  [90_061_000, '1 d 1 h'],
])('what took %i ms took %s', (took, text) => {
  const startedAt = ago(HOUR + took);
  const policy = aPolicy({ status: { rollouts: [aRollout({ updated: 1, startedAt })] } });
  const history = [{ from: OLD, to: NEW, startedAt, finishedAt: ago(HOUR), outcome: 'Updated' }];
  expect(see(newsOf(policy, [anUpdated('a', { history })]))[0]?.message).toMatch(new RegExp(`; it took ${text}$`));
});

test('what the decision itself says is seen once it is persisted', () => {
  const policy = aPolicy({ spec: { schedule: closed } });
  const world: World = aWorld({ policies: [policy], nodes: [aNode('a'), aNode('b')] });
  const first = decide(world, NOW);
  const status = first.policies[0]?.status ?? {};
  const statuses = new Map(first.nodes.map((one) => [one.node, one.status]));
  const nodes = world.nodes.map((node) => ({ ...node, update: anUpdate(statuses.get(node.name)) }));
  const persisted = { ...policy, status };
  const again = decide({ ...world, policies: [persisted], nodes }, NOW);
  const news = nodes.map((node) => ({ node, status: again.nodes.find((one) => one.node === node.name)?.status ?? {} }));
  expect(seen(newsOf(persisted, [], { status: again.policies[0]?.status ?? {}, nodes: news }))).toEqual([
    [`WindowOpening/uid-default@${soon}`, ago(30 * MINUTE)],
  ]);
});

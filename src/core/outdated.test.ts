import { describe, expect, test } from '@jest/globals';
import { type NodeUpdateStatus, PHASES, type Phase } from '../api/node-update.ts';
import { decide } from './decide.ts';
import { outdatedTaint } from './outdated.ts';
import { asReason, REASONS } from './reasons.ts';
import {
  ago,
  aHost,
  aNode,
  anUpdate,
  aPod,
  aPolicy,
  aRecord,
  aRollout,
  aStagedNode,
  aWorld,
  HOUR,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
} from './testing/builders.ts';
import type { NodeView, PolicyView, World } from './world.ts';

const outdated = { outdated: true } as const;
const tainted = (change: Partial<NodeView> = {}) => aNode('n1', { ...outdated, ...change });
const removes = (node: NodeView, status: NodeUpdateStatus) => outdatedTaint(node, status, NOW).remove;

describe('the taint of a node that registered outdated', () => {
  const turn = [
    'AwaitingStagingSlot',
    'Staging',
    'Preflight',
    'Claimed',
    'CapacityReached',
    'AwaitingGroup',
    'AwaitingZone',
    'LeaderLast',
    'HandingOver',
    'CheckPending',
  ];

  test('stays while it waits for its turn, and goes with whatever else holds it', () => {
    const kept = Object.keys(REASONS).filter((reason) => !removes(tainted(), { phase: 'Staged', reason }));
    expect(kept.toSorted()).toEqual(turn.toSorted());
    expect(kept.every((reason) => asReason(reason) !== undefined)).toBe(true);
  });

  test('stays while it is updated, and goes with its end', () => {
    const goes = (phase: Phase) => removes(tainted(), { phase, reason: 'Draining' });
    const inFlight: readonly Phase[] = ['Draining', 'Rebooting', 'Verifying', 'RollingBack', 'Uncordoning'];
    expect(PHASES.filter((phase) => !goes(phase))).toEqual(PHASES.filter((phase) => inFlight.includes(phase)));
    expect(removes(tainted(), { phase: 'Idle', reason: 'UpToDate' })).toBe(true);
  });

  test('a node without it has nothing to lose', () => {
    expect(removes(aNode('n1'), { phase: 'Idle', reason: 'UpToDate' })).toBe(false);
  });

  test.each<[string, Partial<NodeView>, string, boolean]>([
    ['its agent has said nothing', { host: { ...aHost(), status: {} } }, 'AwaitingReport', false],
    ['its agent is not there yet', { agent: 'missing' }, 'AgentMissing', false],
    ['nobody knows what it should run', { host: aHost({ bootID: 'boot-0' }) }, 'UpToDate', false],
    ['its agent has said what there is', {}, 'UpToDate', true],
    ['its agent was there, and is gone', { agent: 'missing' }, 'AgentMissing', true],
  ])('soon after it registered, while %s', (_, change, reason, removed) => {
    const unheard = reason === 'AgentMissing' && !removed ? { host: { ...aHost(), status: {} } } : {};
    const young = tainted({ createdAt: ago(MINUTE), ...unheard, ...change });
    expect(outdatedTaint(young, { phase: 'Idle', reason }, NOW)).toEqual({ remove: removed, ...(!removed && { until: NOW + 4 * MINUTE }) });
    const old = { ...young, createdAt: ago(HOUR) };
    expect(outdatedTaint(old, { phase: 'Idle', reason }, NOW)).toEqual({ remove: true });
    expect(removes({ ...young, createdAt: '' }, { phase: 'Idle', reason })).toBe(true);
  });
});

describe('a node that registered outdated', () => {
  const policy = (spec: NonNullable<Parameters<typeof aPolicy>[0]>['spec'] = {}) => aPolicy({ spec, status: { rollouts: [aRollout()] } });
  const decided = (nodes: readonly NodeView[], of: PolicyView = policy(), change: Partial<World> = {}) =>
    decide(aWorld({ policies: [of], nodes, pods: new Map(nodes.map(({ name }) => [name, []])), ...change }), NOW);
  const untainted = (...parameters: Parameters<typeof decided>) =>
    decided(...parameters)
      .nodes.filter(({ commands }) => commands.some(({ type }) => type === 'Untaint'))
      .map(({ node }) => node);

  test('goes first, and takes a slot', () => {
    const nodes = [aStagedNode('a1'), aStagedNode('z9', outdated)];
    const { policies } = decided(nodes);
    expect(policies[0]?.claims?.map(({ node }) => node)).toEqual(['z9']);
    expect(untainted(nodes)).toEqual([]);
    expect(
      decided([aNode('a1'), aNode('z9', outdated)], policy({ staging: { maxParallel: 1 } })).nodes.find(({ node }) => node === 'z9')?.status
        .reason,
    ).toBe('Staging');
  });

  test.each<[string, NodeView, PolicyView, Partial<World>]>([
    ['paused', aStagedNode('n1', outdated), policy({ paused: true }), {}],
    ['not approved', aStagedNode('n1', outdated), policy({ approval: 'Manual' }), {}],
    ['not guarded', aStagedNode('n1', outdated), policy(), { guarded: false }],
    ['nobody’s', aNode('n1', outdated), policy({ nodeSelector: { matchLabels: { pool: 'other' } } }), {}],
    [
      'nobody’s any more',
      aNode('n1', { ...outdated, update: anUpdate({ phase: 'Idle', policy: 'default' }) }),
      policy({ nodeSelector: { matchLabels: { pool: 'other' } } }),
      {},
    ],
    ['updated', aNode('n1', { ...outdated, os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' } }), policy(), {}],
  ])('takes work where it is %s', (_, node, of, world) => {
    expect(untainted([node], of, world)).toEqual(['n1']);
  });

  test.each<[string, NodeUpdateStatus, string[]]>([
    ['one that is drained', { phase: 'Draining' }, []],
    ['a failed one, which keeps it until a person comes', { phase: 'Failed' }, ['n1']],
    // What it waits for may be Pods that are Pending for want of this very node.
    ['one whose drain is held for as long as it takes', { phase: 'Draining', deadlines: { drain: ago(MINUTE) } }, ['n1']],
  ])('where the slot is taken by %s', (_, status, names) => {
    const away = inFlightNode('n0', status, { record: aRecord('n0', { drainDeadline: ago(status.deadlines ? MINUTE : -MINUTE) }) });
    const pods = new Map([
      ['n0', [aPod('web-1')]],
      ['n1', []],
    ]);
    const of = policy({ drain: { onTimeout: 'Hold' }, rollout: { failureBudget: 2 } });
    const nodes = [away, aStagedNode('n1', outdated), aNode('n2', { os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' } })];
    expect(untainted(nodes, of, { pods })).toEqual(names);
  });

  test('takes work as soon as it is uncordoned, and not before', () => {
    const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
    const verifying = inFlightNode('n1', { phase: 'Verifying', since: ago(0) }, { ...outdated, os, bootID: 'boot-2' });
    expect(untainted([verifying])).toEqual([]);
    const verified = inFlightNode('n1', { phase: 'Verifying', since: ago(HOUR) }, { ...outdated, os, bootID: 'boot-2' });
    const [node] = decided([verified]).nodes;
    expect(node?.commands.map(({ type }) => type)).toEqual(['Uncordon', 'WriteStatus', 'Untaint']);
  });
});

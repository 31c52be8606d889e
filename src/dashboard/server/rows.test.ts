import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { type BareNode, type nodeHostOf, nodeOf, type nodeUpdateOf } from '../../cluster/views.ts';
import { ago, aPolicy, HOUR, MINUTE, NEW, NOW, OLD } from '../../core/testing/builders.ts';
import { nodeRow } from './node-row.ts';
import { policyRow } from './policy-row.ts';
import { upcomingOf } from './upcoming.ts';

const policy = aPolicy({
  spec: {
    rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { pool: 'canary' } } }], zoneKey: 'rack' },
    patchDeadline: '24h',
  },
});
const policies = new Map([[policy.name, policy]]);

const node = (more: { labels?: object; annotations?: object; spec?: object; ready?: string } = {}): BareNode =>
  nodeOf({
    metadata: { name: 'a', uid: 'u', resourceVersion: '1', labels: more.labels ?? {}, annotations: more.annotations ?? {} },
    spec: more.spec ?? {},
    status: {
      conditions: [{ type: 'Ready', status: more.ready ?? 'True' }],
      nodeInfo: { bootID: 'b', osImage: `Bottlerocket OS ${OLD} (aws-k8s-1.31)`, architecture: 'amd64', systemUUID: 's' },
    },
  });
const update = (
  status: NodeUpdateStatus,
  more: { nodeUID?: string; annotations?: Record<string, string> } = {},
): ReturnType<typeof nodeUpdateOf> => ({
  nodeUID: 'u',
  annotations: {},
  resourceVersion: '1',
  status: { policy: policy.name, ...status },
  ...more,
});
const host = (nodeUID = 'u'): ReturnType<typeof nodeHostOf> => ({
  nodeUID,
  annotations: {},
  resourceVersion: '1',
  spec: { refreshInterval: '1h', ignoreWaves: false },
  status: { version: OLD, variant: 'v', staged: { version: NEW, provenAt: ago(0), lastCommandAt: ago(0) }, agentVersion: '0.1.0' },
});
const row = (of: Partial<Parameters<typeof nodeRow>[0]>) =>
  nodeRow({ name: 'a', node: undefined, update: undefined, host: undefined, ...of }, policies);

describe('a node', () => {
  test('that nobody has looked at is small', () => {
    expect(row({ node: node() })).toEqual({ name: 'a', uid: 'u', variant: 'aws-k8s-1.31', arch: 'amd64', version: OLD });
  });

  test('has its place by its policy', () => {
    const labels = { pool: 'canary', rack: 'r1', 'topology.kubernetes.io/zone': 'z1' };
    expect(row({ node: node({ labels }), update: update({}) })).toMatchObject({ zone: 'r1', group: 'canary', policy: policy.name });
    expect(row({ node: node({ labels }) })).toMatchObject({ zone: 'z1' });
    expect(row({ node: node({ labels: { rack: 'r1' } }), update: update({}) })).not.toHaveProperty('group');
  });

  test('says only what is out of the ordinary', () => {
    const up = row({ node: node(), update: update({ phase: 'Idle', from: OLD, target: OLD, conditions: [] }), host: host() });
    for (const absent of ['target', 'cordoned', 'notReady', 'byHand', 'drain', 'deadline', 'overdue'])
      expect(up).not.toHaveProperty(absent);
    expect(row({ node: node({ spec: { unschedulable: true }, ready: 'False' }) })).toMatchObject({ cordoned: true, notReady: true });
    expect(row({ node: node(), update: update({ target: NEW }), host: host() })).toMatchObject({
      target: NEW,
      staged: NEW,
      agentVersion: '0.1.0',
    });
  });

  test('is late by its policy', () => {
    const late = update({
      behindSince: ago(HOUR),
      conditions: [{ type: 'Overdue', status: 'True', reason: 'r', message: 'm', lastTransitionTime: ago(0) }],
    });
    expect(row({ update: late })).toMatchObject({
      behindSince: NOW - HOUR,
      overdueAt: NOW + 23 * HOUR,
      overdue: true,
      conditions: [{ type: 'Overdue' }],
    });
  });

  test('without the right to read Nodes is what its NodeUpdate says', () => {
    const shown = row({ update: update({ phase: 'Staged', from: OLD, target: NEW }), host: host() });
    expect(shown).toMatchObject({ uid: 'u', version: OLD, target: NEW, phase: 'Staged', variant: 'v' });
    expect(shown).not.toHaveProperty('notReady');
  });

  test('that registered anew has nothing of its namesake', () => {
    const shown = row({ node: node(), update: update({ phase: 'Failed' }, { nodeUID: 'old' }), host: host('old') });
    expect(shown).toEqual({ name: 'a', uid: 'u', variant: 'aws-k8s-1.31', arch: 'amd64', version: OLD });
  });

  test('tells its drain while it is drained', () => {
    const blocked = [{ pod: 'shop/web-1', reason: 'DisruptionBudget', budget: 'shop/web' }];
    const drain = { startedAt: ago(MINUTE), total: 5, remaining: 2, blocked };
    const deadlines = { drain: ago(-HOUR), reboot: ago(-2 * HOUR) };
    expect(row({ update: update({ phase: 'Draining', drain, deadlines }) })).toMatchObject({
      drain: { startedAt: NOW - MINUTE, deadline: NOW + HOUR, total: 5, remaining: 2, blocked },
    });
    const rebooting = row({ update: update({ phase: 'Rebooting', drain, deadlines }) });
    expect(rebooting).toMatchObject({ deadline: NOW + 2 * HOUR });
    expect(rebooting).not.toHaveProperty('drain');
  });

  test('tells what people asked for, on it and on its NodeUpdate, and what nobody has acted upon', () => {
    const asked = {
      node: node({ annotations: { [BY_HAND.pinVersion]: OLD } }),
      update: update({ phase: 'Failed' }, { annotations: { [BY_HAND.paused]: 'true', [BY_HAND.retry]: '7' } }),
    };
    expect(row(asked).byHand).toEqual({ paused: true, pin: OLD, pending: ['retry'] });
    const acted = update({ tokens: { retry: '7' } }, { annotations: { [BY_HAND.retry]: '7' } });
    expect(row({ update: acted })).not.toHaveProperty('byHand');
    expect(row({ update: update({}, { annotations: { [BY_HAND.paused]: 'perhaps' } }) }).byHand?.problems).toEqual([
      expect.stringContaining('perhaps'),
    ]);
  });

  test('whose times cannot be read is shown without them', () => {
    expect(row({ update: update({ since: 'yesterday', retryAt: '' }) })).toEqual({ name: 'a', uid: 'u', policy: policy.name });
  });
});

describe('a policy', () => {
  test('tells what it says of itself', () => {
    const view = aPolicy({
      spec: {
        paused: true,
        approval: 'Manual',
        schedule: { windows: [{ cron: '0 2 * * *', duration: '4h', timeZone: 'Asia/Seoul' }], onClose: 'Finish' },
        version: { pin: OLD },
      },
      annotations: { [BY_HAND.resume]: '2', [BY_HAND.approvedVersion]: NEW },
      status: {
        observedGeneration: 1,
        summary: '1/3 up to date',
        window: { open: false, nextChange: ago(-HOUR) },
        tokens: { resume: '1' },
        claims: [{ id: 'c', node: 'a', uid: 'u', rollout: 'r', at: ago(0) }],
        rollouts: [
          {
            id: 'r',
            variant: 'v',
            arch: 'a',
            target: NEW,
            startedAt: ago(HOUR),
            updated: 1,
            groups: [{ name: 'canary', state: 'Soaking', soakUntil: ago(-MINUTE), nodes: 1, updated: 1 }],
            failed: [{ node: 'b', hostID: 'h', target: NEW, reason: 'RebootTimeout', at: ago(0) }],
          },
        ],
        releases: [{ variant: 'v', arch: 'a', version: NEW, firstSeen: ago(HOUR) }],
      },
    });
    expect(policyRow({ ...view, generation: 1 }, [])).toMatchObject({
      summary: '1/3 up to date',
      window: { open: false, nextChange: NOW + HOUR },
      timeZone: 'Asia/Seoul',
      approval: 'Manual',
      pausedBySpec: true,
      pinBySpec: OLD,
      byHand: { approved: NEW, pending: ['resume'] },
      claims: ['a'],
      rollouts: [{ groups: [{ name: 'canary', soakUntil: NOW + MINUTE }], failed: [{ node: 'b', reason: 'RebootTimeout' }] }],
      releases: [{ version: NEW, firstSeen: NOW - HOUR }],
    });
    expect(policyRow({ ...view, generation: 1 }, [])).not.toHaveProperty('unseen');
    expect(policyRow({ ...view, generation: 2 }, [])).toMatchObject({ unseen: true });
  });

  test('tells what comes next, soonest first, and not a thousand of a kind', () => {
    const view = aPolicy({ status: { window: { open: true, nextChange: ago(-HOUR) } } });
    const nodes = [
      { name: 'late', behindSince: 0, overdueAt: NOW - 1 },
      ...Array.from({ length: 9 }, (_, index) => ({ name: `n${index}`, overdueAt: NOW + (index + 2) * HOUR })),
      { name: 'd', phase: 'Draining' as const, drain: { startedAt: 0, total: 1, remaining: 1, deadline: NOW + MINUTE } },
      { name: 's', phase: 'Soaking' as const, deadline: NOW + 2 * MINUTE },
      { name: 'x', retryAt: NOW + 3 * MINUTE },
    ];
    expect(upcomingOf(view, nodes, NOW).map(({ what, node: name }) => [what, name])).toEqual([
      ['DrainDeadline', 'd'],
      ['NodeSoaked', 's'],
      ['Retry', 'x'],
      ['WindowCloses', undefined],
      ['Overdue', 'n0'],
      ['Overdue', 'n1'],
      ['Overdue', 'n2'],
    ]);
  });
});

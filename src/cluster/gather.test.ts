import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ON_NODE, OTHER_OPERATOR_COMPONENT, OTHER_OPERATOR_LABEL } from '../api/names.ts';
import { type ClusterBed, clusterBed } from '../controller/testing/bed.ts';
import { putGuard, putHost, putNode, putOwnPod, putPolicy, putUpdate } from '../controller/testing/objects.ts';
import { aPod, aRecord } from '../core/testing/builders.ts';
import { eventually } from '../kube/testing/fake-clock.ts';
import { gather, type Self, standbyPod } from './gather.ts';

let bed: ClusterBed;
beforeEach(async () => {
  bed = await clusterBed();
});
afterEach(() => bed.close());

const self: Self = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'a' };

const rest = {
  retry: { baseMs: 1, maxMs: 2 },
  kubernetes: undefined,
  pods: new Map(),
  blockedPods: new Map(),
  hookNamespaces: ['db'],
  checks: new Map(),
  prometheusHosts: [],
  jobs: new Map([['db/flush', { state: 'Succeeded' as const }]]),
};
const world = (who: Self | undefined = undefined) => gather({ objects: bed.reflectors, self: who, ...rest });
const nodeNamed = (name: string, who?: Self) => world(who).nodes.find((node) => node.name === name)!;

describe('a world', () => {
  test('of an empty cluster', async () => {
    await bed.watch();
    expect(world()).toEqual({
      policies: [],
      nodes: [],
      guarded: false,
      standby: false,
      budgets: new Map(),
      daemonSets: new Set(),
      ...rest,
    });
  });

  test('joins a node with what it owns, and is given the rest', async () => {
    const node = putNode(bed.cluster, 'a');
    putUpdate(bed.cluster, node, { phase: 'Staged' });
    putHost(bed.cluster, node, { version: '1.26.0' });
    putPolicy(bed.cluster);
    await bed.watch();
    const pods = new Map([['a', [aPod('p')]]]);
    const blockedPods = new Map([['a', [{ pod: 'shop/p', reason: 'X' }]]]);
    const seen = gather({ objects: bed.reflectors, self, ...rest, pods, blockedPods });
    expect(seen).toMatchObject({ self, pods, blockedPods, policies: [{ name: 'default' }] });
    expect(seen.nodes).toEqual([
      expect.objectContaining({
        name: 'a',
        update: expect.objectContaining({ status: { phase: 'Staged' } }),
        host: expect.objectContaining({ status: expect.objectContaining({ version: '1.26.0' }) }),
      }),
    ]);
  });

  test('has nothing of an earlier node of the same name', async () => {
    const earlier = putNode(bed.cluster, 'a', { metadata: { uid: 'earlier' } });
    putUpdate(bed.cluster, earlier, { phase: 'Failed' });
    putHost(bed.cluster, earlier);
    bed.cluster.remove('nodes', 'a');
    putNode(bed.cluster, 'a');
    await bed.watch();
    expect(nodeNamed('a')).toMatchObject({ uid: 'uid-a' });
    expect(nodeNamed('a')).not.toHaveProperty('update');
    expect(nodeNamed('a')).not.toHaveProperty('host');
  });
});

describe('a node with the label of the other operator', () => {
  test('is its own only as long as that has agents, or wants some', async () => {
    putNode(bed.cluster, 'a', { metadata: { labels: { [OTHER_OPERATOR_LABEL]: '2.0.0' } } });
    putNode(bed.cluster, 'b');
    const agents = (status: object) =>
      bed.cluster.put('daemonsets', {
        metadata: { name: 'brupop-agent', namespace: 'brupop' },
        spec: { selector: { matchLabels: { [OTHER_OPERATOR_COMPONENT]: 'agent' } }, template: {} },
        status,
      });
    const theirs = () => world().nodes.flatMap(({ name, otherOperator }) => (otherOperator === true ? [name] : []));
    await bed.watch();
    expect(theirs()).toEqual([]);
    agents({ observedGeneration: 1, desiredNumberScheduled: 1 });
    await eventually(() => theirs().length > 0);
    expect(theirs()).toEqual(['a']);
    agents({ observedGeneration: 1, desiredNumberScheduled: 0 });
    await eventually(() => theirs().length === 0);
  });
});

describe('the agent of a node', () => {
  test('is ready with a pod that is, missing without', async () => {
    for (const name of ['a', 'b', 'c', 'd']) putNode(bed.cluster, name);
    putOwnPod(bed.cluster, 'agent-a', 'agent', 'a');
    putOwnPod(bed.cluster, 'agent-b', 'agent', 'b', false);
    putOwnPod(bed.cluster, 'agent-c', 'agent', 'c');
    bed.cluster.patch('pods', 'agent-c', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, 'lockkeeper');
    putOwnPod(bed.cluster, 'controller-d', 'controller', 'd');
    await bed.watch();
    expect(world().nodes.map(({ name, agent }) => [name, agent])).toEqual([
      ['a', 'ready'],
      ['b', 'missing'],
      ['c', 'missing'],
      ['d', 'missing'],
    ]);
  });

  test('is ready with one of two pods that is, whichever is listed last', async () => {
    putNode(bed.cluster, 'a');
    putOwnPod(bed.cluster, 'agent-1', 'agent', 'a', false);
    putOwnPod(bed.cluster, 'agent-2', 'agent', 'a');
    putOwnPod(bed.cluster, 'agent-3', 'agent', 'a', false);
    await bed.watch();
    expect(nodeNamed('a').agent).toBe('ready');
  });

  test('is unknown out of the cluster where there are none, and missing in it', async () => {
    putNode(bed.cluster, 'a');
    await bed.watch();
    expect(nodeNamed('a').agent).toBe('unknown');
    expect(nodeNamed('a', self).agent).toBe('missing');
  });
});

describe('a standby', () => {
  /** The controller's own pod on `a`, and another on `b`. */
  async function replicas(change: { ready?: boolean; node?: object; onNode?: string; terminating?: boolean } = {}) {
    putNode(bed.cluster, 'a');
    putNode(bed.cluster, 'b', change.node ?? {});
    putOwnPod(bed.cluster, 'lockkeeper-0', 'controller', 'a');
    putOwnPod(bed.cluster, 'lockkeeper-1', 'controller', change.onNode ?? 'b', change.ready ?? true);
    putOwnPod(bed.cluster, 'agent-b', 'agent', 'b');
    if (change.terminating) bed.cluster.patch('pods', 'lockkeeper-1', { metadata: { deletionTimestamp: 'now' } }, 'lockkeeper');
    await bed.watch();
    return [standbyPod(bed.reflectors, self), world(self).standby];
  }

  test('is Ready, on another node that is available', async () => {
    expect(await replicas()).toEqual(['lockkeeper-1', true]);
    expect(world().standby).toBe(false);
  });

  const record = { metadata: { annotations: { [ON_NODE.cordon]: JSON.stringify(aRecord('b')) } } };
  test.each<[string, Parameters<typeof replicas>[0]]>([
    ['not Ready', { ready: false }],
    ['terminating', { terminating: true }],
    ['on the same node', { onNode: 'a' }],
    ['on no node yet', { onNode: '' }],
    ['on an unknown node', { onNode: 'x' }],
    ['on a cordoned node', { node: { spec: { unschedulable: true } } }],
    ['on a node in flight', { node: record }],
    ['on a node that is being deleted', { node: { metadata: { deletionTimestamp: 'now' } } }],
  ])('is none where it is %s', async (_name, change) => {
    expect(await replicas(change)).toEqual([undefined, false]);
  });
});

describe('the guard', () => {
  test('is there with policy and binding in force', async () => {
    putGuard(bed.cluster);
    await bed.watch();
    expect(world().guarded).toBe(true);
  });

  test.each<[string, () => void]>([
    ['without the policy', () => bed.cluster.remove('validatingadmissionpolicies', 'lockkeeper-agent')],
    ['without the binding', () => bed.cluster.remove('validatingadmissionpolicybindings', 'lockkeeper-agent')],
    [
      'where the policy lets errors pass',
      () => bed.cluster.patch('validatingadmissionpolicies', 'lockkeeper-agent', { spec: { failurePolicy: 'Ignore' } }),
    ],
    [
      'where the binding only audits',
      () => bed.cluster.patch('validatingadmissionpolicybindings', 'lockkeeper-agent', { spec: { validationActions: ['Audit'] } }),
    ],
    [
      'where the binding is of another policy',
      () => bed.cluster.patch('validatingadmissionpolicybindings', 'lockkeeper-agent', { spec: { policyName: 'other' } }),
    ],
  ])('is not there %s', async (_name, change) => {
    putGuard(bed.cluster);
    change();
    await bed.watch();
    expect(world().guarded).toBe(false);
  });
});

import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../bed/api.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const namespace = 'default';
const podsPath = `/api/v1/namespaces/${namespace}/pods`;
const scratch = [{ name: 'scratch', emptyDir: {} }];
const everything = [{ operator: 'Exists' }];
const finalizer = 'bed.lockkeeper.dev/stays';

const templateOf = (node: string, spec: object = {}) => ({
  metadata: { labels: { app: node } },
  spec: {
    nodeSelector: { 'kubernetes.io/hostname': node },
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'none' }],
    ...spec,
  },
});
const controllerOf = (kind: string, apiVersion: string, spec: object) => (node: string) => [
  { apiVersion, kind, metadata: { name: node, namespace }, spec },
];
const apps = (node: string, kind: string, spec: object) => [
  {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: node, namespace },
    spec: { selector: { matchLabels: { app: node } }, template: templateOf(node, spec) },
  },
];
const naked = (node: string, metadata: object = {}) => [
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: node, namespace, labels: { app: node }, ...metadata },
    spec: { nodeName: node, terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'none' }] },
  },
];

/** kubectl's cases that a real API server can be brought to, each on a node of its own: what lies there, and whether it keeps the node. */
const cases: readonly [what: string, objects: (node: string) => readonly object[], blockedBy?: string][] = [
  ['RC-managed pod', (node) => controllerOf('ReplicationController', 'v1', { selector: { app: node }, template: templateOf(node) })(node)],
  [
    'Job-managed terminated pod',
    (node) => controllerOf('Job', 'batch/v1', { template: templateOf(node, { restartPolicy: 'Never' }) })(node),
  ],
  ['DS-managed pod with emptyDir with --ignore-daemonsets', (node) => apps(node, 'DaemonSet', { volumes: scratch })],
  ['naked pod', (node) => naked(node), 'no controller would create again'],
  ['pod with EmptyDir', (node) => apps(node, 'Deployment', { volumes: scratch }), 'emptyDir'],
  ['pod that comes straight back', (node) => apps(node, 'Deployment', { tolerations: everything })],
  ['skip deleted', (node) => naked(node, { finalizers: [finalizer] })],
  ['naked pod that is left to the reboot', (node) => naked(node, { labels: { app: node, left: 'true' } })],
  ['empty node', () => []],
];

describe('kubectl drain’s cases', () => {
  test('on a real API server, side by side', async () => {
    const policy = {
      rollout: { maxUnavailable: '100%', zoneKey: 'none' },
      drain: {
        deleteEmptyDirData: false,
        skipWaitForDeleteTimeout: '1s',
        leaveToReboot: [{ selector: { matchLabels: { left: 'true' } } }],
      },
    };
    const fleet = await start({ nodes: cases.length, policy });
    const { bed, eventually, history, judge, machines, patchPolicy, phase, releaseInOrder, updated } = fleet;
    const nodeOf = (wanted: string) => machines[cases.findIndex(([what]) => what === wanted)]!.name;
    for (const [index, [, objects]] of cases.entries())
      for (const object of objects(machines[index]!.name)) await bed.client.apply(object as KubeObject);
    await eventually(
      async () => {
        const pods = await bed.client.list<KubeObject & { status?: { phase?: string } }>(podsPath);
        return pods.filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Succeeded').length === cases.length - 1;
      },
      { describe: () => bed.kubectl('get', 'pods', '-o', 'wide') },
    );
    const stuck = `${podsPath}/${nodeOf('skip deleted')}`;
    await bed.client.delete(stuck);
    await releaseInOrder('1.26.1');

    const blocked = cases.flatMap(([, , blockedBy], index) =>
      blockedBy === undefined ? [] : [{ node: machines[index]!.name, blockedBy }],
    );
    for (const { node, blockedBy } of blocked) expect((await phase(node, 'Blocked', 'CannotEvict')).message).toContain(blockedBy);
    await updated(
      '1.26.1',
      machines.map(({ name }) => name).filter((name) => !blocked.some(({ node }) => node === name)),
    );
    for (const { node } of blocked) expect(changes(history.versions, node, isCordoned)).toEqual([false]);
    expect((await bed.client.find<KubeObject>(stuck))?.metadata.name).toBeDefined();
    await bed.client.patch(stuck, { metadata: { finalizers: null } });

    await patchPolicy({ drain: { force: true, deleteEmptyDirData: true } });
    await updated('1.26.1');
    const evicted = (await judge.evictions()).map((pod) => pod.slice(`${namespace}/`.length));
    const evictionsOn = (what: string) => evicted.filter((pod) => pod === nodeOf(what) || pod.startsWith(`${nodeOf(what)}-`)).length;
    expect(Object.fromEntries(cases.map(([what]) => [what, evictionsOn(what)]))).toEqual({
      'RC-managed pod': 1,
      'Job-managed terminated pod': 1,
      'DS-managed pod with emptyDir with --ignore-daemonsets': 0,
      'naked pod': 1,
      'pod with EmptyDir': 1,
      'pod that comes straight back': 1,
      'skip deleted': 0,
      'naked pod that is left to the reboot': 0,
      'empty node': 0,
    });
    await judge.onceEach(machines);
    await judge.invariants();
  }, 150_000);
});

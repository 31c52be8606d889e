import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ON_NODE } from '../api/names.ts';
import { aRecord } from '../core/testing/builders.ts';
import { eventually } from '../kube/testing/fake-clock.ts';
import { type ClusterBed, clusterBed } from './testing/bed.ts';
import { putGuard, putHost, putNode, putOwnPod, putPod, putPolicy, putUpdate } from './testing/objects.ts';

let bed: ClusterBed;
beforeEach(async () => {
  bed = await clusterBed();
});
afterEach(() => bed.close());

/** What a change told, and only it: the write after it shows that it has come through. */
async function toldBy(change: () => void): Promise<{ changes: number; budgets: string[] }> {
  bed.told.changes = 0;
  bed.told.budgets.length = 0;
  change();
  const barrier = bed.cluster.put('nodes', { metadata: { name: 'barrier' } }).metadata.resourceVersion;
  await eventually(() => bed.reflectors.nodes.items.get('barrier')?.resourceVersion === barrier);
  return { changes: bed.told.changes, budgets: [...bed.told.budgets] };
}

describe('the caches', () => {
  test('say what they have not seen yet, and are filled once all of it was', async () => {
    expect(bed.reflectors.unsynced()).toEqual([
      'nodes',
      'policies',
      'nodeUpdates',
      'nodeHosts',
      'budgets',
      'daemonSets',
      'ownPods',
      'guardPolicy',
      'guardBinding',
    ]);
    const node = putNode(bed.cluster, 'a');
    putUpdate(bed.cluster, node);
    putHost(bed.cluster, node);
    putPolicy(bed.cluster);
    putGuard(bed.cluster);
    putOwnPod(bed.cluster, 'agent-a', 'agent', 'a');
    putPod(bed.cluster, 'web', 'a');
    await bed.watch();
    const { nodes, policies, nodeUpdates, nodeHosts, ownPods, unsynced } = bed.reflectors;
    expect(unsynced()).toEqual([]);
    expect([nodes, policies, nodeUpdates, nodeHosts, ownPods].map(({ items }) => items.size)).toEqual([1, 1, 1, 1, 1]);
    expect([...ownPods.items.keys()]).toEqual(['lockkeeper/agent-a']);
  });

  test('tell of DaemonSets that come and go, and of nothing else of theirs', async () => {
    const put = (numberReady: number) =>
      bed.cluster.put('daemonsets', { metadata: { name: 'cni', namespace: 'kube-system' }, status: { numberReady } });
    const told = async (count: number) => eventually(() => bed.told.changes >= count);
    await bed.watch();
    bed.told.changes = 0;
    put(1);
    await told(1);
    expect([...bed.reflectors.daemonSets.items.keys()]).toEqual(['kube-system/cni']);
    put(2);
    bed.cluster.remove('daemonsets', 'cni', 'kube-system');
    await told(2);
    expect([bed.told.changes, bed.reflectors.daemonSets.items.size]).toEqual([2, 0]);
  });

  test('tell of what a decision looks at, and not of heartbeats', async () => {
    const node = putNode(bed.cluster, 'a');
    putUpdate(bed.cluster, node);
    putHost(bed.cluster, node);
    await bed.watch();
    bed.cluster.put('nodes', { metadata: { name: 'barrier' } });
    await eventually(() => bed.reflectors.nodes.items.has('barrier'));
    const heartbeat = { metadata: { annotations: { 'node.alpha.kubernetes.io/ttl': '5' } } };
    expect(await toldBy(() => bed.cluster.patch('nodes', 'a', heartbeat))).toEqual({ changes: 0, budgets: [] });
    expect(bed.reflectors.nodes.items.get('a')!.resourceVersion).toBe(bed.cluster.get('nodes', 'a')!.metadata.resourceVersion);
    expect((await toldBy(() => bed.cluster.patch('nodes', 'a', { spec: { unschedulable: true } }))).changes).toBe(1);
    expect((await toldBy(() => bed.cluster.remove('nodes', 'a'))).changes).toBe(1);
  });

  test('tell of volumes where a drain waits for them, and of no others', async () => {
    putNode(bed.cluster, 'a');
    await bed.watch();
    const attach = (name: string) => bed.cluster.patch('nodes', 'a', { status: { volumesAttached: [{ name, devicePath: '' }] } });
    expect((await toldBy(() => attach('vol-a'))).changes).toBe(1);
    expect((await toldBy(() => attach('vol-b'))).changes).toBe(0);
    const record = aRecord('a', { drain: { deleteEmptyDirData: true, force: false, waitForVolumeDetach: true } });
    const annotations = { [ON_NODE.cordon]: JSON.stringify(record) };
    expect((await toldBy(() => bed.cluster.patch('nodes', 'a', { metadata: { annotations } }))).changes).toBe(1);
    expect((await toldBy(() => attach('vol-c'))).changes).toBe(1);
    expect(bed.reflectors.nodes.items.get('a')?.volumesAttached).toEqual(['vol-c']);
  });

  test('wake a decision for a budget that can never allow an eviction any more, or can again, and not for its count of pods', async () => {
    const budget = (currentHealthy: number, desiredHealthy: number) =>
      bed.cluster.put('poddisruptionbudgets', {
        metadata: { name: 'web', namespace: 'shop' },
        spec: { selector: {} },
        status: { disruptionsAllowed: 0, currentHealthy, desiredHealthy, expectedPods: 3 },
      });
    await bed.watch();
    bed.told.changes = 0;
    budget(1, 2);
    await eventually(() => bed.told.changes === 1);
    budget(2, 2);
    budget(3, 3);
    await eventually(() => bed.told.changes === 2);
    budget(2, 3);
    budget(2, 2);
    await eventually(() => bed.reflectors.budgets.items.get('shop/web')?.desiredHealthy === 2);
    expect(bed.told.changes).toBe(3);
  });

  test('tell of a budget that allows something, or goes, and of none that allows nothing', async () => {
    const budget = (disruptionsAllowed: number) =>
      bed.cluster.put('poddisruptionbudgets', {
        metadata: { name: 'web', namespace: 'shop' },
        spec: { selector: {} },
        status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1 },
      });
    await bed.watch();
    const told = async (change: () => void, wanted: string[]): Promise<void> => {
      bed.told.budgets.length = 0;
      change();
      await eventually(() => bed.told.budgets.length >= wanted.length);
      expect(bed.told.budgets).toEqual(wanted);
    };
    budget(0);
    await eventually(() => bed.reflectors.budgets.items.size === 1);
    expect(bed.told.budgets).toEqual([]);
    await told(() => budget(1), ['shop']);
    await told(() => bed.cluster.remove('poddisruptionbudgets', 'web', 'shop'), ['shop']);
  });
});

import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../src/api/names.ts';
import type { KubeObject } from '../bed/api.ts';
import type { AuditEntry } from '../bed/audit.ts';
import type { Bed } from '../bed/bed.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('a drain', () => {
  test('that a budget holds up goes on when the budget opens', async () => {
    const { bed, eventually, judge, nodeUpdate, phase, releaseInOrder, updated, history } = await start({ nodes: 3 });
    const guard = await guardNode(bed, 'node-1');
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Draining');
    await eventually(async () => {
      const { message, drain } = await nodeUpdate('node-1');
      expect(message).toContain(guard.key);
      expect(message).toContain(guard.budget);
      return drain?.blocked?.[0]?.pod === guard.key;
    });
    for (const name of ['node-2', 'node-3']) await phase(name, 'Staged', 'CapacityReached');

    const [told] = await eventually(async () => {
      const events = await eventsOf(bed, guard.name);
      return events.length > 0 && events;
    });
    expect(told).toMatchObject({ type: 'Warning', message: expect.stringContaining(guard.budget) });
    expect(await bed.kubectl('describe', 'pod', guard.name)).toMatch(
      /EvictionBlocked.*lockkeeper.*node-1 is drained for its update to 1\.26\.1/,
    );
    await guard.open();
    await updated('1.26.1');

    const all = await evictionsOf(bed, guard.name);
    // How soon is measured by the benchmark (budget_open_to_evicted). A budget that is known to be full was not asked before.
    expect(all.map(codeOf)).toEqual([201]);
    await judge.invariants();
    expect(judge.mostUnavailable()).toBe(1);
    for (const name of ['node-1', 'node-2', 'node-3']) expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false]);
  }, 120_000);

  test('that takes too long gives the node back, names the pods, lets the others go, and is tried again by itself', async () => {
    const { bed, eventually, history, judge, phase, release, updated } = await start({ nodes: 3, policy: { drain: { timeout: '2s' } } });
    const guard = await guardNode(bed, 'node-1');
    await bed.client.apply(nakedPod('node-2'));
    await eventually(async () => (await bed.client.get<{ status?: { phase?: string } }>(nakedPath)).status?.phase === 'Running');
    release('1.26.1');

    const timedOut = await phase('node-1', 'Blocked', 'DrainTimeout');
    expect(timedOut.message).toContain(guard.key);
    expect(timedOut.message).toContain(guard.budget);
    expect(timedOut.retryAt).toBeDefined();
    expect((await phase('node-2', 'Blocked', 'CannotEvict')).message).toContain('default/naked');
    await updated('1.26.1', ['node-3']);
    const cordons = () => changes(history.versions, 'node-1', isCordoned).filter(Boolean).length;
    await eventually(() => cordons() >= 2);
    expect(judge.boots().map(({ node }) => node)).toEqual(['node-3']);
    expect((await judge.orders('node-1')).map(({ action }) => action)).not.toContain('Reboot');
    expect(changes(history.versions, 'node-2', isCordoned)).toEqual([false]);

    await guard.open();
    await bed.client.delete(nakedPath);
    await updated('1.26.1');
    await judge.invariants();
    expect(judge.mostUnavailable()).toBe(1);
    expect(
      judge
        .boots()
        .map(({ node }) => node)
        .sort(),
    ).toEqual(['node-1', 'node-2', 'node-3']);
    expect(changes(history.versions, 'node-2', isCordoned)).toEqual([false, true, false]);
  }, 120_000);

  test('whose evictions hang, more of them than there are connections, holds up neither the lease nor the nodes beside it', async () => {
    const { bed, eventually, judge, machines, phase, release, updated } = await start({
      // Of seven, six at most are away at once.
      nodes: 7,
      policy: { rollout: { maxUnavailable: '100%' }, drain: { force: true, timeout: '10m' } },
      faultsFor: ['controller'],
    });
    const full = machines.slice(0, 5);
    const pods = full.flatMap(({ name }) => Array.from({ length: 20 }, (_, index) => nakedPod(name, `${name}-${index}`)));
    await bed.client.apply(...pods);
    await bed.kubectl('annotate', 'node', 'node-6', `${BY_HAND.paused}=true`);
    const evictions = bed.faults.arm(
      'hold',
      ({ method, path }) => method === 'POST' && path.endsWith('/eviction'),
      Number.POSITIVE_INFINITY,
    );
    const leases = () => bed.audit.find({ verb: 'patch', resource: 'leases', userAgent: 'lockkeeper-controller' });
    release('1.26.1');
    for (const { name } of full) await phase(name, 'Draining');
    // Each is given up after half a minute, and would be asked for anew.
    await eventually(() => evictions.caught.length === pods.length, { timeoutMs: 25_000 });
    const renewed = (await leases()).length;
    await bed.kubectl('annotate', 'node', 'node-6', `${BY_HAND.paused}-`);
    await updated('1.26.1', ['node-6']);
    await eventually(async () => (await leases()).length >= renewed + 2);
    expect(evictions.caught).toHaveLength(pods.length);
    evictions.lift();
    await evictions.release();
    await updated('1.26.1');
    await judge.invariants();
  }, 180_000);

  test('whose pods are gone waits until their volume is detached, told by the watch', async () => {
    const { bed, eventually, judge, machines, phase, releaseInOrder, updated } = await start({ nodes: 1 });
    const guard = await guardNode(bed, 'node-1');
    const statusPath = `${machines[0]!.path}/status`;
    const volume = 'kubernetes.io/csi/ebs.csi.aws.com^vol-1';
    // As the kubelet and the attach-detach controller do: unmounted, then detached.
    const attached = [{ name: volume, devicePath: '/dev/xvdb' }];
    await bed.client.patch(statusPath, { status: { volumesInUse: [volume], volumesAttached: attached } });
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Draining', 'Draining');
    await guard.open();
    expect((await phase('node-1', 'Draining', 'VolumesAttached')).message).toContain(volume);
    await bed.client.patch(statusPath, { status: { volumesInUse: null } });
    const { metadata } = await bed.client.patch(statusPath, { status: { volumesAttached: null } });
    await updated('1.26.1');

    const reboot = await eventually(async () => (await judge.orders('node-1')).find(({ action }) => action === 'Reboot'));
    expect(reboot!.resourceVersion).toBeGreaterThan(Number(metadata.resourceVersion));
    await judge.invariants();
  }, 90_000);

  test('goes on, cordoned again, where somebody uncordons the node meanwhile', async () => {
    const { bed, eventually, history, judge, machines, node, phase, release, updated } = await start({ nodes: 2 });
    const guard = await guardNode(bed, 'node-1');
    release('1.26.1');
    await phase('node-1', 'Draining');
    await bed.client.patch(machines[0]!.path, { spec: { unschedulable: null } });
    await eventually(async () => isCordoned(await node('node-1')));
    expect((await phase('node-1', 'Draining')).claim).toBeDefined();
    await guard.open();
    await updated('1.26.1');
    await judge.invariants();
    expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false, true, false, true, false]);
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([1, 1]);
  }, 120_000);
});

const evictionsOf = (bed: Bed, name: string): Promise<AuditEntry[]> => bed.audit.find({ verb: 'create', subresource: 'eviction', name });
const eventsOf = (bed: Bed, name: string): Promise<(KubeObject & { type: string; message: string })[]> =>
  bed.client.list('/api/v1/namespaces/default/events', { fieldSelector: `involvedObject.name=${name},reason=EvictionBlocked` });
const codeOf = ({ responseStatus }: AuditEntry): number => responseStatus?.code ?? 0;

const nakedPath = '/api/v1/namespaces/default/pods/naked';
/** A pod that nobody would create again. */
const nakedPod = (nodeName: string, name = 'naked') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName, containers: [{ name: 'main', image: 'none' }] },
});

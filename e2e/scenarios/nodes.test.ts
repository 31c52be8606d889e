import { describe, expect, test } from '@jest/globals';
import { MANAGED_LABEL, OTHER_OPERATOR_LABEL } from '../../src/api/names.ts';
import type { KubeObject } from '../bed/api.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { installOldAgents } from './old-operator.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('nodes that are not ours', () => {
  test('are left untouched, while the one that is ours is done', async () => {
    const labels: Record<string, string>[] = [
      { 'eks.amazonaws.com/compute-type': 'auto' },
      { 'node-role.kubernetes.io/control-plane': '' },
      { [OTHER_OPERATOR_LABEL]: '2.0.0' },
      {},
    ];
    const { bed, eventually, judge, machines, node, nodeUpdate, refreshed, release, updated } = await start({
      nodes: 4,
      machine: (index) => ({ labels: labels[index] ?? {} }),
      before: (bed) => installOldAgents(bed),
    });
    release('1.26.1');
    await updated('1.26.1', ['node-4']);
    await refreshed(['node-4']);
    for (const { name } of [...machines.slice(0, 3), bed.machine('infra')]) {
      const { metadata, spec } = await node(name);
      expect({ name, label: metadata.labels?.[MANAGED_LABEL], unschedulable: spec.unschedulable }).toEqual({ name });
      expect(Object.keys(metadata.annotations ?? {}).filter((key) => key.includes('lockkeeper.dev/') && !key.startsWith('bed.'))).toEqual(
        [],
      );
      const writes = await bed.audit.find({ verb: ['patch', 'update'], resource: 'nodes', name, user: 'lockkeeper' });
      expect(writes).toEqual([]);
    }
    expect((await judge.orders()).map((order) => order.node)).toEqual(['node-4', 'node-4']);
    for (const { host } of machines.slice(0, 3))
      expect({ reboots: host.rebootCount, requests: host.requests }).toEqual({ reboots: 0, requests: [] });
    await eventually(async () => (await nodeUpdate('node-3')).reason === 'ManagedByOther');

    // The other operator leaves the node.
    await bed.client.patch(machines[2]!.path, { metadata: { labels: { [OTHER_OPERATOR_LABEL]: null } } });
    await updated('1.26.1', ['node-3', 'node-4']);
    await judge.invariants();
    await judge.onceEach(machines.slice(2));
  }, 120_000);
});

describe('a node that an autoscaler is deleting', () => {
  const taint = (key: string) => ({ key, effect: 'NoSchedule' as const });

  test('is never claimed, and a drained one is left alone: its slot is free once it is gone', async () => {
    const { bed, history, judge, machines, phase, policy, refreshed, release, updated } = await start({
      nodes: 3,
      machine: (index) => ({ taints: [[], [taint('karpenter.sh/disrupted')], [taint('ToBeDeletedByClusterAutoscaler')]][index] ?? [] }),
    });
    const guard = await guardNode(bed, 'node-1');
    release('1.26.1');
    await phase('node-1', 'Draining');
    await bed.client.patch(machines[0]!.path, { spec: { taints: [taint('karpenter.sh/disrupted')] } });
    await phase('node-1', 'Draining', 'BeingDeleted');
    await guard.open();
    await refreshed(['node-1']);
    expect(await judge.evictions()).toEqual([]);
    await machines[0]!.remove();

    await bed.client.patch(machines[1]!.path, { spec: { taints: null } });
    await updated('1.26.1', ['node-2']);
    await phase('node-3', 'Idle', 'BeingDeleted');
    expect(changes(history.versions, 'node-3', isCordoned)).toEqual([false]);
    expect((await policy()).status?.claims).toEqual([]);
    expect(judge.mostUnavailable()).toBe(1);
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([0, 1, 0]);
    await judge.invariants();
  }, 120_000);
});

describe('a node that is deleted', () => {
  test('while it drains or reboots frees its slot, and nothing of ours is left', async () => {
    const { bed, eventually, judge, machines, phase, policy, releaseInOrder, updated } = await start({ nodes: 4 });
    await guardNode(bed, 'node-1');
    machines[1]!.host.faults.arm('neverReturns');
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Draining');
    await machines[0]!.remove();
    await phase('node-2', 'Rebooting', 'RebootAsked');
    await machines[1]!.remove();
    await updated('1.26.1', ['node-3', 'node-4']);
    await judge.invariants();
    expect(judge.mostUnavailable()).toBe(1);
    expect(judge.boots().map(({ node }) => node)).toEqual(['node-3', 'node-4']);
    const { status } = await policy();
    expect(status).toMatchObject({ claims: [], counts: { nodes: 2, updated: 2 } });
    const metrics = await (await fetch(bed.pods.processes('controller')[0]!.metricsUrl)).text();
    expect(metrics).toContain('node="node-3"');
    expect(metrics).not.toMatch(/node="node-[12]"/);
    for (const kind of ['nodeupdates', 'nodehosts']) {
      // The garbage collector learns of new kinds every 30 s.
      await eventually(
        async () => {
          const left = await bed.client.list<KubeObject>(`/apis/lockkeeper.dev/v1alpha1/${kind}`);
          return (
            left
              .map(({ metadata }) => metadata.name)
              .sort()
              .join() === 'node-3,node-4'
          );
        },
        { timeoutMs: 90_000 },
      );
    }
  }, 180_000);
});

describe('a node that registers anew', () => {
  test('while it drains or reboots is another node, and begins without a failure', async () => {
    const { bed, eventually, history, judge, machines, node, nodeUpdate, phase, policy, refreshed, releaseInOrder, updated } = await start({
      nodes: 3,
      policy: { rollout: { maxUnavailable: 2 } },
    });
    const [first, second] = machines;
    const guard = await guardNode(bed, 'node-1');
    second!.host.faults.arm('neverReturns');
    await releaseInOrder('1.26.1');
    const { claim } = await phase('node-1', 'Draining');
    await phase('node-2', 'Rebooting', 'RebootAsked');
    const before = await Promise.all([node('node-1'), node('node-2')]);
    await first!.registerAnew({ otherHost: true });
    await second!.registerAnew();
    await updated('1.26.1', ['node-3']);
    // The first is begun anew, and the second, whose host is still down, has nothing to be begun with.
    await eventually(async () => {
      const status = await nodeUpdate('node-1');
      return status.phase === 'Draining' && status.claim !== claim;
    });
    await second!.host.release();
    await guard.open();
    await updated('1.26.1');
    await refreshed(['node-2']);
    await judge.invariants();
    const uids = (await Promise.all([node('node-1'), node('node-2')])).map(({ metadata }) => metadata.uid);
    for (const [index, { metadata }] of before.entries()) expect(uids[index]).not.toBe(metadata.uid);
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([1, 1, 1]);
    const ofSecond = history.of('node-2').filter(({ object }) => object.metadata.uid === uids[1]);
    expect(ofSecond.some(({ object }) => isCordoned(object))).toBe(false);
    for (const name of ['node-1', 'node-2']) expect((await nodeUpdate(name)).failures).toBeUndefined();
    expect((await policy()).status?.rollouts?.map(({ failed }) => failed)).toEqual([[]]);
    for (const kind of ['nodeupdates', 'nodehosts']) {
      const objects = await bed.client.list<KubeObject>(`/apis/lockkeeper.dev/v1alpha1/${kind}`);
      const owners = objects.filter(({ metadata }) => metadata.name !== 'node-3').map(({ metadata }) => metadata.ownerReferences?.[0]?.uid);
      expect(owners).toEqual(uids);
    }
  }, 120_000);

  test('is still known as bad where its machine has failed, and another machine of its name is not', async () => {
    const { history, judge, machines, phase, refreshed, releaseInOrder, updated } = await start({
      nodes: 2,
      policy: { rollout: { failureBudget: 2 } },
    });
    const [first] = machines;
    first!.host.faults.arm('bootFails');
    await releaseInOrder('1.26.1');
    await phase('node-1', 'RolledBack');
    await updated('1.26.1', ['node-2']);
    const anew = await first!.registerAnew();
    await phase('node-1', 'RolledBack', 'KnownBad');
    await refreshed(['node-1', 'node-2']);
    const versions = history.of('node-1').filter(({ object }) => object.metadata.uid === anew.metadata.uid);
    expect(changes(versions, 'node-1', isCordoned)).toEqual([false]);
    expect(first!.host.rebootCount).toBe(1);

    await first!.registerAnew({ otherHost: true });
    await updated('1.26.1');
    await judge.invariants();
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([2, 1]);
  }, 120_000);
});

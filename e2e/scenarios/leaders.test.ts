import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../bed/api.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import type { Fleet } from './fleet.ts';
import { orderTo, places, walk, walking } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('of two replicas', () => {
  test('the leader is frozen in each phase of a node, and thawed while the other works: nothing is done twice', async () => {
    const fleet = await start({ ...walking, replicas: 2 });
    const { bed, judge, leader, leads, machines } = fleet;
    let frozen: PodProcess | undefined;
    await walk(fleet, async (node, phase) => {
      frozen?.resume();
      const acting = await leader();
      acting.pause();
      frozen = acting;
      await leads(await leader(acting), node, phase);
    });
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
    // What the frozen ones had under way was delivered when the others had already written their own.
    const late = { verb: 'patch', user: 'lockkeeper-controller', code: 409 };
    expect(await bed.audit.find({ ...late, resource: 'updatepolicies' })).not.toEqual([]);
    expect(await bed.audit.find({ ...late, resource: 'nodes', name: machines[2]?.name ?? '' })).toHaveLength(1);
  }, 120_000);

  test('the leader is killed and does not come back: the other goes on from where it was', async () => {
    const fleet = await start({ nodes: 3, replicas: 2 });
    const { judge, leader, leads, machines, release, updated } = fleet;
    const [first] = machines as [Fleet['machines'][number]];
    const draining = await places.draining(fleet, first);
    release('1.26.1');
    await draining.reached();
    const killed = await leader();
    await killed.hold();
    await leads(await leader(killed), first.name, 'Draining');
    await draining.release();
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test.each([
    ['told to end', async (leader: PodProcess) => leader.kill('SIGTERM')],
    ['deleted', async ({ name }: PodProcess, { bed }: Fleet) => bed.client.delete(`/api/v1/namespaces/lockkeeper/pods/${name}`)],
  ])(
    'the leader is %s: it gives the lease back, and the other takes it',
    async (_how, stop) => {
      const fleet = await start({ nodes: 3, replicas: 2 });
      const { eventually, judge, leader, leads, leaseHolders, machines, release, updated } = fleet;
      const [first] = machines as [Fleet['machines'][number]];
      const draining = await places.draining(fleet, first);
      release('1.26.1');
      await draining.reached();
      const holders = await leaseHolders();
      const stopped = await leader();
      await stop(stopped, fleet);
      const other = await leader(stopped);
      await leads(other, first.name, 'Draining');
      expect(holders()).toEqual([stopped.name, '', other.name]);
      await eventually(() => stopped.endings.length > 0);
      expect(stopped.endings).toEqual([{ code: 0, signal: null }]);
      await draining.release();
      await updated('1.26.1');
      expect(judge.mostUnavailable()).toBe(1);
      await judge.onceEach(machines);
      await judge.invariants();
    },
    120_000,
  );

  test('the leader is frozen right before it orders a reboot, and thawed when the other has released the node: no reboot', async () => {
    const fleet = await start({ nodes: 2, replicas: 2, faultsFor: ['controller'] });
    const { annotate, bed, eventually, judge, leader, leads, machines, nodeHost, phase, release, updated } = fleet;
    const [{ name, host }] = machines as [Fleet['machines'][number]];
    const order = bed.faults.arm('hold', orderTo(name, 'Reboot'));
    release('1.26.1');
    await order.first;
    const frozen = await leader();
    frozen.pause();
    await annotate('nodes', name, { 'lockkeeper.dev/paused': 'true' });
    await leads(await leader(frozen), name);
    await phase(name, 'Staged', 'Paused');

    frozen.resume();
    expect(await order.release()).toEqual([409]);
    // The other node is updated meanwhile, and this one's agent has carried out what came after the late order.
    await updated('1.26.1', [machines[1]?.name ?? '']);
    await eventually(async () => {
      const { answer } = (await nodeHost(name)).status ?? {};
      return answer?.id.endsWith('.cancel') && answer.state === 'Done';
    });
    expect(host.rebootCount).toBe(0);

    await annotate('nodes', name, { 'lockkeeper.dev/paused': null });
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);
});

describe('controllers on the nodes that they update', () => {
  test('two replicas: the lease is handed over before the node of the leader goes, last of all', async () => {
    const fleet = await start({ nodes: 3, replicas: 2, controllersOn: 'nodes' });
    const { bed, eventually, history, judge, leader, machines, release, updated } = fleet;
    const leases = await bed.history<Lease>('/apis/coordination.k8s.io/v1/namespaces/lockkeeper/leases');
    const first = await leader();
    // The other replica, evicted from where it is, gets the time to start elsewhere that a real host's reboot takes.
    const others = machines.filter(({ name }) => name !== first.node);
    const rebooting = await Promise.all(others.map((machine) => places.rebootAsked(fleet, machine)));
    release('1.26.1');
    await Promise.all(
      rebooting.map(async (held) => {
        await held.reached();
        await eventually(() => bed.pods.processes('controller').filter(({ ready }) => ready).length === 2);
        await held.release();
      }),
    );
    await updated('1.26.1');

    const boots = judge.boots().map(({ node }) => node);
    expect(boots).toHaveLength(3);
    expect(boots.at(-1)).toBe(first.node);
    const cordoned = Number(history.of(first.node).find(({ object }) => object.spec.unschedulable)?.object.metadata.resourceVersion);
    const before = leases.of('lockkeeper').findLast(({ object }) => Number(object.metadata.resourceVersion) < cordoned)?.object.spec;
    expect(before?.holderIdentity).not.toBe(first.name);
    // Named by the one that handed over, and not taken by whoever came first.
    expect(leases.versions.map(({ object }) => object.spec.holderIdentity)).not.toContain('');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test.each([
    ['two nodes', 2],
    ['a single node', 1],
  ])(
    'one replica on %s: its pod rides through the reboot of its own node, which goes last, and goes on',
    async (_what, nodes) => {
      const { judge, leader, machines, release, updated } = await start({ nodes, controllersOn: 'nodes' });
      const only = await leader();
      const { uid, node } = only;
      release('1.26.1');
      await updated('1.26.1');
      expect(judge.boots().at(-1)?.node).toBe(node);
      expect((await judge.evictions()).filter((pod) => pod.startsWith('lockkeeper/'))).toEqual([]);
      const after = await leader();
      expect(after).toMatchObject({ uid, node });
      // The power was cut under it once.
      expect(after.endings).toEqual([{ code: null, signal: 'SIGKILL' }]);
      expect(judge.mostUnavailable()).toBe(1);
      await judge.onceEach(machines);
      await judge.invariants();
    },
    120_000,
  );
});

type Lease = KubeObject & { spec: { holderIdentity?: string } };

import { describe, expect, test } from '@jest/globals';
import { BY_HAND, CORDON_LABELS, KEEP_NODE_ANNOTATIONS } from '../../src/api/names.ts';
import type { Machine } from '../bed/machine.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { cordonAnnotation } from './judge.ts';
import { places } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const names = ['node-1', 'node-2', 'node-3'];
const [balancers] = Object.keys(CORDON_LABELS) as [string];

describe('a pause', () => {
  test('of a node, on it or on its NodeUpdate, takes it back before its reboot was asked, and the others go on', async () => {
    const { annotate, bed, history, judge, machines, node, phase, refreshed, releaseInOrder, updated } = await start({
      nodes: 3,
      policy: { rollout: { maxUnavailable: 2 } },
    });
    const guards = await Promise.all(['node-1', 'node-2'].map((name) => guardNode(bed, name)));
    await releaseInOrder('1.26.1');
    await Promise.all(['node-1', 'node-2'].map((name) => phase(name, 'Draining')));
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: 'true' });
    await annotate('nodeupdates', 'node-2', { [BY_HAND.paused]: 'true' });
    await updated('1.26.1', ['node-3']);
    await Promise.all(['node-1', 'node-2'].map((name) => phase(name, 'Staged', 'Paused')));
    await Promise.all(guards.map((guard) => guard.open()));
    await refreshed(['node-1', 'node-2']);
    for (const name of ['node-1', 'node-2']) {
      expect((await judge.orders(name)).map(({ action }) => action)).toEqual(['Stage', 'Cancel']);
      expect(isCordoned(await node(name))).toBe(false);
    }
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([0, 0, 1]);

    await annotate('nodes', 'node-1', { [BY_HAND.paused]: null });
    await annotate('nodeupdates', 'node-2', { [BY_HAND.paused]: 'false' });
    await updated('1.26.1');
    await judge.invariants();
    for (const name of ['node-1', 'node-2']) expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false, true, false]);
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([1, 1, 1]);
  }, 120_000);

  test('of a policy, by annotation or spec, lets finish what is in flight, and begins and downloads nothing', async () => {
    const {
      annotate,
      bed,
      eventually,
      history,
      judge,
      machines,
      nodeUpdate,
      patchPolicy,
      phase,
      policy,
      refreshed,
      release,
      releaseInOrder,
      updated,
    } = await start({ nodes: 3 });
    const guards = await Promise.all(['node-2', 'node-3'].map((name) => guardNode(bed, name)));
    const { host } = machines[0]!;
    host.faults.arm('neverReturns');
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Rebooting', 'RebootAsked');
    // The node's own pause comes too late to take it back.
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: 'true' });
    await bed.kubectl('annotate', 'updatepolicies', '--all', '--overwrite', `${BY_HAND.paused}=true`);
    const isPaused = async () => (await policy()).status?.conditions?.find(({ type }) => type === 'Paused')?.status;
    await eventually(async () => (await isPaused()) === 'True');
    await host.release();
    await updated('1.26.1', ['node-1']);
    await Promise.all(['node-2', 'node-3'].map((name) => phase(name, 'Staged', 'Paused')));
    release('1.26.2');
    await refreshed(names);
    expect((await judge.orders('node-1')).map(({ action }) => action)).toEqual(['Stage', 'Reboot']);
    expect((await judge.orders()).filter(({ version }) => version === '1.26.2')).toEqual([]);
    for (const name of ['node-2', 'node-3']) expect(changes(history.versions, name, isCordoned)).toEqual([false]);

    await bed.kubectl('annotate', 'updatepolicies', '--all', `${BY_HAND.paused}-`);
    const flying = await eventually(async () => {
      for (const name of ['node-2', 'node-3']) if ((await nodeUpdate(name)).phase === 'Draining') return name;
      return undefined;
    });
    const other = flying === 'node-2' ? 'node-3' : 'node-2';
    await patchPolicy({ paused: true });
    await eventually(async () => (await isPaused()) === 'True');
    await Promise.all(guards.map((guard) => guard.open()));
    await updated('1.26.2', [flying]);
    await refreshed(names);
    expect(changes(history.versions, other, isCordoned)).toEqual([false]);
    expect(machines.map((machine) => machine.host.rebootCount).sort()).toEqual([0, 1, 1]);

    await patchPolicy({ paused: false });
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: null });
    await updated('1.26.2');
    await judge.invariants();
    expect(judge.mostUnavailable()).toBe(1);
    expect(machines.map((machine) => machine.host.rebootCount)).toEqual([2, 1, 1]);
  }, 120_000);
});

describe('a policy that is deleted', () => {
  test('gives back the node that it drained, and has the one finished whose reboot was asked for', async () => {
    const fleet = await start({ nodes: 3, policy: { rollout: { maxUnavailable: 2 } }, machine: () => ({ zone: 'eu-west-1a' }) });
    const { bed, eventually, history, judge, machines, node, phase, refreshed, releaseInOrder } = fleet;
    const [drains, asked] = machines as [Machine, Machine];
    const held = await Promise.all([places.draining(fleet, drains), places.rebootAsked(fleet, asked)]);
    await releaseInOrder('1.26.1');
    await Promise.all(held.map((one) => one.reached()));
    await bed.client.delete('/apis/lockkeeper.dev/v1alpha1/updatepolicies/fleet');
    const isFree = async (name: string) =>
      !isCordoned(await node(name)) && !(cordonAnnotation in ((await node(name)).metadata.annotations ?? {}));
    await eventually(() => isFree('node-1'));
    await held[0]?.release();
    await held[1]?.release();
    await eventually(() => isFree('node-2'));
    await phase('node-3', 'Idle', 'NoPolicy');
    await refreshed(names);
    expect((await judge.orders('node-1')).map(({ action }) => action)).toEqual(['Stage', 'Cancel']);
    for (const [name, cordons] of [
      ['node-1', [false, true, false]],
      ['node-2', [false, true, false]],
      ['node-3', [false]],
    ] as const)
      expect(changes(history.versions, name, isCordoned)).toEqual(cordons);
    expect(machines.map(({ host }) => [host.os.version, host.rebootCount])).toEqual([
      ['1.26.0', 0],
      ['1.26.1', 1],
      ['1.26.0', 0],
    ]);
    await judge.invariants();
  }, 120_000);
});

describe('an approval', () => {
  test('of that very version is what staged nodes wait for', async () => {
    const { annotate, history, judge, phase, refreshed, release, updated } = await start({ nodes: 3, policy: { approval: 'Manual' } });
    const wait = (some: readonly string[]) => Promise.all(some.map((name) => phase(name, 'Staged', 'AwaitingApproval')));
    release('1.26.1');
    await wait(names);
    await annotate('updatepolicies', 'fleet', { [BY_HAND.approvedVersion]: '1.26.2' });
    await refreshed(names);
    for (const name of names) expect(changes(history.versions, name, isCordoned)).toEqual([false]);

    await annotate('nodeupdates', 'node-2', { [BY_HAND.approvedVersion]: '1.26.1' });
    await updated('1.26.1', ['node-2']);
    await wait(['node-1', 'node-3']);
    await annotate('updatepolicies', 'fleet', { [BY_HAND.approvedVersion]: '1.26.1' });
    await updated('1.26.1');
    release('1.26.3');
    await wait(names);
    await refreshed(names);
    await judge.invariants();
    expect(
      judge
        .boots()
        .map(({ node }) => node)
        .sort(),
    ).toEqual(names);
    expect(judge.boots()[0]?.node).toBe('node-2');
  }, 120_000);
});

describe('an annotation that makes no sense', () => {
  test('is said by condition and event; its nodes wait, and nothing crashes', async () => {
    const { annotate, bed, eventually, history, judge, patchPolicy, phase, policy, refreshed, release, updated } = await start({
      nodes: 3,
    });
    const events = (name: string, reason: string) =>
      bed.client.list<{ message?: string }>('/api/v1/namespaces/default/events', {
        fieldSelector: `involvedObject.name=${name},reason=${reason}`,
      });
    const untouched = (some: readonly string[]) => {
      for (const name of some) expect(changes(history.versions, name, isCordoned)).toEqual([false]);
    };
    await Promise.all(names.map((name) => phase(name, 'Idle', 'UpToDate')));
    await annotate('nodes', 'node-1', { [BY_HAND.pinVersion]: 'newest' });
    await annotate('nodeupdates', 'node-2', { [BY_HAND.paused]: 'maybe' });
    release('1.26.1');
    await updated('1.26.1', ['node-3']);
    const wrong = { 'node-1': `${BY_HAND.pinVersion} is "newest"`, 'node-2': `${BY_HAND.paused} is "maybe"` };
    for (const [name, words] of Object.entries(wrong)) {
      expect((await phase(name, 'Idle', 'InvalidAnnotation')).message).toContain(words);
      await eventually(async () => (await events(name, 'InvalidAnnotation')).some(({ message }) => message?.includes(words)));
    }
    await refreshed(['node-1', 'node-2']);
    untouched(['node-1', 'node-2']);

    const ready = async () => (await policy()).status?.conditions?.find(({ type }) => type === 'Ready');
    await annotate('updatepolicies', 'fleet', { [BY_HAND.approvedVersion]: 'all of them' });
    await eventually(async () => (await ready())?.message.includes('all of them'));
    expect(await ready()).toMatchObject({ status: 'False', reason: 'PolicyNotReady' });
    await eventually(async () => (await events('fleet', 'PolicyNotReady')).length > 0);
    await annotate('nodes', 'node-1', { [BY_HAND.pinVersion]: null });
    await annotate('nodeupdates', 'node-2', { [BY_HAND.paused]: null });
    await phase('node-1', 'Idle', 'PolicyNotReady');
    await phase('node-2', 'Idle', 'PolicyNotReady');
    await patchPolicy({ version: { range: 'the newest' } });
    await annotate('updatepolicies', 'fleet', { [BY_HAND.approvedVersion]: null });
    await eventually(async () => (await ready())?.message.includes('"the newest" is no semver range'));
    await refreshed(['node-1', 'node-2']);
    untouched(['node-1', 'node-2']);

    await patchPolicy({ version: { range: '*' } });
    await updated('1.26.1');
    expect(await ready()).toMatchObject({ status: 'True' });
    expect(bed.pods.processes().map(({ component, restarts }) => ({ component, restarts }))).toContainEqual({
      component: 'controller',
      restarts: 0,
    });
    await judge.invariants();
  }, 120_000);
});

describe('a cordon', () => {
  test("that is an administrator's stays, as their annotations do, and the others are done", async () => {
    const [scaleDown, disrupt] = Object.keys(KEEP_NODE_ANNOTATIONS) as [string, string];
    const prior: Record<string, string>[] = [{ [scaleDown]: 'true', [disrupt]: 'false' }, { [disrupt]: 'true' }, {}];
    const { bed, history, judge, machines, node, phase, refreshed, release, updated } = await start({
      nodes: 3,
      policy: { rollout: { maxUnavailable: 2 } },
      machine: (index) => ({ annotations: prior[index] ?? {} }),
    });
    const annotationsOf = async (name: string) => {
      const { annotations = {} } = (await node(name)).metadata;
      return Object.fromEntries(Object.entries(annotations).filter(([key]) => key in KEEP_NODE_ANNOTATIONS || key === cordonAnnotation));
    };
    await bed.client.patch(machines[1]!.path, { spec: { unschedulable: true } });
    release('1.26.1');
    await updated('1.26.1', ['node-1', 'node-3']);
    await phase('node-2', 'Staged', 'CordonedByOther');
    await refreshed(['node-2']);
    expect(await Promise.all(names.map(annotationsOf))).toEqual(prior);
    for (const name of ['node-1', 'node-3']) {
      const cordoned = history.of(name).filter(({ object }) => isCordoned(object));
      for (const { object } of cordoned) expect(object.metadata.annotations).toMatchObject(KEEP_NODE_ANNOTATIONS);
    }
    expect(changes(history.versions, 'node-2', isCordoned)).toEqual([false, true]);
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([1, 0, 1]);
    expect(judge.mostUnavailable()).toBe(2);

    await bed.client.patch(machines[1]!.path, { spec: { unschedulable: null } });
    await updated('1.26.1');
    await judge.invariants();
    expect(await Promise.all(names.map(annotationsOf))).toEqual(prior);
  }, 120_000);

  test('takes the node from load balancers, which get their time before the first eviction, and gives it back to them', async () => {
    const prior: Record<string, string>[] = [{}, { [balancers]: '' }];
    const { annotate, bed, history, judge, node, nodeUpdate, patchPolicy, phase, refreshed, releaseInOrder, updated } = await start({
      nodes: 2,
      policy: { drain: { loadBalancerDelay: '1h' } },
      machine: (index) => ({ labels: prior[index] ?? {} }),
    });
    const guard = await guardNode(bed, 'node-1');
    await guard.open();
    const label = async (name: string) => (await node(name)).metadata.labels?.[balancers];
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Draining', 'LoadBalancerDelay');
    expect(changes(history.versions, 'node-1', ({ metadata }) => metadata.labels?.[balancers])).toEqual([undefined, 'true']);
    for (const { object } of history.of('node-1').filter((version) => isCordoned(version.object)))
      expect(object.metadata.labels).toMatchObject(CORDON_LABELS);
    await refreshed(['node-1']);
    expect(await judge.evictions()).toEqual([]);
    expect((await nodeUpdate('node-1')).reason).toBe('LoadBalancerDelay');

    // Holds for whoever is claimed from now on.
    await patchPolicy({ drain: { loadBalancerDelay: '1s' } });
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: 'true' });
    await phase('node-1', 'Staged', 'Paused');
    expect([await label('node-1'), isCordoned(await node('node-1'))]).toEqual([undefined, false]);
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: null });
    await updated('1.26.1');
    expect(await judge.evictions()).not.toEqual([]);
    expect(await Promise.all(names.slice(0, 2).map(label))).toEqual([undefined, '']);
    expect(changes(history.versions, 'node-2', ({ metadata }) => metadata.labels?.[balancers])).toEqual(['']);
    await judge.invariants();
  }, 120_000);

  test('of a failed node may be taken away by a person: the slot is free, and the node is left alone', async () => {
    const { bed, history, judge, machines, patchPolicy, phase, refreshed, releaseInOrder, updated } = await start({
      nodes: 2,
      policy: { reboot: { timeout: '3s' }, rollout: { failureBudget: 2 } },
    });
    const [first] = machines;
    Object.assign(first!.kubelet, { tooFastToNotice: true, neverReturns: true });
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Failed', 'RebootTimeout');
    await patchPolicy({ reboot: { timeout: '60s' } });
    await phase('node-2', 'Staged', 'CapacityReached');
    await refreshed(['node-2']);
    expect(changes(history.versions, 'node-2', isCordoned)).toEqual([false]);

    await bed.client.patch(first!.path, { spec: { unschedulable: null } });
    await updated('1.26.1', ['node-2']);
    await phase('node-1', 'RolledBack');
    await refreshed(['node-2']);
    expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false, true, false]);
    await first!.kubeletReturns();
    await updated('1.26.1');
    await judge.invariants();
    expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false, true, false]);
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([1, 1]);
  }, 120_000);
});

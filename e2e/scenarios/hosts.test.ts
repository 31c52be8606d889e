import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../src/api/names.ts';
import { changes, isCordoned, isUnavailable } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('a download', () => {
  test('that fails is tried again, for as long as it takes, and is no failure of the node', async () => {
    const { eventually, history, judge, machines, nodeUpdate, phase, policy, release, updated } = await start({ nodes: 3 });
    const [first, second] = machines;
    first!.host.faults.arm('prepareFails', 2);
    second!.host.faults.arm('noMigrations', Number.POSITIVE_INFINITY);
    release('1.26.1');
    await phase('node-1', 'Staging', 'StagingFailed');
    await updated('1.26.1', ['node-1', 'node-3']);
    const prepares = first!.host.requests.filter(({ path }) => path === '/actions/prepare-update');
    expect(prepares).toHaveLength(3);
    await eventually(async () => ((await nodeUpdate('node-2')).attempts ?? 0) >= 2);
    expect((await phase('node-2', 'Staging', 'StagingFailed')).message).toContain('NoMigration');
    expect(changes(history.versions, 'node-2', isCordoned)).toEqual([false]);
    expect((await policy()).status?.rollouts?.map(({ failed }) => failed)).toEqual([[]]);

    second!.host.faults.disarm('noMigrations');
    await updated('1.26.1');
    await judge.invariants();
    await judge.onceEach(machines);
    const orders = (await judge.orders('node-1')).map(({ action }) => action);
    expect(orders).toEqual(['Stage', 'Stage', 'Stage', 'Reboot']);
  }, 120_000);
});

describe('a host', () => {
  test('that boots back to the old version halts the rollout, and is tried again once for each retry', async () => {
    const { annotate, eventually, history, judge, machines, node, phase, refreshed, releaseInOrder, updated } = await start({ nodes: 3 });
    const [first] = machines;
    const counts = () => machines.map(({ host }) => host.rebootCount);
    first!.host.faults.arm('bootFails', 2);
    await releaseInOrder('1.26.1');
    await phase('node-1', 'RolledBack');
    await Promise.all(['node-2', 'node-3'].map((name) => phase(name, 'Staged', 'Halted')));
    await refreshed(['node-1', 'node-2', 'node-3']);
    expect(counts()).toEqual([1, 0, 0]);
    expect(isCordoned(await node('node-1'))).toBe(false);
    for (const name of ['node-2', 'node-3']) expect(changes(history.versions, name, isCordoned)).toEqual([false]);

    await annotate('updatepolicies', 'fleet', { [BY_HAND.resume]: '1' });
    await updated('1.26.1', ['node-2', 'node-3']);
    await refreshed(['node-1']);
    expect(counts()).toEqual([1, 1, 1]);

    await annotate('nodes', 'node-1', { [BY_HAND.retry]: '1' });
    await eventually(() => first!.host.rebootCount === 2);
    await phase('node-1', 'RolledBack', 'KnownBad');
    await refreshed(['node-1']);
    expect(counts()).toEqual([2, 1, 1]);

    await annotate('nodes', 'node-1', { [BY_HAND.retry]: '2' });
    await updated('1.26.1');
    await judge.invariants();
    expect(counts()).toEqual([3, 1, 1]);
    expect(judge.mostUnavailable()).toBe(1);
  }, 120_000);

  test('that refuses the activation is given back with nothing activated', async () => {
    const { annotate, history, judge, machines, node, phase, policy, refreshed, releaseInOrder, updated } = await start({ nodes: 2 });
    const { host } = machines[0]!;
    host.faults.arm('activateFails');
    await releaseInOrder('1.26.1');
    const { failures } = await phase('node-1', 'RolledBack');
    expect(failures).toMatchObject([{ target: '1.26.1', reason: 'ActivationFailed' }]);
    await phase('node-2', 'Staged', 'Halted');
    await refreshed(['node-1', 'node-2']);
    expect(isCordoned(await node('node-1'))).toBe(false);
    expect(changes(history.versions, 'node-2', isCordoned)).toEqual([false]);
    expect((await judge.orders('node-1')).map(({ action }) => action)).toEqual(['Stage', 'Reboot', 'Cancel']);
    expect(host.updateStatus).toMatchObject({ update_state: 'Staged', staging_partition: { next_to_boot: false } });
    expect(host.rebootCount).toBe(0);
    // Were anything activated, it would boot now.
    await host.reboot();
    expect(host.os.version).toBe('1.26.0');
    await refreshed(['node-1']);
    expect((await policy()).status?.rollouts?.flatMap(({ failed }) => failed.map((one) => one.node))).toEqual(['node-1']);

    await annotate('nodes', 'node-1', { [BY_HAND.retry]: 'now' });
    await updated('1.26.1');
    await judge.invariants();
    expect(machines.map((machine) => machine.host.rebootCount)).toEqual([2, 1]);
  }, 120_000);

  test('or a kubelet that does not come back is Failed and keeps its slot; what returns is verified without another reboot', async () => {
    const { bed, history, judge, machines, patchPolicy, phase, refreshed, releaseInOrder, updated } = await start({
      nodes: 4,
      policy: { reboot: { timeout: '5s' }, rollout: { maxUnavailable: 3, failureBudget: 4 } },
    });
    const [dark, mute, sick] = machines;
    dark!.host.faults.arm('neverReturns');
    mute!.kubelet.neverReturns = true;
    sick!.kubelet.neverReturns = true;
    const booted = new Promise<void>((resolve) => sick!.host.once('booted', () => resolve()));
    await releaseInOrder('1.26.1');
    await booted;
    await sick!.settled();
    // Its kubelet reports the boot, and never gets ready.
    const { bootID, osImage } = sick!.facts;
    await bed.client.patch(`${sick!.path}/status`, { status: { nodeInfo: { bootID, osImage } } }, 'strategic');
    await phase('node-3', 'Verifying');
    await phase('node-1', 'Failed', 'RebootTimeout');
    await phase('node-2', 'Failed', 'RebootTimeout');
    await phase('node-3', 'Failed', 'VerificationTimeout');
    await phase('node-4', 'Staged', 'CapacityReached');
    await refreshed(['node-4']);
    for (const name of ['node-1', 'node-2', 'node-3']) expect(changes(history.versions, name, isCordoned)).toEqual([false, true]);
    expect(changes(history.versions, 'node-4', isUnavailable)).toEqual([false]);

    await patchPolicy({ reboot: { timeout: '60s' } });
    await dark!.host.release();
    await updated('1.26.1', ['node-1', 'node-4']);
    await mute!.kubeletReturns();
    await sick!.kubeletReturns();
    await updated('1.26.1');
    await judge.invariants();
    await judge.onceEach(machines);
    expect(judge.mostUnavailable()).toBe(3);
    for (const { name } of machines) {
      expect((await judge.orders(name)).map(({ action }) => action)).toEqual(['Stage', 'Reboot']);
      expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false]);
    }
  }, 120_000);

  test('that somebody else reboots in flight has not failed: it is given back, stages again, and is done in the end', async () => {
    const { agent, bed, eventually, history, judge, machines, nodeUpdate, phase, policy, releaseInOrder, updated } = await start({
      nodes: 3,
      policy: { rollout: { maxUnavailable: 2 } },
    });
    const [first, second] = machines;
    const guards = await Promise.all(['node-1', 'node-2'].map((name) => guardNode(bed, name)));
    await releaseInOrder('1.26.1');
    const { claim } = await phase('node-1', 'Draining');
    // node-2 is rebooted after the Reboot order, before its agent has seen it.
    await phase('node-2', 'Draining');
    await agent('node-2').hold();
    await guards[1]!.open();
    await phase('node-2', 'Rebooting', 'RebootOrdered');
    await Promise.all([first!.host.reboot(), second!.host.reboot()]);
    agent('node-2').release();
    await updated('1.26.1', ['node-2', 'node-3']);
    await eventually(async () => {
      const status = await nodeUpdate('node-1');
      return status.phase === 'Draining' && status.claim !== claim;
    });
    await guards[0]!.open();
    await updated('1.26.1');
    await judge.invariants();
    expect(judge.mostUnavailable()).toBe(2);
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([2, 2, 1]);
    expect((await policy()).status?.rollouts?.map(({ failed }) => failed)).toEqual([[]]);
    for (const name of ['node-1', 'node-2']) expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false, true, false]);
    expect((await judge.orders('node-1')).map(({ action }) => action)).toEqual(['Stage', 'Stage', 'Reboot']);
  }, 120_000);
});

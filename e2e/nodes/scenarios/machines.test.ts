import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { BY_HAND } from '../../../src/api/names.ts';
import { changes, isCordoned } from '../../bed/watch-history.ts';
import type { Judge } from '../../scenarios/judge.ts';
import type { RealMachine } from '../machine.ts';
import { isReady } from '../start-machine.ts';
import { realNodes } from '../suite.ts';
import { type RealFleet, startRealFleet } from './real-fleet.ts';

const suite = await realNodes();

suite('a real machine', () => {
  let fleet: RealFleet;
  let judge: Judge;
  let first: RealMachine;
  let second: RealMachine;
  /** Boots of each machine, and versions of Nodes, before the test that runs. */
  let before: { boots: number[]; versions: number };

  beforeAll(async () => {
    fleet = await startRealFleet({
      controllersOn: 'infra',
      // Zones go one after the other.
      machine: { zone: 'eu-west-1a' },
      policy: { approval: 'Manual' },
      values: { controller: { replicas: 1 } },
    });
    [first, second] = fleet.machines as [RealMachine, RealMachine];
  }, 300_000);

  afterAll(() => fleet?.stop(), 60_000);

  /** Puts out a release and begins with it once all have staged it, so that `node-1` is the first to go. */
  const begin = async (version: string) => {
    judge = await fleet.judgeFromNow();
    before = { boots: await rebootCounts(), versions: fleet.history.versions.length };
    await fleet.releaseStaged(version);
    await fleet.approve(version);
  };
  const rebootCounts = () => Promise.all(fleet.machines.map((machine) => machine.rebootCount()));
  const bootsSince = async () => (await rebootCounts()).map((count, index) => count - (before.boots[index] ?? 0));
  /** True for each cordon, false for each uncordon. */
  const cordons = (name: string) => {
    const seen = changes(fleet.history.versions.slice(before.versions), name, isCordoned);
    return seen[0] === false ? seen.slice(1) : seen;
  };
  const actions = async (name: string) => (await judge.orders(name)).map(({ action }) => action);
  /** Whatever was to be done by now has been: the hosts were asked for news twice more. */
  const refreshed = async (...machines: RealMachine[]) => {
    const count = async ({ host }: RealMachine) => (await host.requests()).filter(({ path }) => path === '/actions/refresh-updates').length;
    const counts = await Promise.all(machines.map(count));
    await fleet.eventually(async () => (await Promise.all(machines.map(count))).every((now, index) => now >= (counts[index] ?? 0) + 2));
  };

  test('whose reboot is too short to show, or is followed by another one, is judged by its boot ID', async () => {
    await first.host.setTimings({ bootMs: 0 });
    await second.host.faults.arm('secondReboot');
    await begin('1.26.1');
    await fleet.updated('1.26.1');
    await first.host.setTimings({ bootMs: 1000 });
    expect(changes(fleet.history.versions.slice(before.versions), first.name, isReady)).toEqual([true]);
    expect(await bootsSince()).toEqual([1, 2, 1]);
    for (const { name } of fleet.machines) {
      expect(await actions(name)).toEqual(['Stage', 'Reboot']);
      expect(cordons(name)).toEqual([true, false]);
    }
    expect(judge.mostUnavailable()).toBe(1);
    await judge.invariants();
  }, 180_000);

  test('that boots back to the old version is given back, halts the rollout, and is done after a retry', async () => {
    const others = fleet.machines.slice(1);
    await first.host.faults.arm('bootFails');
    await begin('1.26.2');
    const { failures } = await fleet.phase(first.name, 'RolledBack');
    expect(failures).toMatchObject([{ target: '1.26.2', reason: 'RolledBackByHost' }]);
    await Promise.all(others.map(({ name }) => fleet.phase(name, 'Staged', 'Halted')));
    await refreshed(...fleet.machines);
    expect(await bootsSince()).toEqual([1, 0, 0]);
    expect(cordons(first.name)).toEqual([true, false]);
    for (const { name } of others) expect(cordons(name)).toEqual([]);
    const { status } = await fleet.policy();
    expect(status?.rollouts?.flatMap(({ failed }) => failed.map(({ node }) => node))).toEqual([first.name]);

    await fleet.annotate('nodes', first.name, { [BY_HAND.retry]: '1' });
    await fleet.updated('1.26.2');
    expect(await bootsSince()).toEqual([2, 1, 1]);
    expect(judge.mostUnavailable()).toBe(1);
    await judge.invariants();
  }, 180_000);

  test('that stays off three times its timeout, or starts no kubelet, is Failed until it is back, and then verified by itself', async () => {
    const timeoutMs = 10_000;
    const [, , third] = fleet.machines as [RealMachine, RealMachine, RealMachine];
    await fleet.patchPolicy({ reboot: { timeout: `${timeoutMs / 1000}s` }, rollout: { maxUnavailable: 2, failureBudget: 3 } });
    await first.host.faults.arm('rebootHangs');
    await second.hold('kubelet');
    await begin('1.26.3');
    await fleet.phase(first.name, 'Rebooting', 'RebootAsked');
    await fleet.eventually(async () => (await first.host.requests()).at(-1)?.path === '/actions/reboot');
    await first.powerOff();
    for (const { name } of [first, second]) {
      const { message } = await fleet.phase(name, 'Failed', 'RebootTimeout');
      expect(message).toContain('look whether the machine has booted and its kubelet runs');
      expect(message).toContain('it is verified by itself');
    }
    await fleet.phase(third.name, 'Staged', 'CapacityReached');
    // Its machine is up, and runs what it was to run; nobody says so.
    expect(await second.state()).toMatchObject({ power: 'on', version: '1.26.3' });
    const ordered = Math.max(...(await judge.orders()).flatMap(({ action, at }) => (action === 'Reboot' ? [at] : [])));
    await fleet.eventually(() => Date.now() > ordered + 3 * timeoutMs, { timeoutMs: 60_000 });
    for (const { name } of [first, second]) expect(cordons(name)).toEqual([true]);
    expect(cordons(third.name)).toEqual([]);

    await fleet.patchPolicy({ reboot: { timeout: '60s' } });
    await first.powerOn();
    await fleet.updated('1.26.3', [first.name, third.name]);
    expect(cordons(second.name)).toEqual([true]);
    await second.letGo('kubelet');
    await fleet.updated('1.26.3');
    expect(await bootsSince()).toEqual([1, 1, 1]);
    for (const { name } of fleet.machines) {
      expect(await actions(name)).toEqual(['Stage', 'Reboot']);
      expect(cordons(name)).toEqual([true, false]);
    }
    expect(judge.mostUnavailable()).toBe(2);
    await judge.invariants();
  }, 240_000);
});

import { describe, expect, test } from '@jest/globals';
import type { Machine } from '../bed/machine.ts';
import type { SimulatedHost } from '../host/host.ts';
import type { Fleet } from './fleet.ts';
import { cordonAnnotation } from './judge.ts';
import { fenceOf, orderTo, places } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const firstOf = ({ machines }: Fleet): Machine => machines[0] as Machine;
const paused = (value: 'true' | null) => ({ 'lockkeeper.dev/paused': value });

/** The agent of a node has answered its latest order for good. */
const answered = ({ eventually, nodeHost }: Fleet, node: string, action: string) =>
  eventually(
    async () => {
      const { spec, status } = await nodeHost(node);
      return spec?.order?.action === action && status?.answer?.id === spec.order.id && status.answer.state === 'Done';
    },
    { describe: () => nodeHost(node) },
  );

describe('an agent that is killed', () => {
  test('while its host downloads, while it asks for the reboot, and after the boot: each order is carried out once', async () => {
    const fleet = await start({ nodes: 2 });
    const { agent, eventually, judge, machines, release, updated } = fleet;
    const machine = firstOf(fleet);
    const { host, kubelet, name } = machine;
    const kill = async () => {
      const { pid } = agent(name);
      agent(name).kill();
      await eventually(() => agent(name).pid !== undefined && agent(name).pid !== pid);
    };
    const staging = await places.staging(fleet, machine);
    release('1.26.1');
    await staging.reached();
    await kill();
    // The next life finds the host busy with what its former one had asked for.
    const asked = host.requests.length;
    await eventually(() => host.requests.length > asked);
    host.faults.arm('rebootHangs');
    kubelet.neverReturns = true;
    await staging.release();

    await fleet.phase(name, 'Rebooting', 'RebootAsked');
    await eventually(() => host.requests.some(({ path }) => path === '/actions/reboot'));
    await kill();
    await host.release();
    await eventually(() => host.rebootCount === 1 && host.running);
    await machine.kubeletReturns();
    await eventually(() => agent(name).pid !== undefined);
    await kill();
    await updated('1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test('right after its fence, before it activates: the next life goes on behind the fence', async () => {
    const fleet = await start({ nodes: 2, faultsFor: ['agent'] });
    const { agent, bed, judge, machines, release, updated } = fleet;
    const { name, host } = firstOf(fleet);
    // The write is done, and the answer does not come: the agent dies not knowing.
    const fence = bed.faults.arm('cut', fenceOf(name));
    release('1.26.1');
    await fence.first;
    expect(host.requests.map(({ path }) => path)).not.toContain('/actions/activate-update');
    agent(name).kill();
    await updated('1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test.each([
    ['hangs', 'rebootHangs', (host: SimulatedHost) => host.release()],
    ['does nothing', 'rebootIgnored', (host: SimulatedHost) => host.reboot()],
  ] as const)(
    'after it asked a host that %s, and its node was cancelled then: not released before the deadline, Failed, and verified when it boots',
    async (_what, fault, boot) => {
      const fleet = await start({ nodes: 2, policy: { approval: 'Manual', reboot: { timeout: '8s' } }, faultsFor: ['controller'] });
      const { agent, annotate, bed, eventually, history, judge, machines, node, nodeHost, phase, release, updated } = fleet;
      const machine = firstOf(fleet);
      const { host, name } = machine;
      release('1.26.1');
      await phase(name, 'Staged');
      const ordered = await places.rebootOrdered(fleet, machine);
      const cancel = bed.faults.arm('hold', orderTo(name, 'Cancel'));
      await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': '1.26.1' });
      await ordered.reached();
      // The Cancel is under way while the agent fences and asks: it comes too late, and is given again.
      await annotate('nodes', name, paused('true'));
      await cancel.first;
      host.faults.arm(fault);
      await ordered.release();
      await eventually(() => host.requests.some(({ path }) => path === '/actions/reboot'));
      await agent(name).hold();
      expect(await cancel.release()).toEqual([409]);
      await eventually(async () => (await nodeHost(name)).spec?.order?.action === 'Cancel');
      agent(name).release();
      expect((await phase(name, 'Failed', 'RebootTimeout')).message).toContain('no other boot');
      expect((await node(name)).spec.unschedulable).toBe(true);
      const inFlight = history.of(name).filter(({ object }) => cordonAnnotation in (object.metadata.annotations ?? {}));
      expect(inFlight.every(({ object }) => object.spec.unschedulable)).toBe(true);

      await boot(host);
      await updated('1.26.1', [name]);
      await annotate('nodes', name, paused(null));
      await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/resume': '1' });
      await updated('1.26.1');
      await judge.onceEach(machines);
      await judge.invariants();
    },
    120_000,
  );
});

describe('an agent that comes late', () => {
  test('does not carry out a Reboot order of a node that was released meanwhile', async () => {
    const fleet = await start({ nodes: 2 });
    const { agent, annotate, judge, machines, node, phase, release, updated } = fleet;
    const machine = firstOf(fleet);
    const { host, name } = machine;
    const draining = await places.draining(fleet, machine);
    release('1.26.1');
    await draining.reached();
    await agent(name).hold();
    await draining.release();
    await phase(name, 'Rebooting', 'RebootOrdered');
    await annotate('nodes', name, paused('true'));
    await phase(name, 'Staged');
    expect((await node(name)).spec.unschedulable).toBeUndefined();

    agent(name).release();
    await answered(fleet, name, 'Cancel');
    await updated('1.26.1', [machines[1]?.name ?? '']);
    expect(host.rebootCount).toBe(0);
    expect((await judge.orders(name)).map(({ action }) => action)).toEqual(['Stage', 'Reboot', 'Cancel']);
    await judge.invariants();
  }, 120_000);

  test('is refused where its fence arrives after the node was released', async () => {
    const fleet = await start({ nodes: 2, faultsFor: ['agent'] });
    const { annotate, bed, judge, machines, node, phase, release, updated } = fleet;
    const { host, name } = firstOf(fleet);
    const fence = bed.faults.arm('hold', fenceOf(name));
    release('1.26.1');
    await fence.first;
    await annotate('nodes', name, paused('true'));
    await phase(name, 'Staged');
    expect((await node(name)).spec.unschedulable).toBeUndefined();

    expect(await fence.release()).toEqual([409]);
    await answered(fleet, name, 'Cancel');
    await updated('1.26.1', [machines[1]?.name ?? '']);
    expect(host.rebootCount).toBe(0);
    await annotate('nodes', name, paused(null));
    await updated('1.26.1');
    expect(host.rebootCount).toBe(1);
    await judge.invariants();
  }, 120_000);
});

describe('an agent that is cut off from the API server', () => {
  test('between the order and the reboot: goes on when it is joined again', async () => {
    const fleet = await start({ nodes: 2 });
    const { bed, judge, machines, phase, release, updated } = fleet;
    const machine = firstOf(fleet);
    const draining = await places.draining(fleet, machine);
    release('1.26.1');
    await draining.reached();
    bed.isolate(machine.name, 'silent');
    await draining.release();
    await phase(machine.name, 'Rebooting', 'RebootOrdered');
    expect(machine.host.rebootCount).toBe(0);
    bed.isolate(machine.name, 'open');
    await updated('1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test('after its fence: the host reboots, is verified by its kubelet, and reported when the agent is joined again', async () => {
    const fleet = await start({ nodes: 2 });
    const { bed, eventually, judge, machines, nodeHost, phase, release, updated } = fleet;
    const { host, name } = firstOf(fleet);
    host.faults.arm('rebootHangs');
    release('1.26.1');
    await phase(name, 'Rebooting', 'RebootAsked');
    await eventually(() => host.requests.some(({ path }) => path === '/actions/reboot'));
    bed.isolate(name, 'refuse');
    await host.release();
    await updated('1.26.1');
    expect((await nodeHost(name)).status?.version).toBe('1.26.0');
    bed.isolate(name, 'open');
    await eventually(async () => (await nodeHost(name)).status?.version === '1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test("where only the service address is out of reach: it uses the API server of its host's settings", async () => {
    const fleet = await start({ nodes: 2 });
    const { bed, judge, machines, release, updated } = fleet;
    const machine = firstOf(fleet);
    const draining = await places.draining(fleet, machine);
    release('1.26.1');
    await draining.reached();
    for (const { name } of machines) bed.isolate(name, 'refuse', { only: 'service' });
    await draining.release();
    await updated('1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);
});

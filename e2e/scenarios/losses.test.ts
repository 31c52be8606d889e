import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../bed/api.ts';
import type { SeenRequest } from '../bed/fault-proxy.ts';
import type { Machine } from '../bed/machine.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import type { Fleet } from './fleet.ts';
import { cordonAnnotation } from './judge.ts';
import { claimOf, cordonOf, fenceOf, orderTo, places } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const firstOf = ({ machines }: Fleet): Machine => machines[0] as Machine;
/** So that nodes go by name. */
const oneZone = () => ({ zone: 'eu-west-1a' });
const kinds = '/apis/lockkeeper.dev/v1alpha1';

describe('the API server', () => {
  test.each([
    ['is restarted', (plane: Fleet['bed']['controlPlane']) => plane.restartApiServer()],
    ['crashes', (plane: Fleet['bed']['controlPlane']) => plane.restartApiServer({ signal: 'SIGKILL' })],
  ])(
    '%s while nodes download, drain and reboot: the rollout goes on',
    async (_how, restart) => {
      const fleet = await start({ nodes: 4, policy: { rollout: { maxUnavailable: 2 } }, machine: oneZone });
      const { bed, judge, machines, release, updated } = fleet;
      const [downloads, drains, reboots] = machines as [Machine, Machine, Machine];
      const held = await Promise.all([
        places.staging(fleet, downloads),
        places.draining(fleet, drains),
        places.rebootAsked(fleet, reboots),
      ]);
      release('1.26.1');
      await Promise.all(held.map((one) => one.reached()));
      await restart(bed.controlPlane);
      await Promise.all(held.map((one) => one.release()));
      await updated('1.26.1');
      expect(judge.mostUnavailable()).toBe(2);
      await judge.onceEach(machines);
      await judge.invariants();
    },
    120_000,
  );

  test('does not answer for longer than the lease: the leader stops acting, and goes on afterwards', async () => {
    const fleet = await start({ nodes: 3 });
    const { bed, eventually, judge, leader, leads, machines, release, updated } = fleet;
    const machine = firstOf(fleet);
    const draining = await places.draining(fleet, machine);
    release('1.26.1');
    await draining.reached();
    const controller = await leader();
    await bed.controlPlane.pauseApiServer();
    await eventually(async () => !(await leadsByItself(controller)));
    bed.controlPlane.resumeApiServer();
    // Not before: an eviction that the outage cuts off half-way keeps its budget shut for two minutes (see drain-walk.ts).
    await draining.release();
    await updated('1.26.1');
    await leads(controller, machine.name);
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test('loses its answers: each write of a node’s life is done, and whoever sent it does not know', async () => {
    const fleet = await start({ nodes: 2, policy: { approval: 'Manual' }, faultsFor: ['controller', 'agent'] });
    const { annotate, bed, judge, machines, phase, release, updated } = fleet;
    const { name } = firstOf(fleet);
    const lost = [
      bed.faults.arm('cut', orderTo(name, 'Stage')),
      bed.faults.arm('cut', claimOf(name)),
      bed.faults.arm('cut', cordonOf(name)),
      bed.faults.arm('cut', orderTo(name, 'Reboot')),
      bed.faults.arm('cut', fenceOf(name)),
      bed.faults.arm('cut', uncordonOf(name)),
    ];
    release('1.26.1');
    await Promise.all(machines.map((machine) => phase(machine.name, 'Staged')));
    await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': '1.26.1' });
    await updated('1.26.1');
    expect(lost.map(({ caught }) => caught.length)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);
});

describe("the agents' admission policy", () => {
  test.each([
    ['itself', 'validatingadmissionpolicies'],
    ['its binding', 'validatingadmissionpolicybindings'],
  ])(
    '%s is deleted in a rollout: no order is given until it is back',
    async (_what, resource) => {
      const fleet = await start({ nodes: 3 });
      const { bed, eventually, judge, machines, phase, release, releaseInOrder, updated } = fleet;
      const [drained, staged, alsoStaged] = machines as [Machine, Machine, Machine];
      const draining = await places.draining(fleet, drained);
      await releaseInOrder('1.26.1');
      await draining.reached();
      await Promise.all([phase(staged.name, 'Staged', 'CapacityReached'), phase(alsoStaged.name, 'Staged', 'CapacityReached')]);
      const path = `/apis/admissionregistration.k8s.io/v1/${resource}/lockkeeper-agent`;
      const guard = await bed.client.get<KubeObject>(path);
      await bed.client.delete(path);
      await phase(staged.name, 'Staged', 'AdmissionPolicyMissing');

      const mark = await bed.audit.mark();
      await draining.release();
      await phase(drained.name, 'Draining', 'AdmissionPolicyMissing');
      // A newer release would be downloaded by now.
      release('1.26.2');
      await eventually(async () => (await fleet.nodeHost(staged.name)).status?.available?.includes('1.26.2'));
      await phase(staged.name, 'Idle', 'AdmissionPolicyMissing');
      const { spec } = guard as KubeObject & { spec: object };
      const { name, labels, annotations } = guard.metadata;
      const orders = await bed.audit.find({ verb: 'patch', resource: 'nodehosts', subresource: '', user: 'lockkeeper-controller' }, mark);
      expect(orders).toEqual([]);

      await bed.client.create(path.replace(/\/[^/]*$/, ''), { ...guard, metadata: { name, labels, annotations }, spec });
      await updated('1.26.2', [staged.name, alsoStaged.name]);
      await updated('1.26.2');
      expect(judge.mostUnavailable()).toBe(1);
      await judge.invariants();
    },
    120_000,
  );
});

describe('what is deleted in flight', () => {
  test('a NodeUpdate, in each phase: the node goes on by its record, and no clock begins anew', async () => {
    const fleet = await start({ nodes: 4, policy: { approval: 'Manual' }, machine: oneZone });
    const { annotate, bed, eventually, judge, machines, phase, release, updated } = fleet;
    release('1.26.1');
    await Promise.all(machines.map(({ name }) => phase(name, 'Staged')));
    const stops = ['draining', 'rebootOrdered', 'rebootAsked', 'verifying'] as const;
    const held = await Promise.all(stops.map((place, index) => places[place](fleet, machines[index] as Machine)));
    await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': '1.26.1' });
    for (const [index, one] of held.entries()) {
      const { name } = machines[index] as Machine;
      await one.reached();
      const before = await bed.client.get<KubeObject & { status: { phase: string } }>(`${kinds}/nodeupdates/${name}`);
      await bed.client.delete(`${kinds}/nodeupdates/${name}`);
      await eventually(async () => {
        const after = await bed.client.get<typeof before>(`${kinds}/nodeupdates/${name}`);
        return after.metadata.uid !== before.metadata.uid && after.status?.phase === before.status.phase;
      });
      await one.release();
    }
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test('a NodeHost while its node drains: the node is given back at the deadline of the drain, and updated later', async () => {
    const fleet = await start({ nodes: 2, policy: { drain: { timeout: '5s' } } });
    const { bed, judge, machines, phase, release, updated } = fleet;
    const machine = firstOf(fleet);
    const draining = await places.draining(fleet, machine);
    release('1.26.1');
    await draining.reached();
    await bed.client.delete(`${kinds}/nodehosts/${machine.name}`);
    await draining.release();
    await phase(machine.name, 'Draining', 'AgentMissing');
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test('a NodeHost after the reboot was asked: the node is verified by its kubelet', async () => {
    const fleet = await start({ nodes: 2 });
    const { bed, eventually, judge, machines, nodeHost, release, updated } = fleet;
    const machine = firstOf(fleet);
    const rebooting = await places.rebootAsked(fleet, machine);
    release('1.26.1');
    await rebooting.reached();
    await bed.client.delete(`${kinds}/nodehosts/${machine.name}`);
    await rebooting.release();
    await updated('1.26.1');
    await eventually(async () => (await nodeHost(machine.name)).status?.version === '1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test('a NodeHost before its agent saw the Reboot order: nobody can tell, so another boot is waited for until the deadline', async () => {
    const fleet = await start({ nodes: 2, policy: { approval: 'Manual', reboot: { timeout: '6s' } } });
    const { annotate, bed, judge, node, phase, release, updated } = fleet;
    const machine = firstOf(fleet);
    const { host, name } = machine;
    release('1.26.1');
    await phase(name, 'Staged');
    const ordered = await places.rebootOrdered(fleet, machine);
    await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': '1.26.1' });
    await ordered.reached();
    await bed.client.delete(`${kinds}/nodehosts/${name}`);
    await ordered.release();
    await phase(name, 'Failed', 'RebootTimeout');
    expect(host.rebootCount).toBe(0);
    expect((await node(name)).metadata.annotations).toHaveProperty([cordonAnnotation]);
    // A person looks, and has it tried again.
    await annotate('nodes', name, { 'lockkeeper.dev/retry': '1' });
    await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/resume': '1' });
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    expect(host.rebootCount).toBe(1);
    await judge.invariants();
  }, 120_000);
});

test('controller and agents that are told to end do so cleanly, and say so last', async () => {
  const fleet = await start({ nodes: 1 });
  const { agent, eventually, judge, leader, machines, nodeHost, release, updated } = fleet;
  release('1.26.1');
  await updated('1.26.1');
  // The agent is up again, and not only its process.
  await eventually(async () => (await nodeHost(firstOf(fleet).name)).status?.version === '1.26.1');
  for (const [one, lastWords] of [
    [await leader(), 'controller stopped'],
    [agent(firstOf(fleet).name), 'agent ended'],
  ] as const) {
    const before = one.endings.length;
    const log = (await readFile(one.log, 'utf8')).length;
    one.kill('SIGTERM');
    await eventually(() => one.endings.length > before);
    expect(one.endings.at(-1)).toEqual({ code: 0, signal: null });
    const lines = (await readFile(one.log, 'utf8')).slice(log).trimEnd().split('\n');
    const said = lines.map((line): string => JSON.parse(line).msg);
    const nextLife = said.findIndex((words) => words.endsWith(' started'));
    expect(said.slice(0, nextLife === -1 ? undefined : nextLife).at(-1)).toBe(lastWords);
  }
  await judge.onceEach(machines);
  await judge.invariants();
}, 60_000);

/** Whether a controller process believes that it leads. */
async function leadsByItself(process: PodProcess): Promise<boolean> {
  return (await (await fetch(process.metricsUrl)).text()).includes('\nlockkeeper_leader 1');
}

const uncordonOf =
  (node: string) =>
  ({ method, path, body }: SeenRequest): boolean =>
    method === 'PATCH' && path === `/api/v1/nodes/${node}` && body.includes('"unschedulable":null');

import { describe, expect, test } from '@jest/globals';
import { BY_HAND, OUTDATED_TAINT } from '../../src/api/names.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { quickHost } from './fleet.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const hour = 3_600_000;
const fromNow = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();
/** One that has closed, and opens again tomorrow. */
const shutWindow = () => ({ cron: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`, duration: '1h', timeZone: 'UTC' });
const outdated = { key: OUTDATED_TAINT, value: 'true', effect: 'NoSchedule' as const };
const isTainted = ({ spec }: NodeObject): boolean => spec.taints?.some(({ key }) => key === OUTDATED_TAINT) === true;

describe('an urgent version', () => {
  test('passes window, exclusion, age, wave and approval, and no pause; one node named by hand goes alone', async () => {
    const names = ['node-1', 'node-2', 'node-3'];
    const { annotate, bed, eventually, history, judge, machines, nodeHost, nodeUpdate, phase, policy, refreshed, updated } = await start({
      nodes: 3,
      policy: {
        approval: 'Manual',
        version: { minAge: '720h' },
        staging: { outsideWindow: false },
        schedule: {
          windows: [shutWindow()],
          exclusions: [{ from: fromNow(-hour), to: fromNow(hour), reason: 'fair' }],
          onClose: 'Release',
        },
      },
    });
    const waves = [{ bound: -1, at: new Date(Date.now() + hour) }];
    for (const version of ['1.26.1', '1.27.0']) bed.repository.releases.push({ version, variant: 'aws-k8s-1.31', arch: 'x86_64', waves });
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: 'true' });
    await refreshed(names);
    await annotate('updatepolicies', 'fleet', { [BY_HAND.urgent]: '1.26.1' });
    await updated('1.26.1', ['node-2', 'node-3']);
    await phase('node-1', 'Idle', 'Paused');
    expect(judge.mostUnavailable()).toBe(1);
    expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false]);
    expect((await nodeUpdate('node-2')).history).toMatchObject([{ to: '1.26.1', outcome: 'Updated', urgent: true }]);
    const told = (await policy()).status?.conditions?.find(({ type }) => type === 'Urgent');
    expect(told).toMatchObject({
      status: 'True',
      message: expect.stringMatching(/^1\.26\.1 is wanted now \(annotation set by \S+ at \d{4}-/),
    });
    const events = await bed.client.list<{ message?: string }>('/api/v1/namespaces/default/events', {
      fieldSelector: 'involvedObject.kind=UpdatePolicy,reason=Urgent',
    });
    expect(events.map(({ message }) => message)).toEqual([told?.message]);

    // Without it, all holds again what was passed; on a node of its own it is enough.
    await annotate('updatepolicies', 'fleet', { [BY_HAND.urgent]: null });
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: null });
    await phase('node-1', 'Idle', 'InExclusion');
    await annotate('nodeupdates', 'node-1', { [BY_HAND.urgent]: '1.26.1' });
    await updated('1.26.1');
    await eventually(async () => {
      const hosts = await Promise.all(names.map((name) => nodeHost(name)));
      return (
        hosts.every(({ spec }) => !spec.ignoreWaves) && machines.every(({ host }) => host.settings.updates?.['ignore-waves'] === false)
      );
    });
    expect((await judge.orders()).filter(({ version }) => version === '1.27.0')).toEqual([]);
    await judge.invariants();
    await judge.onceEach(machines);
  }, 120_000);
});

describe('a reboot by hand', () => {
  test('drains and reboots a node once into what it runs, whatever is staged; on a policy all of its nodes, one by one', async () => {
    const { annotate, bed, judge, leader, machines, nodeUpdate, phase, refreshed, release, updated } = await start({
      nodes: 2,
      policy: { approval: 'Manual' },
    });
    const names = ['node-1', 'node-2'];
    const rebooted = async (name: string, times: number) =>
      bed.eventually(async () => (await nodeUpdate(name)).history?.filter(({ outcome }) => outcome === 'Rebooted').length === times);
    const staged = () => Promise.all(names.map((name) => phase(name, 'Staged', 'AwaitingApproval')));
    release('1.26.1');
    await staged();
    const guard = await guardNode(bed, 'node-2');
    await annotate('nodeupdates', 'node-2', { [BY_HAND.reboot]: 'first' });
    expect(await phase('node-2', 'Draining')).toMatchObject({ from: '1.26.0', target: '1.26.0' });
    await guard.open();
    await rebooted('node-2', 1);
    await staged();
    // Whoever leads now finds the same token, and does not reboot again.
    const before = await leader();
    before.kill();
    await annotate('updatepolicies', 'fleet', { [BY_HAND.reboot]: 'second' });
    await rebooted('node-1', 1);
    await rebooted('node-2', 2);
    await staged();
    await refreshed(names);
    expect(machines.map(({ host }) => [host.os.version, host.rebootCount])).toEqual([
      ['1.26.0', 1],
      ['1.26.0', 2],
    ]);
    expect(judge.mostUnavailable()).toBe(1);
    const orders = (await judge.orders()).filter(({ action }) => action === 'Reboot');
    expect(orders.map(({ version }) => version)).toEqual(['1.26.0', '1.26.0', '1.26.0']);

    await annotate('updatepolicies', 'fleet', { [BY_HAND.approvedVersion]: '1.26.1' });
    await updated('1.26.1');
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([2, 3]);
    await judge.invariants();
  }, 120_000);
});

describe('a node that registers outdated', () => {
  test('is updated first and takes work then; one that anything else holds takes work at once, and says what it lacks', async () => {
    const { bed, eventually, history, judge, leader, node, nodeUpdate, patchPolicy, phase, policy, release, updated } = await start({
      nodes: 2,
      policy: { approval: 'Manual' },
    });
    const joins = (name: string, variant: string) =>
      bed.addMachine({ name, zone: 'eu-west-1a', variant, taints: [outdated], host: { timings: quickHost } });
    for (const variant of ['aws-k8s-1.31', 'aws-k8s-1.35']) release('1.26.1', variant);
    await Promise.all(['node-1', 'node-2'].map((name) => phase(name, 'Staged', 'AwaitingApproval')));
    const guard = await guardNode(bed, 'node-1');
    await patchPolicy({ approval: 'Automatic' });
    await phase('node-1', 'Draining');
    await joins('node-9', 'aws-k8s-1.31');
    await phase('node-9', 'Staged', 'CapacityReached');
    expect(isTainted(await node('node-9'))).toBe(true);
    await guard.open();
    await updated('1.26.1', ['node-1', 'node-2', 'node-9']);
    await eventually(async () => !isTainted(await node('node-9')));
    expect(judge.boots().map(({ node: name }) => name)).toEqual(['node-1', 'node-9', 'node-2']);
    const steps = changes(history.versions, 'node-9', (seen) => `${seen.status.nodeInfo.osImage.split(' ')[2]} ${isTainted(seen)}`);
    expect(steps).toEqual(['1.26.0 true', '1.26.1 true', '1.26.1 false']);

    await patchPolicy({ schedule: { windows: [shutWindow()] } });
    await joins('node-8', 'aws-k8s-1.35');
    await phase('node-8', 'Staged', 'OutsideWindow');
    await eventually(async () => !isTainted(await node('node-8')));
    // It is behind, and its policy no longer has patience; the others' Kubernetes is too old for this control plane, and its is not.
    await patchPolicy({ patchDeadline: '1ms' });
    const of = async (name: string, type: string) => (await nodeUpdate(name)).conditions?.find((one) => one.type === type)?.reason;
    await eventually(async () => (await of('node-8', 'Overdue')) === 'PatchDeadlineExceeded');
    expect(await of('node-8', 'KubernetesSupported')).toBeUndefined();
    expect(await of('node-9', 'KubernetesSupported')).toBe('KubernetesTooOld');
    const said = async (type: string) => (await policy()).status?.conditions?.find((one) => one.type === type);
    const overdue = await eventually(async () => {
      const now = await said('Overdue');
      return now?.status === 'True' && now;
    });
    expect(overdue.message).toBe('behind for longer than 1ms: node-8');
    expect((await said('KubernetesSupported'))?.message).toMatch(/they must be replaced: node-1, node-2, node-9$/);
    const metrics = await (await fetch((await leader()).metricsUrl, { signal: AbortSignal.timeout(2_000) })).text();
    expect(metrics).toContain('lockkeeper_nodes_overdue{policy="fleet"} 1');
    await judge.invariants();
  }, 120_000);
});

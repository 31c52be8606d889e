import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../src/api/names.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const names = ['node-1', 'node-2', 'node-3'];

describe('a pin', () => {
  test("of a Node beats its NodeUpdate's, that the policy's annotation, and that the spec's", async () => {
    const { annotate, judge, machines, nodeUpdate, phase, refreshed, release, updated } = await start({
      nodes: 3,
      policy: { version: { pin: '1.26.1' }, rollout: { maxUnavailable: 2 } },
    });
    for (const version of ['1.26.1', '1.26.2', '1.26.3', '1.26.4', '1.27.0']) release(version);
    await updated('1.26.1');
    await refreshed(names);
    expect((await judge.orders()).map(({ version }) => version)).not.toContain('1.27.0');

    for (const name of ['node-2', 'node-3']) await annotate('nodeupdates', name, { [BY_HAND.pinVersion]: '1.26.3' });
    await annotate('nodes', 'node-3', { [BY_HAND.pinVersion]: '1.26.4' });
    await annotate('updatepolicies', 'fleet', { [BY_HAND.pinVersion]: '1.26.2' });
    const wanted = ['1.26.2', '1.26.3', '1.26.4'];
    await Promise.all(names.map((name, index) => updated(wanted[index] ?? '', [name])));
    await Promise.all(names.map((name) => phase(name, 'Idle', 'UpToDate')));
    await refreshed(names);
    expect(await Promise.all(names.map(async (name) => (await nodeUpdate(name)).target))).toEqual(wanted);
    // The version was chosen by a setting of the host, which is as it was.
    expect(machines.map(({ host }) => host.settings.updates?.['version-lock'])).toEqual(['latest', 'latest', 'latest']);
    await judge.invariants();
    expect(machines.map(({ host }) => host.os.version)).toEqual(wanted);
  }, 120_000);

  test('below the running version waits for allowDowngrade, and a range keeps out what it excludes', async () => {
    const { history, judge, machines, patchPolicy, phase, refreshed, release, updated } = await start({
      nodes: 2,
      policy: { version: { range: '>=1.26.0 <1.27.0' } },
    });
    const both = ['node-1', 'node-2'];
    release('1.27.0');
    release('1.26.1');
    await updated('1.26.1');
    await refreshed(both);
    expect((await judge.orders()).map(({ version }) => version)).not.toContain('1.27.0');

    await patchPolicy({ version: { range: '*', pin: '1.26.0' } });
    await Promise.all(both.map((name) => phase(name, 'Idle', 'DowngradeNotAllowed')));
    await refreshed(both);
    for (const name of both) expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false]);
    await patchPolicy({ version: { allowDowngrade: true } });
    await updated('1.26.0');
    expect(machines.map(({ host }) => [host.os.version, host.rebootCount])).toEqual([
      ['1.26.0', 2],
      ['1.26.0', 2],
    ]);

    await patchPolicy({ version: { pin: null } });
    await updated('1.27.0');
    await judge.invariants();
    expect(judge.mostUnavailable()).toBe(1);
  }, 120_000);
});

describe('a target', () => {
  test('is each variant and architecture its own, by the release that it sees', async () => {
    const kinds = [
      { variant: 'aws-k8s-1.31', arch: 'x86_64' },
      { variant: 'aws-k8s-1.31-nvidia', arch: 'x86_64' },
      { variant: 'aws-k8s-1.32-fips', arch: 'x86_64' },
      { variant: 'aws-k8s-1.31', arch: 'aarch64' },
    ] as const;
    const of = (index: number) => kinds[index % kinds.length]!;
    const { bed, eventually, history, judge, machines, policy, updated } = await start({
      nodes: 6,
      policy: { rollout: { maxUnavailable: 4 } },
      machine: (index) => ({ ...of(index), kubelet: { tooFastToNotice: index > 3 } }),
    });
    // A reboot of node-5 and node-6 is over before anybody sees them not ready: only the boot ID tells.
    const versions = ['1.26.1', '1.27.0', '1.28.0', '1.29.0'];
    for (const [index, kind] of kinds.entries()) bed.repository.releases.push({ ...kind, version: versions[index]! });
    await Promise.all(machines.map(({ name }, index) => updated(versions[index % kinds.length]!, [name])));
    await judge.invariants();
    await judge.onceEach(machines);
    for (const name of ['node-5', 'node-6']) expect(history.of(name).every(({ object }) => isReady(object))).toBe(true);
    expect(machines.map(({ host }) => host.os)).toMatchObject(
      machines.map((_, index) => ({ ...of(index), version: versions[index % kinds.length] })),
    );
    const told = kinds.map(({ variant }, index) => `${variant} ${versions[index]}: ${index < 2 ? 2 : 1}`);
    await eventually(async () => {
      const rollouts = (await policy()).status?.rollouts ?? [];
      expect(rollouts.map(({ variant, target, updated: count }) => `${variant} ${target}: ${count}`).sort()).toEqual(told.sort());
      return true;
    });
  }, 120_000);
});

describe('of two policies', () => {
  test('that with the higher priority has a node, and one that is deleted meanwhile gives its node back', async () => {
    const { bed, history, judge, machines, nodeUpdate, phase, policy, release, updated } = await start({
      nodes: 3,
      policy: { rollout: { maxUnavailable: 2 } },
      machine: (index) => ({ labels: index === 1 ? { tier: 'special' } : {} }),
    });
    const path = '/apis/lockkeeper.dev/v1alpha1/updatepolicies/special';
    await bed.client.apply({
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'UpdatePolicy',
      metadata: { name: 'special' },
      spec: {
        nodeSelector: { matchLabels: { tier: 'special' } },
        priority: 10,
        version: { pin: '1.26.1', refreshInterval: '1s' },
        rollout: { minReadySeconds: 0 },
      },
    });
    await bed.eventually(async () => (await nodeUpdate('node-2')).policy === 'special');
    const overlap = await bed.eventually(async () => {
      const told = (await policy()).status?.conditions?.find(({ type }) => type === 'Overlapped');
      return told?.status === 'True' && told.message;
    });
    expect(overlap).toMatch(/: special has node-2$/);
    const guard = await guardNode(bed, 'node-2');
    release('1.26.1');
    release('1.26.2');
    expect((await phase('node-2', 'Draining')).target).toBe('1.26.1');
    await updated('1.26.2', ['node-1', 'node-3']);
    expect(await bed.client.delete(path)).toBe(true);
    await bed.eventually(async () => (await nodeUpdate('node-2')).policy === 'fleet');
    await bed.eventually(() => changes(history.versions, 'node-2', isCordoned).length >= 3);
    expect(machines[1]?.host.rebootCount).toBe(0);
    expect((await phase('node-2', 'Draining')).target).toBe('1.26.2');
    expect((await judge.orders('node-2')).map(({ action, version }) => `${action} ${version ?? ''}`)).toEqual([
      'Stage 1.26.1',
      'Cancel ',
      'Stage 1.26.2',
    ]);
    await guard.open();
    await updated('1.26.2');
    await judge.invariants();
    await judge.onceEach(machines);
  }, 120_000);
});

const isReady = ({ status }: NodeObject): boolean => status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';

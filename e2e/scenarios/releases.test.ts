import { describe, expect, test } from '@jest/globals';
import { kindPath, NODE_HOST, UPDATE_POLICY } from '../../src/api/kinds.ts';
import type { UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import type { KubeObject } from '../bed/api.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { maxSeed } from '../host/repository.ts';
import { quickHost } from './fleet.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const names = ['node-1', 'node-2', 'node-3'];

describe('a release', () => {
  test('is taken when two nodes have known it for minAge, whoever leads then; what one agent announces is never taken', async () => {
    const fleet = await start({ nodes: 3, policy: { version: { minAge: '10s' }, rollout: { maxUnavailable: 2 } } });
    const { agent, bed, eventually, judge, leader, machines, nodeHost, phase, policy, release, updated } = fleet;
    const statuses = await bed.history<KubeObject & { status?: UpdatePolicyStatus }>(kindPath(UPDATE_POLICY));
    const firstSeen = async () => (await policy()).status?.releases?.find(({ version }) => version === '1.26.1')?.firstSeen;
    await eventually(async () => (await nodeHost('node-3')).status?.available !== undefined);
    const liar = agent('node-3');
    const token = await liar.token();
    await liar.hold();
    await bed.client
      .as({ token, userAgent: 'liar' })
      .patch(`${kindPath(NODE_HOST, 'node-3', 'status')}`, { status: { available: ['99.0.0', '1.26.1', '1.26.0'] } });

    release('1.26.1');
    const since = await eventually(firstSeen);
    const waiting = await phase('node-1', 'Idle', 'ReleaseTooYoung');
    expect(waiting.message).toContain(`1.26.1 was first seen at ${since} and is wanted from `);
    (await leader()).kill();
    await updated('1.26.1', ['node-1', 'node-2']);
    liar.release();
    await updated('1.26.1');

    expect(await firstSeen()).toBe(since);
    const orders = await judge.orders();
    expect(Math.min(...orders.map(({ at }) => at))).toBeGreaterThanOrEqual(Date.parse(since) + 10_000 - 1_000);
    expect(orders.filter(({ version }) => version === '99.0.0')).toEqual([]);
    const known = statuses.versions.flatMap(({ object }) => object.status?.releases ?? []);
    expect([...new Set(known.map(({ version }) => version))]).toEqual(['1.26.1']);
    await judge.invariants();
    await judge.onceEach(machines);
  }, 120_000);

  test('opens host by host: one that is not offered it waits and holds up nobody, unless the policy ignores waves', async () => {
    const fleet = await start({
      nodes: 3,
      policy: { version: { minAge: '0s' } },
      // Seed 0 sees every release at once; the others wait for their wave, a day from now.
      machine: (index) => ({ host: { timings: quickHost, seed: index === 0 ? maxSeed - 1 : 0 } }),
    });
    const { bed, history, judge, machines, nodeHost, patchPolicy, phase, refreshed, updated } = fleet;
    const day = 86_400_000;
    const waves = [{ bound: 0, at: new Date(Date.now() + day) }];
    const hidden = (version: string) => bed.repository.releases.push({ version, variant: 'aws-k8s-1.31', arch: 'x86_64', waves });
    hidden('1.26.1');
    await updated('1.26.1', ['node-2', 'node-3']);
    const { message } = await phase('node-1', 'Idle', 'WaveNotOpen');
    expect(message).toContain('other hosts are offered 1.26.1, this one is not yet');
    await refreshed(['node-1']);
    expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false]);

    await patchPolicy({ version: { ignoreWaves: true } });
    await updated('1.26.1');
    // Now its host is asked past its waves, too: it sees what nobody's wave has opened.
    waves[0] = { bound: -1, at: new Date(Date.now() + day) };
    hidden('1.27.0');
    await updated('1.27.0');
    await refreshed(names);
    for (const { name, host } of machines) {
      expect((await nodeHost(name)).status?.available).toContain('1.27.0');
      expect(host.settings.updates).toMatchObject({ 'version-lock': 'latest' });
    }
    await patchPolicy({ version: { ignoreWaves: false } });
    await bed.eventually(async () => {
      const hosts = await Promise.all(names.map((name) => nodeHost(name)));
      const settled = hosts.every(({ status }) => status?.savedSettings === undefined && !status?.available?.includes('1.27.0'));
      return settled && machines.every(({ host }) => host.settings.updates?.['ignore-waves'] === false);
    });
    await judge.invariants();
  }, 120_000);
});

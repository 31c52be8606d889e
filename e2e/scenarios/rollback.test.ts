import { expect, test } from '@jest/globals';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

test('a release that boots but never gets Ready on the canary: the canary goes back, the rollout halts, and nothing else is touched', async () => {
  const fleet = await start({
    nodes: 3,
    policy: {
      reboot: { timeout: '5s' },
      rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }] },
    },
    machine: (index) => ({
      labels: { ring: index === 0 ? 'canary' : 'rest' },
      kubelet: { neverReadyOn: ['1.26.1'] },
    }),
  });
  const { bed, eventually, history, judge, machines, nodeHost, nodeUpdate, phase, policy, refreshed, releaseInOrder, updated } = fleet;
  const others = ['node-2', 'node-3'];
  const settings = () => machines[0]?.host.settings.updates;
  const before = structuredClone(settings());

  await releaseInOrder('1.26.1');
  await phase('node-1', 'RollingBack');
  await phase('node-1', 'RolledBack', 'KnownBad');
  await updated('1.26.0', ['node-1']);
  await eventually(async () => (await nodeUpdate('node-2')).reason === 'Halted');
  await refreshed(['node-1', ...others]);

  expect(judge.boots().map(({ node, osImage }) => [node, osImage])).toEqual([
    ['node-1', 'Bottlerocket OS 1.26.1 (aws-k8s-1.31)'],
    ['node-1', 'Bottlerocket OS 1.26.0 (aws-k8s-1.31)'],
  ]);
  expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false, true, false]);
  for (const name of others) expect({ name, cordoned: changes(history.versions, name, isCordoned) }).toEqual({ name, cordoned: [false] });
  const orders = (await judge.orders('node-1')).map(({ action, version }) => `${action} ${version}`);
  expect(orders).toEqual(['Stage 1.26.1', 'Reboot 1.26.1', 'Stage 1.26.0', 'Reboot 1.26.0']);
  expect([settings(), (await nodeHost('node-1')).status.savedSettings]).toEqual([before, undefined]);

  const halted = (await policy()).status?.conditions?.find(({ type }) => type === 'Halted');
  expect(halted).toMatchObject({ status: 'True' });
  expect(halted?.message).toContain('node-1 (VerificationTimeout, 1.26.1)');
  await judge.invariants();

  // The command that the policy names has the rollout go on: with the nodes that the release has not failed on.
  const [, command = ''] = /to go on: kubectl (.*)$/.exec(halted?.message ?? '') ?? [];
  for (const { kubelet } of machines) kubelet.neverReadyOn = [];
  await bed.kubectl(...command.replace('$(date +%s)', '1').split(' '));
  await phase('node-2', 'Staged', 'GroupUntested');
  await fleet.annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/skip': '1' });
  await updated('1.26.1', others);
  await updated('1.26.0', ['node-1']);
  await judge.invariants();
}, 120_000);

test('the same with RollBack after three nodes: they go back one at a time, and the release is bad until a person clears it', async () => {
  const fleet = await start({
    nodes: 5,
    policy: { reboot: { timeout: '5s' }, rollout: { onExceeded: 'RollBack' } },
    machine: (index) => ({ kubelet: index === 3 ? { neverReadyOn: ['1.26.1'] } : {} }),
  });
  const { bed, history, judge, machines, patchPolicy, phase, policy, refreshed, releaseInOrder, updated } = fleet;
  const names = machines.map(({ name }) => name);
  const first = names.slice(0, 3);

  await releaseInOrder('1.26.1');
  await phase('node-4', 'RollingBack');
  await updated('1.26.1', first);
  // What says when holds no node that goes back.
  const excluded = { always: true, exclusions: [{ from: '2020-01-01T00:00:00Z', to: '2120-01-01T00:00:00Z' }] };
  await patchPolicy({ schedule: excluded, approval: 'Manual' });
  await Promise.all(first.map((name) => phase(name, 'RolledBack', 'KnownBad')));
  await updated('1.26.0');
  expect((await fleet.nodeUpdate('node-5')).reason).toBe('KnownBad');
  await refreshed(names);
  expect(names.map((name) => changes(history.versions, name, isCordoned).filter(Boolean).length)).toEqual([2, 2, 2, 1, 0]);
  expect(machines.map(({ host }) => host.rebootCount)).toEqual([2, 2, 2, 2, 0]);
  expect(judge.mostUnavailable()).toBe(1);
  const back = (await judge.claims()).map(({ claims }) => claims.map(({ node }) => node)).filter((nodes) => nodes.length > 1);
  expect(back).toEqual([]);

  const { status } = await policy();
  expect(status?.badReleases).toMatchObject([{ variant: 'aws-k8s-1.31', version: '1.26.1' }]);
  const halted = status?.conditions?.find(({ type }) => type === 'Halted');
  expect(halted?.message).toContain('node-4 (VerificationTimeout, 1.26.1)');

  // The command that it names, and no other, has it tried again; the machine that it failed on waits for a retry of its own.
  const [, command = ''] = /to go on with it: kubectl (.*)$/.exec(halted?.message ?? '') ?? [];
  for (const { kubelet } of machines) kubelet.neverReadyOn = [];
  await patchPolicy({ schedule: null, approval: 'Automatic' });
  await bed.kubectl(...command.replace('$(date +%s)', '1').split(' '));
  await updated('1.26.1', [...first, 'node-5']);
  await refreshed(names);
  expect((await policy()).status).not.toHaveProperty('badReleases');
  expect(machines.map(({ host }) => host.rebootCount)).toEqual([3, 3, 3, 2, 1]);
  await judge.invariants();
}, 120_000);

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
  expect(halted?.message).toContain('node-1 (VerificationTimeout)');
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

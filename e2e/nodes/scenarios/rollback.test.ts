import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { changes, isCordoned } from '../../bed/watch-history.ts';
import { isReady } from '../start-machine.ts';
import { realNodes } from '../suite.ts';
import { type RealFleet, startRealFleet } from './real-fleet.ts';

const suite = await realNodes();

suite('a release that breaks the network plugin', () => {
  let fleet: RealFleet;

  beforeAll(async () => {
    fleet = await startRealFleet({
      nodes: 2,
      controllersOn: 'infra',
      machine: { zone: 'eu-west-1a', noPodNetworkOn: ['1.26.1'] },
      policy: { approval: 'Manual', reboot: { timeout: '25s' } },
      values: { controller: { replicas: 1 } },
    });
  }, 300_000);

  afterAll(() => fleet?.stop(), 60_000);

  test('is taken back from the node that it reached, by the agent over the host’s network, and goes no further', async () => {
    const { approve, history, judge, machines, phase, releaseStaged, updated } = fleet;
    const settings = async () => (await machines[0]?.state())?.settings;
    const before = await settings();
    await releaseStaged('1.26.1');
    await approve('1.26.1');
    await phase('node-1', 'RollingBack');
    await updated('1.26.0', ['node-1']);
    await phase('node-1', 'RolledBack', 'KnownBad');
    await phase('node-2', 'Staged', 'Halted');

    const seen = history.of('node-1').map(({ object }) => ({ image: object.status.nodeInfo.osImage, ready: isReady(object) }));
    expect(seen.filter(({ image }) => image.includes('1.26.1')).map(({ ready }) => ready)).not.toContain(true);
    expect(judge.boots().map(({ node, osImage }) => [node, osImage])).toEqual([
      ['node-1', 'Bottlerocket OS 1.26.1 (aws-k8s-1.31)'],
      ['node-1', 'Bottlerocket OS 1.26.0 (aws-k8s-1.31)'],
    ]);
    expect((await judge.orders('node-1')).map(({ action, version }) => `${action} ${version}`)).toEqual([
      'Stage 1.26.1',
      'Reboot 1.26.1',
      'Stage 1.26.0',
      'Reboot 1.26.0',
    ]);
    expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false, true, false]);
    expect(changes(history.versions, 'node-2', isCordoned)).toEqual([false]);
    expect(await settings()).toEqual(before);
    await judge.invariants();
  }, 240_000);
});

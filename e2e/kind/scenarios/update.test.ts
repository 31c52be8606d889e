import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type KindFleet, startKindFleet } from '../kind-bed.ts';

describe('nodes of a kind cluster, whose reboot is a restart of their container', () => {
  let fleet: KindFleet;

  beforeAll(async () => {
    fleet = await startKindFleet();
  }, 1_800_000);

  afterAll(() => fleet?.stop(), 120_000);

  test('a release rolls over all nodes, one at a time', async () => {
    const { hosts, judge, release, updated } = fleet;
    release('1.26.1');
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(hosts);
    await judge.invariants();
  }, 1_000_000);

  test('a version that does not boot is not tried again, and the rollout halts', async () => {
    const { eventually, hosts, judge, nodeUpdate, release } = fleet;
    for (const { host } of hosts) host.faults.arm('bootFails');
    release('1.26.2');
    const phases = async () => (await Promise.all(hosts.map(({ name }) => nodeUpdate(name)))).map(({ phase }) => phase);
    await eventually(async () => (await phases()).includes('RolledBack'), { timeoutMs: 600_000, describe: phases });
    expect(judge.mostUnavailable()).toBe(1);
    await judge.invariants();
  }, 700_000);
});

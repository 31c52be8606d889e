import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubeObject } from '../../bed/api.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';
import { guardNode } from '../../scenarios/guarded-pod.ts';
import { chart } from '../../scenarios/helm.ts';
import { workloadImage } from '../images.ts';
import type { RealMachine } from '../machine.ts';
import { realNodes } from '../suite.ts';
import { exhaustAgentMemory } from './exhaust-memory.ts';
import type { Pod } from './pod-history.ts';
import { type RealFleet, startRealFleet } from './real-fleet.ts';

const suite = await realNodes();

suite('agents on real nodes', () => {
  let fleet: RealFleet;
  let pods: WatchHistory<Pod>;

  beforeAll(async () => {
    fleet = await startRealFleet({
      // Zones go one after the other.
      machine: { zone: 'eu-west-1a' },
      policy: { approval: 'Manual', rollout: { maxUnavailable: 2 } },
      values: { controller: { extraArgs: ['--retry-base=1s', '--retry-max=4s'] } },
    });
    pods = await fleet.bed.history<Pod>('/api/v1/namespaces/lockkeeper/pods');
  }, 300_000);

  afterAll(() => fleet?.stop(), 60_000);

  const agentOn = async ({ name }: RealMachine) =>
    (await fleet.podsOf('agent')).find(({ metadata, spec }) => spec.nodeName === name && metadata.deletionTimestamp === undefined) as Pod;
  const asked = async ({ host }: RealMachine, action: string) =>
    (await host.requests()).filter(({ path }) => path === `/actions/${action}`).length;
  /** How containers of a pod have ended so far. */
  const ends = ({ metadata }: Pod) => {
    const seen = pods.of(metadata.name).map(({ object }) => object.status?.containerStatuses?.[0]?.lastState?.terminated);
    return [...new Map(seen.map((end) => [end?.finishedAt, end])).values()].flatMap((end) => end ?? []);
  };
  /** The one where the controller leads comes last: it is the last to go. */
  const leaderLast = async () => {
    const { spec } = await fleet.leader();
    const last = fleet.machines.find(({ name }) => name === spec.nodeName);
    return [...fleet.machines.filter((machine) => machine !== last), last] as [RealMachine, RealMachine, RealMachine];
  };

  test('are found by helm test, whose Job runs from the image, as that of an upgrade does', async () => {
    await fleet.bed.helm('upgrade', 'lockkeeper', chart, '--namespace', 'lockkeeper', '--reuse-values');
    const phases = (await fleet.bed.helm('test', 'lockkeeper', '--namespace', 'lockkeeper')).match(/(?<=^Phase: +)\w+/gm);
    expect(phases).toEqual(phases?.map(() => 'Succeeded') ?? 'some');
  }, 120_000);

  test('wait for a socket that is not there, and are started again where it is dead', async () => {
    const judge = await fleet.judgeFromNow();
    const [absent, dead] = await leaderLast();
    await fleet.releaseStaged('1.26.1');
    await absent.host.removeSocket();
    await fleet.bed.client.delete(`/api/v1/namespaces/lockkeeper/pods/${(await agentOn(absent)).metadata.name}`);
    const agent = await agentOn(dead);
    // The host's API server is started again: what the container has mounted is its former socket.
    await dead.host.killSocket();
    await dead.host.reviveSocket();
    await fleet.phase(absent.name, 'Staged', 'AgentMissing');
    await fleet.approve('1.26.1');
    await fleet.eventually(async () => {
      const events = await fleet.bed.client.list<KubeObject & { message?: string }>('/api/v1/namespaces/lockkeeper/events');
      return events.some(({ message = '' }) => message.includes('/run/api.sock is not a socket file'));
    });
    await fleet.phase(dead.name, 'Rebooting', 'RebootOrdered');
    expect(await absent.rebootCount()).toBe(0);
    await absent.host.reviveSocket();
    await fleet.updated('1.26.1');
    expect(ends(agent).map(({ exitCode }) => exitCode)).toContain(1);
    await judge.onceEach(fleet.machines);
    await judge.invariants();
  }, 180_000);

  test('that hit their memory limit while the host downloads, and right after the fence, do nothing twice', async () => {
    const judge = await fleet.judgeFromNow();
    const [downloading, fenced] = await leaderLast();
    const outOfMemory = async (machine: RealMachine) => ends(await agentOn(machine)).filter(({ reason }) => reason === 'OOMKilled').length;
    const counts = (machine: RealMachine) =>
      Promise.all(['prepare-update', 'activate-update', 'reboot'].map((action) => asked(machine, action)));
    const before = await Promise.all([downloading, fenced].map(counts));
    await downloading.host.faults.arm('prepareHangs');
    await fenced.host.setTimings({ activateMs: 5_000 });
    await fleet.release('1.26.2');
    await fleet.eventually(async () => (await counts(downloading))[0] === before[0]![0]! + 1);
    await exhaustAgentMemory(downloading);
    await fleet.phase(fenced.name, 'Staged', 'AwaitingApproval');
    await fleet.approve('1.26.2');
    await fleet.eventually(async () => (await counts(fenced))[1] === before[1]![1]! + 1, { timeoutMs: 60_000 });
    expect((await fleet.nodeHost(fenced.name)).status?.answer?.state).toBe('RebootAsked');
    await exhaustAgentMemory(fenced);
    await fleet.eventually(async () => (await outOfMemory(downloading)) === 1 && (await outOfMemory(fenced)) === 1);
    // Its new life finds the host busy with what the former one had asked for.
    expect((await fleet.nodeUpdate(downloading.name)).phase).toBe('Staging');
    await downloading.host.release();
    await fleet.updated('1.26.2');
    for (const [index, machine] of [downloading, fenced].entries())
      expect(await counts(machine)).toEqual(before[index]!.map((count) => count + 1));
    await fenced.host.setTimings({ activateMs: 20 });
    await judge.onceEach(fleet.machines);
    await judge.invariants();
  }, 180_000);

  test('and the whole fleet, rebooted at once by somebody else while it is rolled over, end updated', async () => {
    const judge = await fleet.judgeFromNow();
    const [asking, draining, leading] = await leaderLast();
    const before = await Promise.all([asking, draining, leading].map((machine) => machine.rebootCount()));
    const guard = await guardNode(fleet.bed, draining.name, workloadImage);
    await asking.host.faults.arm('rebootHangs');
    await fleet.releaseStaged('1.26.3');
    const reboots = await asked(asking, 'reboot');
    await fleet.approve('1.26.3');
    await fleet.phase(draining.name, 'Draining');
    await fleet.eventually(async () => (await asked(asking, 'reboot')) > reboots, { timeoutMs: 60_000 });
    await fleet.phase(leading.name, 'Staged');
    await Promise.all(fleet.machines.map((machine) => machine.reboot()));
    await guard.open();
    await fleet.updated('1.26.3');
    const boots = await Promise.all([asking, draining, leading].map((machine) => machine.rebootCount()));
    expect(boots.map((count, index) => count - before[index]!)).toEqual([1, 2, 2]);
    expect((await judge.orders(asking.name)).map(({ action }) => action)).toEqual(['Stage', 'Reboot']);
    for (const { name } of [draining, leading]) {
      const orders = (await judge.orders(name)).map(({ action }) => action);
      expect(orders).toEqual(['Stage', 'Stage', 'Reboot']);
    }
    expect((await fleet.policy()).status?.rollouts?.flatMap(({ failed }) => failed)).toEqual([]);
    await judge.invariants();
  }, 180_000);
});

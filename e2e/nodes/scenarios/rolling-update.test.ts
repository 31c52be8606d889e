import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubeObject } from '../../bed/api.ts';
import { changes, isCordoned, type WatchHistory } from '../../bed/watch-history.ts';
import { realNodes } from '../suite.ts';
import { drainablePodsOn, endings, fewestServing, isServing, type Pod } from './pod-history.ts';
import { type RealFleet, startRealFleet } from './real-fleet.ts';
import { keepRequesting, type Served, type SteadyClient } from './steady-client.ts';
import { deafToSigterm, servedWorkload, slowToEnd, web } from './workloads.ts';

type Lease = KubeObject & { spec: { holderIdentity?: string } };

const suite = await realNodes();
const controllers = { 'app.kubernetes.io/component': 'controller' };

suite('the chart as it is, on three real nodes under load', () => {
  let fleet: RealFleet;
  let pods: WatchHistory<Pod>;
  let leases: WatchHistory<Lease>;
  let leader: Pod;
  let client: SteadyClient | undefined;
  let served: Served;

  beforeAll(async () => {
    // Not on the node that would be the last one anyway.
    fleet = await startRealFleet({ releases: ['1.26.1'], policy: 'chart', controllersOn: ['node-1', 'node-2'] });
    const { approve, bed, eventually, history, machines, phase, updated } = fleet;
    pods = await bed.history<Pod>('/api/v1/pods');
    leases = await bed.history<Lease>('/apis/coordination.k8s.io/v1/namespaces/lockkeeper/leases');
    await bed.client.apply(...servedWorkload(), slowToEnd('node-1', 20), deafToSigterm('node-2', 2));
    await eventually(async () => {
      const all = await bed.client.list<Pod>('/api/v1/namespaces/default/pods');
      return all.length === web.replicas + 2 && all.every(isServing);
    });
    await Promise.all(machines.map(({ name }) => phase(name, 'Staged', 'AwaitingApproval')));
    leader = await fleet.leader();

    client = keepRequesting({ network: bed.network, history, machines, nodePort: web.nodePort });
    await eventually(() => (client?.answered ?? 0) > 50);
    await approve('1.26.1');
    await updated('1.26.1');
    served = await client.stop();
  }, 400_000);

  afterAll(async () => {
    await client?.stop();
    await fleet?.stop();
  }, 60_000);

  test('each node is rebooted once, one at a time', async () => {
    const { judge, machines } = fleet;
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  });

  test("the leader's node goes last, when the other replica has taken over", () => {
    const { history, judge, machines } = fleet;
    const { name, nodeName = '' } = { ...leader.metadata, ...leader.spec };
    const boots = judge.boots().map(({ node }) => node);
    expect(boots).toHaveLength(machines.length);
    expect(boots.at(-1)).toBe(nodeName);
    const cordon = Number(history.of(nodeName).find(({ object }) => isCordoned(object))?.object.metadata.resourceVersion);
    const holders = changes(leases.versions, 'lockkeeper', ({ spec }) => spec.holderIdentity ?? '');
    const then = leases.of('lockkeeper').findLast(({ object }) => Number(object.metadata.resourceVersion) < cordon)?.object.spec;
    // Handed over once, by name, and not left to whoever comes first.
    expect(holders).toEqual([name, then?.holderIdentity]);
    expect(fewestServing(pods, controllers, 2)).toBe(1);
  });

  test('a client out of the cluster is served without a break', () => {
    const { requests, failed, pods: answering } = served;
    console.log(`${requests} requests during the rollout, ${failed.length} failed; ${answering.size} pods answered`);
    expect({ failed: failed.length, first: failed.slice(0, 10) }).toEqual({ failed: 0, first: [] });
    expect(requests).toBeGreaterThan(500);
    expect(answering.size).toBeGreaterThan(web.replicas);
  });

  test('the budget is never violated, and no pod is left on a node when its reboot is ordered', async () => {
    expect(fewestServing(pods, web.labels, web.replicas)).toBe(web.minAvailable);
    const reboots = (await fleet.judge.orders()).filter(({ action }) => action === 'Reboot');
    expect(reboots.map(({ node, resourceVersion }) => ({ node, left: drainablePodsOn(pods, node, resourceVersion) }))).toEqual(
      reboots.map(({ node }) => ({ node, left: [] })),
    );
    // Nor was one cut off by the reboot: each ended by itself.
    for (const ending of endings(pods).filter(({ pod }) => pod.startsWith('web-'))) expect(ending).toMatchObject({ exitCode: 0 });
  });

  test('a pod that needs 20 s to end is given them', () => {
    expect(endings(pods).filter(({ pod }) => pod === 'slow-0')).toEqual([
      { pod: 'slow-0', node: 'node-1', exitCode: 0, message: 'ended by itself, 20 s after it was told to' },
    ]);
  });

  test('a pod that does not end when it is told to is killed after its grace period, and holds nobody up', () => {
    expect(endings(pods).filter(({ pod }) => pod === 'deaf-0')).toEqual([
      { pod: 'deaf-0', node: 'node-2', exitCode: 137, message: undefined },
    ]);
  });
  test('one replica alone: its pod rides through the reboot of its own node, which goes last, and goes on', async () => {
    const { approve, bed, eventually, machines, patchPolicy, releaseStaged, updated } = fleet;
    for (const path of ['deployments/web', 'statefulsets/slow', 'statefulsets/deaf'])
      await bed.client.delete(`/apis/apps/v1/namespaces/default/${path}`);
    // Nobody needs its 20 s any more.
    await bed.client.delete('/api/v1/namespaces/default/pods/slow-0', { gracePeriodSeconds: 1 });
    // The one that stays is not on the node that would be the last one anyway.
    for (const { metadata, spec } of await fleet.podsOf('controller')) {
      const cost = spec.nodeName === 'node-3' ? '-1' : '0';
      await bed.kubectl(
        'annotate',
        'pod',
        metadata.name,
        '--namespace',
        'lockkeeper',
        `controller.kubernetes.io/pod-deletion-cost=${cost}`,
      );
    }
    await bed.installChart({ values: { controller: { replicas: 1 } } });
    await patchPolicy({ version: { refreshInterval: '1s' }, rollout: { minReadySeconds: 0 } });
    await eventually(async () => (await fleet.podsOf('controller')).length === 1);
    const only = await fleet.leader();
    await releaseStaged('1.26.2');
    const judge = await fleet.judgeFromNow();
    await approve('1.26.2');
    await updated('1.26.2');

    expect(judge.boots().at(-1)?.node).toBe(only.spec.nodeName);
    expect((await judge.evictions()).filter((pod) => pod.startsWith('lockkeeper/'))).toEqual([]);
    const [after] = await fleet.podsOf('controller');
    expect(after?.metadata.uid).toBe(only.metadata.uid);
    // The power was cut under it once.
    expect(restartsOf(after)).toBe(restartsOf(only) + 1);
    expect(judge.mostUnavailable()).toBe(1);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 300_000);
});

const restartsOf = (pod: Pod | undefined): number => pod?.status?.containerStatuses?.[0]?.restartCount ?? Number.NaN;

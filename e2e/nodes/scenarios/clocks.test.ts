import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubeObject } from '../../bed/api.ts';
import type { NodeObject } from '../../bed/node-object.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';
import { guardNode } from '../../scenarios/guarded-pod.ts';
import { cordonAnnotation } from '../../scenarios/judge.ts';
import { workloadImage } from '../images.ts';
import { fakeTimeLibrary } from '../requirements.ts';
import { realNodes } from '../suite.ts';
import { oldCertificate } from './old-certificate.ts';
import { type RealFleet, startRealFleet } from './real-fleet.ts';
import { withClocks } from './wrong-clocks.ts';

const suite = await realNodes((await fakeTimeLibrary()) === undefined ? ['libfaketime is missing: make bed-deps'] : []);
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** What each machine's clock is off by, in days. */
const days: Readonly<Record<string, number>> = { 'node-1': 1, 'node-2': -1, 'node-3': 3 };

suite('under clocks that are days off, each in its own way,', () => {
  let fleet: RealFleet;
  let leases: WatchHistory<KubeObject>;

  beforeAll(async () => {
    fleet = await startRealFleet({
      certificate: oldCertificate,
      install: withClocks(Object.fromEntries(Object.entries(days).map(([name, off]) => [name, `${off < 0 ? '' : '+'}${off}d`]))),
      policy: { approval: 'Manual', rollout: { minReadySeconds: 2 }, drain: { timeout: '8s' } },
      values: { controller: { extraArgs: ['--retry-base=1s', '--retry-max=4s'] } },
    });
    leases = await fleet.bed.history('/apis/coordination.k8s.io/v1/namespaces/lockkeeper/leases');
  }, 300_000);

  afterAll(() => fleet?.stop(), 60_000);

  test('a rollout ends, the Lease goes from one clock to another, and no deadline comes early, late or anew', async () => {
    const { approve, bed, eventually, judge, leader, machines, phase, podsOf, releaseStaged, updated } = fleet;
    await eventually(async () => {
      const pods = [...(await podsOf('agent')), ...(await podsOf('controller'))];
      expect(pods.length).toBe(machines.length + 2);
      for (const { metadata, spec } of pods) {
        const log = await bed.kubectl('--namespace', 'lockkeeper', 'logs', metadata.name);
        const offsetMs = Number(/"clockOffsetMs":(-?\d+)/.exec(log)?.[1]);
        expect(Math.round(-offsetMs / dayMs)).toBe(days[spec.nodeName ?? '']);
      }
      return true;
    });
    const { metadata, spec } = await leader();
    const [blocked] = machines.filter(({ name }) => name !== spec.nodeName);
    const guard = await guardNode(bed, blocked!.name, workloadImage);
    await releaseStaged('1.26.1');
    await approve('1.26.1');
    await phase(blocked!.name, 'Draining');
    await bed.client.delete(`/api/v1/namespaces/lockkeeper/pods/${metadata.name}`);
    expect((await leader(metadata.name)).spec.nodeName).not.toBe(spec.nodeName);
    await phase(blocked!.name, 'Blocked', 'DrainTimeout');
    await guard.open();
    await updated('1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();

    const patches = await bed.audit.find({ verb: 'patch', resource: 'nodes', name: blocked!.name, user: 'lockkeeper-controller' });
    const cordons = patches.flatMap(({ requestObject, responseObject, stageTimestamp }) => {
      const { unschedulable } = (requestObject as { spec?: { unschedulable?: boolean | null } }).spec ?? {};
      const record = (responseObject as NodeObject).metadata.annotations?.[cordonAnnotation];
      return unschedulable === undefined ? [] : [{ at: Date.parse(stageTimestamp), record: record && JSON.parse(record) }];
    });
    const [cordon, uncordon] = cordons;
    expect(Date.parse(cordon?.record.drainDeadline)).toBeGreaterThanOrEqual(cordon!.at + 6_000);
    expect(uncordon?.record).toBeUndefined();
    // The server's answers tell its time in seconds: a difference of 1.5 s is not corrected.
    expect(uncordon!.at).toBeGreaterThanOrEqual(Date.parse(cordon?.record.drainDeadline) - 2_000);
  }, 180_000);

  test('every time that our programs write is the true one', async () => {
    const { audit, client } = fleet.bed;
    const off: { what: string; text: string }[] = [];
    let seen = 0;
    const look = (what: string, written: unknown, at: number) => {
      for (const [text] of JSON.stringify(written).matchAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g)) {
        seen += 1;
        if (Math.abs(Date.parse(text) - at) > hourMs) off.push({ what, text });
      }
    };
    for (const { objectRef, requestObject, stageTimestamp, verb } of await audit.find({ user: 'system:serviceaccount:lockkeeper:' }))
      if (requestObject !== undefined) look(`${verb} ${objectRef?.resource}/${objectRef?.name}`, requestObject, Date.parse(stageTimestamp));
    for (const { object, at } of leases.versions) look('lease', (object as KubeObject & { spec: object }).spec, at);
    for (const event of await client.list<KubeObject & { source?: object; reportingComponent?: string }>('/api/v1/events'))
      if (JSON.stringify([event.source, event.reportingComponent]).includes('lockkeeper')) look('event', event, Date.now());
    expect(off).toEqual([]);
    expect(seen).toBeGreaterThan(30);
  });
});

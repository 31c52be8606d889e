import { describe, expect, test } from '@jest/globals';
import type { PodObject } from '../bed/pod-object.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const pods = '/api/v1/namespaces/default/pods';

describe('a pod that was evicted', () => {
  test('and takes seven days to end holds up its node alone, evicted once; one that reappears elsewhere under its name holds up nobody', async () => {
    const { bed, eventually, history, judge, phase, releaseInOrder, updated } = await start({
      nodes: 2,
      policy: { drain: { timeout: '3s' } },
    });
    const { client } = bed;
    await client.apply(deployment('week', 'node-1'), statefulSet('same', 'node-2'));
    const [slow] = await eventually(async () => {
      const found = await client.list<PodObject>(pods, { labelSelector: 'app=week' });
      return found.every(isReady) && found.length === 1 && found;
    });
    const same = await eventually(async () => {
      const pod = await client.find<PodObject>(`${pods}/same-0`);
      return pod !== undefined && isReady(pod) && pod.spec.nodeName === 'node-2' && pod;
    });
    await releaseInOrder('1.26.1');

    expect((await phase('node-1', 'Blocked', 'DrainTimeout')).message).toContain(slow!.metadata.name);
    await updated('1.26.1', ['node-2']);
    const reappeared = await client.get<PodObject>(`${pods}/same-0`);
    expect(reappeared.metadata.uid).not.toBe(same.metadata.uid);
    expect(reappeared.metadata.deletionTimestamp).toBeUndefined();

    // It is drained again, and once more, and the pod that ends already is only waited for.
    await eventually(() => changes(history.versions, 'node-1', isCordoned).filter(Boolean).length >= 2);
    await client.delete(`${pods}/${slow!.metadata.name}`, { gracePeriodSeconds: 0 });
    await updated('1.26.1');
    const evictions = await bed.audit.find({ verb: 'create', subresource: 'eviction' });
    const codes = (name: string) =>
      evictions.filter(({ objectRef }) => objectRef?.name === name).map(({ responseStatus }) => responseStatus?.code);
    expect({ slow: codes(slow!.metadata.name), same: codes('same-0') }).toEqual({ slow: [201], same: [201] });
    expect(judge.mostUnavailable()).toBe(1);
    await judge.invariants();
  }, 120_000);
});

const isReady = ({ status }: PodObject): boolean =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;

/** One pod that prefers a node to the controller's, and has seven days to end. */
function deployment(name: string, node: string): object {
  const days = 7 * 24 * 3600;
  const annotations = { 'bed.lockkeeper.dev/terminates-after': '168h' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: workload(name, node, days, annotations),
  };
}

/** One pod that prefers a node to the controller's, and comes again under its name. */
function statefulSet(name: string, node: string): object {
  const spec = { ...workload(name, node, 1), serviceName: name };
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name, namespace: 'default' }, spec };
}

function workload(name: string, node: string, terminationGracePeriodSeconds: number, annotations: Record<string, string> = {}) {
  const labels = { app: name };
  const preference = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] };
  const either = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node, 'infra'] }] };
  const nodeAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [either] },
    preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }],
  };
  const affinity = { nodeAffinity };
  const spec = { terminationGracePeriodSeconds, affinity, containers: [{ name: 'main', image: 'none' }] };
  return { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels, annotations }, spec } };
}

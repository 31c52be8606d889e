import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NodeObject } from '../../bed/node-object.ts';
import { isCordoned } from '../../bed/watch-history.ts';
import { realNodes } from '../suite.ts';
import type { Pod } from './pod-history.ts';
import { type RealFleet, startRealFleet } from './real-fleet.ts';
import { daemon } from './workloads.ts';

const suite = await realNodes();
const name = 'node-1';

suite('DaemonSets on a real node that reboots', () => {
  let fleet: RealFleet;

  beforeAll(async () => {
    fleet = await startRealFleet({ nodes: 1, controllersOn: 'infra' });
  }, 300_000);

  afterAll(() => fleet?.stop(), 60_000);

  test('run again when the node is uncordoned, not only by what was reported of them before the reboot', async () => {
    const { bed, eventually, history, judge, release, updated } = fleet;
    await bed.client.apply(daemon(name));
    const pods = await bed.history<Pod>('/api/v1/pods', { fieldSelector: `spec.nodeName=${name}` });
    await eventually(() => podsWhen(undefined).filter(({ ready }) => ready).length === 2);
    await release('1.26.1');
    await updated('1.26.1');

    const versions = history.of(name);
    const cordoned = versions.find(({ object }) => isCordoned(object));
    const lastCordoned = versions.findLastIndex(({ object }) => isCordoned(object));
    const before = podsWhen(cordoned?.object);
    const after = podsWhen(versions[lastCordoned + 1]?.object);
    expect(before.map(({ pod }) => pod)).toHaveLength(2);
    expect(after.map(({ pod, ready }) => ({ pod, ready }))).toEqual(before.map(({ pod }) => ({ pod, ready: true })));
    for (const { pod, container } of before) expect(after).not.toContainEqual(expect.objectContaining({ pod, container }));
    await judge.invariants();

    /** Pods of DaemonSets as they were when the node was written; one store counts the versions of all objects. */
    function podsWhen(node: NodeObject | undefined) {
      const last = new Map<string, Pod>();
      for (const { object } of pods.versions) {
        if (node !== undefined && Number(object.metadata.resourceVersion) > Number(node.metadata.resourceVersion)) break;
        if (object.metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet')) last.set(object.metadata.name, object);
      }
      return [...last].sort().map(([pod, { status }]) => {
        const [container] = status?.containerStatuses ?? [];
        return { pod, ready: container?.ready ?? false, container: container?.containerID ?? '' };
      });
    }
  }, 120_000);
});

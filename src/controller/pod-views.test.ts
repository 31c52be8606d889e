import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../kube/testing/fake-clock.ts';
import { PodViews } from './pod-views.ts';
import { type ClusterBed, clusterBed } from './testing/bed.ts';
import { putPod } from './testing/objects.ts';

let bed: ClusterBed;
let views: PodViews;
let changes: string[];
beforeEach(async () => {
  bed = await clusterBed();
  changes = [];
  views = new PodViews(bed.deps, (node) => changes.push(node));
});
afterEach(async () => {
  await views.stop();
  await bed.close();
});

const names = (node: string) =>
  views
    .snapshot()
    .get(node)
    ?.map(({ name }) => name)
    .sort();

describe('the pods of nodes', () => {
  test('are seen only of those that are wanted, once they were listed', async () => {
    putPod(bed.cluster, 'p1', 'a');
    putPod(bed.cluster, 'p2', 'a');
    putPod(bed.cluster, 'p3', 'b');
    views.want(['a', 'empty']);
    expect(views.snapshot().size).toBe(0);
    await eventually(() => views.snapshot().size === 2);
    expect([names('a'), names('empty'), names('b')]).toEqual([['p1', 'p2'], [], undefined]);
    expect(bed.cluster.asked.map(({ query }) => query.get('fieldSelector'))).toEqual(
      expect.arrayContaining(['spec.nodeName=a', 'spec.nodeName=empty']),
    );
  });

  test('are listed from the memory of the API server, which has an index of nodes', async () => {
    putPod(bed.cluster, 'p1', 'a');
    views.want(['a']);
    await eventually(() => views.snapshot().size === 1);
    expect(bed.cluster.asked[0]!.query.get('resourceVersion')).toBe('0');
  });

  test('are told of once they were listed, and at each change after', async () => {
    putPod(bed.cluster, 'p1', 'a');
    views.want(['a']);
    await eventually(() => changes.length > 0);
    expect(changes).toEqual(['a']);
    await eventually(() => bed.cluster.watches('pods') === 1);
    putPod(bed.cluster, 'p2', 'a');
    await eventually(() => changes.length > 1);
    bed.cluster.patch('pods', 'p2', { metadata: { managedFields: [] } }, 'shop');
    bed.cluster.remove('pods', 'p1', 'shop');
    await eventually(() => names('a')?.length === 1);
    expect(changes).toEqual(['a', 'a', 'a']);
  });

  test('are watched once, however often they are wanted, and no more when they are not', async () => {
    for (let index = 0; index < 3; index += 1) views.want(['a', 'b']);
    await eventually(() => bed.cluster.watches('pods') === 2);
    views.want(['b']);
    await eventually(() => bed.cluster.watches('pods') === 1);
    expect([...views.snapshot().keys()]).toEqual(['b']);
    await views.stop();
    await eventually(() => bed.cluster.watches('pods') === 0);
    expect(views.snapshot().size).toBe(0);
    expect(bed.cluster.asked.filter(({ query }) => query.get('watch') === null)).toHaveLength(2);
  });

  test('may be given up before they were ever listed', async () => {
    bed.cluster.fault = () => 'hang';
    views.want(['a']);
    await eventually(() => bed.cluster.asked.length === 1);
    await views.stop();
    expect(changes).toEqual([]);
  });

  test('are listed afresh on demand, whatever the watch shows', async () => {
    putPod(bed.cluster, 'p1', 'a');
    const pods = await views.list('a', AbortSignal.timeout(10_000));
    expect(pods.map(({ name }) => name)).toEqual(['p1']);
    const { query } = bed.cluster.asked[0]!;
    expect([query.get('resourceVersion'), query.get('limit')]).toEqual([null, '0']);
  });
});

import { expect, test } from '@jest/globals';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const group = (name: string, node: string) => ({ name, nodeSelector: { matchLabels: { 'kubernetes.io/hostname': node } } });
const except = (node: string) => ({ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'NotIn', values: [node] }] });

test('a policy edited in the middle of a rollout: what is in flight finishes under it, and all others go by the new spec at once', async () => {
  const fleet = await start({ nodes: 6, policy: { rollout: { groups: [group('first', 'node-1'), group('second', 'node-2')] } } });
  const { bed, eventually, history, judge, machines, nodeUpdate, patchPolicy, phase, policy, refreshed, releaseInOrder, updated } = fleet;
  const names = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];
  const guards = new Map(await Promise.all(names.map(async (name) => [name, await guardNode(bed, name)] as const)));
  const held = async () => ((await policy()).status?.claims ?? []).map(({ node }) => node).sort();
  /** Waits until a staged node says that it waits for a group. */
  const waitsFor = (name: string, group: string) =>
    eventually(async () => (await nodeUpdate(name)).message === `waits for the node of group ${group}: groups go one after the other`, {
      describe: () => nodeUpdate(name),
    });
  const observed = () =>
    eventually(async () => {
      const { metadata, status } = await policy();
      return status?.observedGeneration === metadata.generation;
    });
  await releaseInOrder('1.26.1');
  await phase('node-1', 'Draining');
  await waitsFor('node-3', 'first');

  // The node in flight is no longer selected, its group has become the last, and there is room for two more.
  await patchPolicy({
    nodeSelector: except('node-1'),
    rollout: { maxUnavailable: 3, groups: [group('second', 'node-2'), group('third', 'node-3'), group('first', 'node-1')] },
  });
  await phase('node-2', 'Draining');
  await waitsFor('node-3', 'second');
  await guards.get('node-2')?.open();
  await phase('node-3', 'Draining');
  await guards.get('node-3')?.open();
  await updated('1.26.1', ['node-2', 'node-3']);
  // Its old group waits for it, wherever it now stands.
  await waitsFor('node-4', 'first');
  expect(await held()).toEqual(['node-1']);
  await patchPolicy({ rollout: { groups: [] } });
  await Promise.all(['node-4', 'node-5'].map((name) => phase(name, 'Draining')));
  expect(await held()).toEqual(['node-1', 'node-4', 'node-5']);
  expect(isCordoned(await fleet.node('node-1'))).toBe(true);

  // Less room than there is in flight: nobody is taken back, nobody is begun.
  await patchPolicy({ rollout: { maxUnavailable: 1 } });
  await observed();
  await guards.get('node-1')?.open();
  await updated('1.26.1', ['node-1']);
  expect((await phase('node-1', 'Idle', 'NoPolicy')).policy).toBeUndefined();
  await guards.get('node-4')?.open();
  await updated('1.26.1', ['node-4']);
  await refreshed(['node-6']);
  await phase('node-6', 'Staged', 'CapacityReached');
  await guards.get('node-5')?.open();
  await updated('1.26.1');
  const spans = await judge.spans();
  const last = spans.find(({ node }) => node === 'node-6');
  expect(spans).toHaveLength(6);
  for (const { node, to } of spans)
    if (node !== 'node-6') expect({ node, before: to <= (last?.from ?? 0) }).toEqual({ node, before: true });
  for (const { name } of machines) expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false]);
  await judge.invariants();
  await judge.onceEach(machines);
}, 120_000);

import { describe, expect, test } from '@jest/globals';
import { isDaemonSetPod, planDrain } from './drain-plan.ts';
import { aDaemonSetPod, aPod } from './testing/builders.ts';
import type { PodView } from './world.ts';

const { controller: _, ...bare } = aPod('bare');
const naked = (change: Partial<PodView> = {}): PodView => ({ ...bare, ...change });
const owned = (kind: string, apiVersion = 'apps/v1'): Partial<PodView> => ({ controller: { kind, apiVersion, name: 'owner' } });

const lenient = { deleteEmptyDirData: true, force: true };
const strict = { deleteEmptyDirData: false, force: false };
const usual = { deleteEmptyDirData: true, force: false };

const NAKED = 'cannot evict pods that no controller would create again (drain.force allows it): shop/';
const EMPTY_DIR = 'cannot evict pods with an emptyDir, whose data would be lost (drain.deleteEmptyDirData allows it): shop/';

/** What becomes of one pod, in a word. */
function fate(pod: PodView, settings: typeof usual): string {
  const { evict, waitFor, leave, errors } = planDrain([pod], settings);
  const fates = [...evict.map(() => 'evict'), ...waitFor.map(() => 'wait'), ...leave.map(({ reason }) => reason), ...errors];
  expect(fates).toHaveLength(1);
  return fates[0] as string;
}

describe('planDrain, pod by pod', () => {
  test.each<[string, PodView, typeof usual, string]>([
    ['ReplicaSet', aPod('a'), usual, 'evict'],
    ['ReplicaSet, force', aPod('a'), lenient, 'evict'],
    ['ReplicationController', aPod('a', owned('ReplicationController', 'v1')), usual, 'evict'],
    ['Job', aPod('a', owned('Job', 'batch/v1')), usual, 'evict'],
    ['StatefulSet', aPod('a', owned('StatefulSet')), usual, 'evict'],
    ['a controller of somebody’s own', aPod('a', owned('CloneSet', 'apps.kruise.io/v1alpha1')), usual, 'evict'],
    ['DaemonSet', aDaemonSetPod('a'), usual, 'DaemonSet'],
    ['DaemonSet, force', aDaemonSetPod('a'), lenient, 'DaemonSet'],
    ['DaemonSet with an emptyDir', aDaemonSetPod('a', { emptyDir: true }), strict, 'DaemonSet'],
    ['DaemonSet, not ready', aDaemonSetPod('a', { ready: false }), usual, 'DaemonSet'],
    ['DaemonSet, terminating', aDaemonSetPod('a', { terminating: true }), usual, 'DaemonSet'],
    ['DaemonSet, finished', aDaemonSetPod('a', { phase: 'Failed', ready: false }), usual, 'evict'],
    ['a DaemonSet of another API group is no DaemonSet', aPod('a', owned('DaemonSet', 'apps.kruise.io/v1alpha1')), usual, 'evict'],
    ['mirror', naked({ mirror: true }), strict, 'MirrorPod'],
    ['mirror, finished', naked({ mirror: true, phase: 'Succeeded' }), usual, 'MirrorPod'],
    ['mirror with an emptyDir', naked({ mirror: true, emptyDir: true }), strict, 'MirrorPod'],
    ['naked', naked(), usual, `${NAKED}bare`],
    ['naked, force', naked(), lenient, 'evict'],
    ['naked, Succeeded', naked({ phase: 'Succeeded' }), usual, 'evict'],
    ['naked, Failed', naked({ phase: 'Failed' }), usual, 'evict'],
    ['naked, pending', naked({ phase: 'Pending', ready: false }), usual, `${NAKED}bare`],
    ['naked, terminating', naked({ terminating: true }), usual, 'wait'],
    ['emptyDir', aPod('a', { emptyDir: true }), usual, 'evict'],
    ['emptyDir, not allowed', aPod('a', { emptyDir: true }), strict, `${EMPTY_DIR}a`],
    ['emptyDir, not allowed, finished', aPod('a', { emptyDir: true, phase: 'Succeeded' }), strict, 'evict'],
    ['emptyDir, not allowed, terminating', aPod('a', { emptyDir: true, terminating: true }), strict, 'wait'],
    ['naked with an emptyDir: the first reason', naked({ emptyDir: true }), strict, `${EMPTY_DIR}bare`],
    ['naked with an emptyDir, which may be lost', naked({ emptyDir: true }), usual, `${NAKED}bare`],
    ['crash-looping', aPod('a', { ready: false }), usual, 'evict'],
    ['terminating', aPod('a', { terminating: true }), usual, 'wait'],
  ])('%s', (_name, pod, settings, expected) => {
    expect(fate(pod, settings)).toBe(expected);
  });
});

describe('planDrain', () => {
  test('an empty node has nothing to drain', () => {
    expect(planDrain([], usual)).toEqual({ evict: [], waitFor: [], leave: [], errors: [] });
  });

  test('reports all errors together, grouped by reason, in order of names', () => {
    const pods = [naked({ name: 'z' }), aPod('c', { emptyDir: true }), naked({ name: 'a' }), aPod('web')];
    const { errors, evict } = planDrain(pods, strict);
    expect(errors).toEqual([`${NAKED}a, shop/z`, `${EMPTY_DIR}c`]);
    expect(evict.map(({ name }) => name)).toEqual(['web']);
  });

  test('the controller’s own pod rides through where nobody else could act, whatever it is', () => {
    const own = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'n1' };
    const pod = naked({ namespace: 'lockkeeper', name: 'lockkeeper-0', emptyDir: true });
    expect(planDrain([pod], strict, own).leave).toEqual([{ pod, reason: 'RidesThrough' }]);
    expect(planDrain([{ ...pod, namespace: 'other' }], strict, own).errors).toHaveLength(1);
    expect(planDrain([{ ...pod, terminating: true }], strict, own).waitFor).toHaveLength(1);
  });

  test('does not reorder what it was given', () => {
    const pods = [aPod('b'), aPod('a')];
    planDrain(pods, usual);
    expect(pods.map(({ name }) => name)).toEqual(['b', 'a']);
  });
});

describe('isDaemonSetPod', () => {
  test.each([
    [aDaemonSetPod('a'), true],
    [aPod('a'), false],
    [naked(), false],
  ])('%#', (pod, expected) => {
    expect(isDaemonSetPod(pod)).toBe(expected);
  });
});

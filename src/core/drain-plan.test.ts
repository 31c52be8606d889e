import { describe, expect, test } from '@jest/globals';
import { isDaemonSetPod, planDrain } from './drain-plan.ts';
import type { DrainContext, DrainSettings } from './drain-settings.ts';
import { aDaemonSetPod, aDrainContext, ago, aPod, MINUTE, NOW } from './testing/builders.ts';
import type { PodView } from './world.ts';

const { controller: _, ...bare } = aPod('bare');
const naked = (change: Partial<PodView> = {}): PodView => ({ ...bare, ...change });
const owned = (kind: string, apiVersion = 'apps/v1'): Partial<PodView> => ({ controller: { kind, apiVersion, name: 'owner' } });

const lenient = { deleteEmptyDirData: true, force: true, respectDoNotDisrupt: true };
const strict = { deleteEmptyDirData: false, force: false, respectDoNotDisrupt: true };
const usual = { deleteEmptyDirData: true, force: false, respectDoNotDisrupt: true };
const context = aDrainContext({ daemonSets: new Set(['kube-system/cni', 'default/ds']) });

const NAKED = 'cannot evict pods that no controller would create again (drain.force allows it): shop/';
const EMPTY_DIR = 'cannot evict pods with an emptyDir, whose data would be lost (drain.deleteEmptyDirData allows it): shop/';

/** What becomes of one pod, in a word. */
function fate(pod: PodView, settings: DrainSettings, change: Partial<DrainContext> = {}): string {
  const { evict, waitFor, leave, errors } = planDrain([pod], settings, { ...context, ...change });
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

/** kubectl's own table (`pkg/cmd/drain/drain_test.go`), case by case under its name; ours always ignores DaemonSets' pods. */
describe('kubectl drain’s cases', () => {
  const bar = (kind: string | undefined, apiVersion: string, name: string, change: Partial<PodView> = {}): PodView => ({
    ...bare,
    namespace: 'default',
    name: 'bar',
    ...(kind !== undefined && { controller: { kind, apiVersion, name } }),
    ...change,
  });
  const rc = bar('ReplicationController', 'v1', 'rc');
  const ds = bar('DaemonSet', 'apps/v1', 'ds');
  const orphan = bar('DaemonSet', 'apps/v1', 'missing-ds');
  const job = bar('Job', 'batch/v1', 'job', { emptyDir: true });
  const nobodys = bar(undefined, '', '');
  const scratch = { ...nobodys, emptyDir: true };
  const finished = { phase: 'Failed', ready: false };
  const force = { ...strict, force: true };

  test.each<[string, PodView, DrainSettings, string]>([
    ['RC-managed pod', rc, strict, 'evict'],
    ['DS-managed pod', ds, strict, 'DaemonSet'],
    ['DS-managed terminated pod', { ...ds, ...finished }, strict, 'evict'],
    ['orphaned DS-managed pod', orphan, strict, 'cannot evict pods whose DaemonSet is gone (drain.force allows it): default/bar'],
    ['orphaned DS-managed pod with --force', orphan, force, 'evict'],
    ['DS-managed pod with --ignore-daemonsets', ds, strict, 'DaemonSet'],
    ['DS-managed pod with emptyDir with --ignore-daemonsets', { ...ds, emptyDir: true }, strict, 'DaemonSet'],
    ['Job-managed pod with local storage', job, lenient, 'evict'],
    ['Job-managed terminated pod', { ...job, ...finished }, strict, 'evict'],
    ['RS-managed pod', bar('ReplicaSet', 'apps/v1', 'rs'), strict, 'evict'],
    ['naked pod', nobodys, strict, 'cannot evict pods that no controller would create again (drain.force allows it): default/bar'],
    ['naked pod with --force', nobodys, force, 'evict'],
    [
      'pod with EmptyDir',
      scratch,
      force,
      'cannot evict pods with an emptyDir, whose data would be lost (drain.deleteEmptyDirData allows it): default/bar',
    ],
    ['terminated pod with emptyDir', { ...scratch, ...finished }, strict, 'evict'],
    ['pod with EmptyDir and --delete-emptydir-data', scratch, lenient, 'evict'],
  ])('%s', (_name, pod, settings, expected) => {
    expect(fate(pod, settings)).toBe(expected);
  });

  test('empty node', () => {
    expect(planDrain([], strict, context)).toEqual({ evict: [], later: [], waitFor: [], leave: [], errors: [], barred: [], lost: [] });
  });

  test('the warning of --force: what is lost is named', () => {
    expect(planDrain([nobodys, rc, { ...nobodys, ...finished }], force, context).lost).toEqual([nobodys]);
  });
});

describe('planDrain, where it goes further than kubectl', () => {
  const settings = (change: Partial<DrainSettings>) => ({ ...usual, ...change });
  const sevenDays = { terminating: true, goneBy: ago(-7 * 24 * 60 * MINUTE) };
  const stuck = (minutes: number) => ({ terminating: true, goneBy: ago(minutes * MINUTE) });
  const skip = settings({ skipWaitForDeleteMs: 5 * MINUTE });
  const left = settings({
    leaveToReboot: [{ namespaces: ['other'] }, { namespaces: ['shop'], selector: { matchLabels: { app: 'cache' } } }],
  });
  const cache = aPod('a', { labels: { app: 'cache' } });
  const undisturbed = aPod('a', { doNotDisrupt: 'karpenter.sh/do-not-disrupt' });
  const once = { evictedOnce: [{ controller: 'shop/ReplicaSet/web', pods: ['uid-before'] }] };
  const tolerant = aPod('a', { toleratesCordon: true });

  test.each<[string, PodView, DrainSettings, string, Partial<DrainContext>?]>([
    ['skip deleted: past its time for longer than that', aPod('a', stuck(6)), skip, 'TerminatingForLong'],
    ['skip deleted: not for longer', aPod('a', stuck(5)), skip, 'wait'],
    ['skip deleted: nobody asked for it', aPod('a', stuck(600)), usual, 'wait'],
    ['skip deleted: not deleted at all', aPod('a', { goneBy: ago(600 * MINUTE) }), skip, 'evict'],
    ['skip deleted: a naked pod is left, too', naked(stuck(6)), { ...strict, skipWaitForDeleteMs: 1 }, 'TerminatingForLong'],
    ['terminating with a 7-day grace', aPod('a', sevenDays), skip, 'wait'],
    ['leaveToReboot', cache, left, 'LeftToReboot'],
    ['leaveToReboot, of another app', aPod('a'), left, 'evict'],
    ['leaveToReboot, of another namespace', aPod('a', { namespace: 'shop2', labels: { app: 'cache' } }), left, 'evict'],
    ['leaveToReboot, a whole namespace', aPod('a', { namespace: 'other' }), left, 'LeftToReboot'],
    [
      'leaveToReboot wins over what would forbid it',
      naked({ labels: { app: 'cache' }, emptyDir: true }),
      { ...left, ...strict },
      'LeftToReboot',
    ],
    ['leaveToReboot of what is terminating', { ...cache, ...sevenDays }, left, 'LeftToReboot'],
    ['leaveToReboot of what has finished', { ...cache, phase: 'Succeeded' }, left, 'evict'],
    [
      'do-not-disrupt',
      undisturbed,
      usual,
      'cannot evict pods whose owner asks not to be disrupted (annotation karpenter.sh/do-not-disrupt; drain.respectDoNotDisrupt): shop/a',
    ],
    ['do-not-disrupt, not respected', undisturbed, settings({ respectDoNotDisrupt: false }), 'evict'],
    ['do-not-disrupt, finished', { ...undisturbed, phase: 'Succeeded' }, usual, 'evict'],
    ['do-not-disrupt, terminating', { ...undisturbed, terminating: true }, usual, 'wait'],
    ['do-not-disrupt, of a DaemonSet', aDaemonSetPod('a', { doNotDisrupt: 'karpenter.sh/do-not-disrupt' }), usual, 'DaemonSet'],
    ['do-not-disrupt, left by name', { ...undisturbed, ...cache }, left, 'LeftToReboot'],
    ['tolerates the cordon', tolerant, usual, 'evict'],
    ['mode None', naked({ emptyDir: true, terminating: true }), { ...strict, mode: 'None' }, 'NotDrained'],
    ['tolerates the cordon, evicted under this name', { ...tolerant, uid: 'uid-before' }, usual, 'evict', once],
    ['tolerates the cordon, in the place of one that was evicted', tolerant, usual, 'CameBack', once],
    ['tolerates the cordon, in that place, terminating', { ...tolerant, terminating: true }, usual, 'wait', once],
    ['in the place of one that was evicted, but bound by somebody’s hand', aPod('a'), usual, 'evict', once],
    ['tolerates the cordon, of another controller', { ...tolerant, ...owned('StatefulSet') }, usual, 'evict', once],
  ])('%s', (_name, pod, how, expected, change = {}) => {
    expect(fate(pod, how, change)).toBe(expected);
  });

  test('says when a terminating pod is no longer waited for', () => {
    expect(planDrain([aPod('a', stuck(3)), aPod('b', stuck(2)), aPod('c')], skip, context).until).toBe(NOW + 2 * MINUTE + 1);
    expect(planDrain([aPod('a', { ...stuck(3) })], skip, { ...context, now: NOW + 2 * MINUTE + 1 }).leave).toHaveLength(1);
  });
});

describe('the order', () => {
  const self = { namespace: 'shop', pod: 'own', node: 'n1' };
  const own = aPod('own', { critical: 'cluster' });
  const dns = aPod('dns', { critical: 'cluster' });
  const proxy = aPod('proxy', { critical: 'node' });
  const web = aPod('web');
  const names = (pods: readonly PodView[]) => pods.map(({ name }) => name).join(' ');

  test.each<[string, PodView[], string, string]>([
    ['ordinary pods first', [proxy, own, dns, web], 'web', 'dns own proxy'],
    ['then system-cluster-critical', [proxy, own, dns], 'dns', 'own proxy'],
    ['then system-node-critical', [own, proxy], 'proxy', 'own'],
    ['the controller’s own last', [own], 'own', ''],
    ['none before those of an earlier turn are gone', [dns, aPod('slow', { terminating: true })], '', 'dns'],
    ['none waits for those of a later turn', [web, aPod('slow', { terminating: true, critical: 'node' })], 'web', ''],
    ['none waits for what is left', [dns, aDaemonSetPod('cni')], 'dns', ''],
  ])('%s', (_name, pods, now, later) => {
    const plan = planDrain(pods, usual, { ...context, self });
    expect([names(plan.evict), names(plan.later)]).toEqual([now, later]);
  });
});

describe('planDrain', () => {
  test('reports all errors together, grouped by reason, in order of names', () => {
    const pods = [naked({ name: 'z' }), aPod('c', { emptyDir: true }), naked({ name: 'a' }), aPod('web')];
    const { errors, evict } = planDrain(pods, strict, context);
    expect(errors).toEqual([`${NAKED}a, shop/z`, `${EMPTY_DIR}c`]);
    expect(evict.map(({ name }) => name)).toEqual(['web']);
  });

  test('the controller’s own pod rides through where nobody else could act, whatever it is', () => {
    const ridesThrough = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'n1' };
    const riding = { ...context, ridesThrough };
    const pod = naked({ namespace: 'lockkeeper', name: 'lockkeeper-0', emptyDir: true });
    expect(planDrain([pod], strict, riding).leave).toEqual([{ pod, reason: 'RidesThrough' }]);
    expect(planDrain([{ ...pod, namespace: 'other' }], strict, riding).errors).toHaveLength(1);
    expect(planDrain([{ ...pod, terminating: true }], strict, riding).waitFor).toHaveLength(1);
  });

  test('does not reorder what it was given', () => {
    const pods = [aPod('b'), aPod('a')];
    planDrain(pods, usual, context);
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

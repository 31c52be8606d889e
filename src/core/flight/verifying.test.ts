import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { aDaemonSetPod, aFlight, ago, aHost, aNode, aPod, aRecord, inFlightNode, MINUTE, NEW, NOW, OLD } from '../testing/builders.ts';
import type { NodeView, PodView, World } from '../world.ts';
import { verifying } from './verifying.ts';

const SECOND = 1_000;
const back = { bootID: 'boot-2', os: { ...aNode('n1').os!, version: NEW }, host: aHost({ version: NEW }) };
const since = (milliseconds: number, status = true) => ({ ready: { status, since: ago(milliseconds) } });
const withDaemonSet = { record: aRecord('n1', { readyDaemonSets: ['kube-system/cni'] }) };
const ranBefore = { record: aRecord('n1', { readyDaemonSets: ['kube-system/cni'], daemonSetContainers: ['c0', 'c1'] }) };

function step(node: Partial<NodeView> = {}, status: NodeUpdateStatus = {}, world: Partial<World> = {}) {
  const before = { phase: 'Verifying' as const, since: ago(10 * SECOND), deadlines: { verify: ago(-MINUTE) }, ...status };
  return verifying(aFlight(inFlightNode('n1', before, { ...back, ...node }), {}, world));
}
const on = (...pods: PodView[]) => ({ pods: new Map([['n1', pods]]) });

describe('verifying', () => {
  test.each<[string, Partial<NodeView>, NodeUpdateStatus, Partial<World>, string, string]>([
    ['all holds', {}, {}, {}, 'Idle', 'UpToDate'],
    ['just begun: not long enough', {}, { phase: 'Rebooting' }, {}, 'Verifying', 'for 10 s'],
    ['not Ready', since(MINUTE, false), {}, {}, 'Verifying', 'waits for the node to be Ready'],
    ['Ready, not long enough', since(9 * SECOND), {}, {}, 'Verifying', 'for 10 s'],
    ['Ready since before: counts from the boot that was seen', since(MINUTE), { since: ago(9 * SECOND) }, {}, 'Verifying', 'for 10 s'],
    ['no wait wanted', { ...since(0), record: aRecord('n1', { minReadySeconds: 0 }) }, { since: ago(0) }, {}, 'Idle', 'UpToDate'],
    ['its pods are not listed yet', withDaemonSet, {}, { pods: new Map() }, 'Verifying', 'lists the pods'],
    ['a DaemonSet’s pod is not Ready', withDaemonSet, {}, on(aDaemonSetPod('cni-1', { ready: false })), 'Verifying', 'kube-system/cni-1'],
    ['a DaemonSet’s pod is Ready', withDaemonSet, {}, on(aDaemonSetPod('cni-1')), 'Idle', 'UpToDate'],
    [
      'a DaemonSet’s pod still looks as before the reboot',
      ranBefore,
      {},
      on(aDaemonSetPod('cni-1', { containers: 'c1' })),
      'Verifying',
      'kube-system/cni-1',
    ],
    ['a DaemonSet’s pod is Ready with new containers', ranBefore, {}, on(aDaemonSetPod('cni-1', { containers: 'c2' })), 'Idle', 'UpToDate'],
    ['a pod of a DaemonSet that was not Ready before', {}, {}, on(aDaemonSetPod('cni-1', { ready: false })), 'Idle', 'UpToDate'],
    [
      'a DaemonSet’s pod is being replaced',
      withDaemonSet,
      {},
      on(aDaemonSetPod('cni-1', { ready: false, terminating: true }), aDaemonSetPod('cni-2')),
      'Idle',
      'UpToDate',
    ],
    ['other pods are not waited for', withDaemonSet, {}, on(aPod('web', { ready: false }), aDaemonSetPod('cni-1')), 'Idle', 'UpToDate'],
    [
      'not Ready until the deadline',
      since(MINUTE, false),
      { deadlines: { verify: ago(0) } },
      {},
      'Failed',
      'waits for the node to be Ready',
    ],
    [
      'its pods are not listed yet, at the deadline',
      withDaemonSet,
      { deadlines: { verify: ago(MINUTE) } },
      { pods: new Map() },
      'Verifying',
      'lists the pods',
    ],
    [
      'a DaemonSet’s pod is Ready when they are listed, after the deadline',
      withDaemonSet,
      { deadlines: { verify: ago(MINUTE) } },
      on(aDaemonSetPod('cni-1')),
      'Idle',
      'UpToDate',
    ],
    ['all holds at the deadline', {}, { deadlines: { verify: ago(0) } }, {}, 'Idle', 'UpToDate'],
    ['the host rolled back', { os: { ...back.os, version: OLD } }, {}, {}, 'RolledBack', 'came back with 1.26.0'],
    ['the host runs something else', { os: { ...back.os, version: '9.9.9' } }, {}, {}, 'RolledBack', 'came back with 9.9.9'],
    ['the host runs another OS', { os: undefined as never }, {}, {}, 'RolledBack', 'another OS'],
  ])('%s', (_name, node, status, world, phase, words) => {
    const after = step(node, status, world).status;
    expect(after.phase).toBe(phase);
    expect(`${after.reason} ${after.message}`).toContain(words);
  });

  test('has a deadline of its own, which a crash does not restart', () => {
    expect(step(since(0), { phase: 'Rebooting' }).status.deadlines).toEqual({ drain: ago(-29 * MINUTE), verify: ago(-15 * MINUTE) });
    expect(step(since(0)).status.deadlines?.verify).toBe(ago(-MINUTE));
    expect(step(since(0), { phase: 'Failed' }).status.deadlines?.verify).toBe(ago(-15 * MINUTE));
  });

  test('wakes when it is Ready for long enough, or at the deadline', () => {
    expect(step(since(9 * SECOND)).until).toBe(NOW + SECOND);
    expect(step(since(MINUTE, false)).until).toBe(NOW + MINUTE);
  });

  test('wakes when the pods are listed, where the deadline is over', () => {
    const { until, lookAt } = step(withDaemonSet, { deadlines: { verify: ago(MINUTE) } }, { pods: new Map() });
    expect({ until, lookAt }).toEqual({ until: undefined, lookAt: true });
  });

  test('keeps the cordon until all holds', () => {
    expect(step({ unschedulable: false, ...since(0) }).commands).toEqual([{ type: 'CordonAgain' }]);
  });

  test('a timeout is a failure, and keeps cordon and slot', () => {
    const { status, commands } = step(since(MINUTE, false), { deadlines: { verify: ago(0) } });
    expect(status).toMatchObject({ reason: 'VerificationTimeout', failures: [{ target: NEW, bootID: 'boot-2', readySince: ago(MINUTE) }] });
    expect(commands).toEqual([]);
  });

  test('success forgives an earlier failure of the target, and is remembered', () => {
    const failures = [NEW, OLD].map((target) => ({
      target,
      at: ago(MINUTE),
      reason: 'RebootTimeout',
      bootID: 'boot-1',
      readySince: ago(MINUTE),
    }));
    const { status, commands } = step({}, { failures, attempts: 2, behindSince: ago(MINUTE) });
    expect(commands).toEqual([
      { type: 'Uncordon', record: aRecord('n1') },
      { type: 'WriteStatus', status },
    ]);
    expect(status.failures?.map(({ target }) => target)).toEqual([OLD]);
    expect(status.history).toEqual([{ from: OLD, to: NEW, startedAt: ago(MINUTE), finishedAt: ago(0), outcome: 'Updated' }]);
    for (const key of ['claim', 'attempts', 'behindSince', 'deadlines', 'bootIDBefore']) expect(status).not.toHaveProperty(key);
  });
});

import { describe, expect, test } from '@jest/globals';
import type { CordonRecord } from '../../api/cordon-record.ts';
import type { NodeHostStatus, Order } from '../../api/node-host.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import {
  aDaemonSetPod,
  aFlight,
  ago,
  aHost,
  aNode,
  anAnswer,
  aPod,
  aRecord,
  HOUR,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
  OLD,
  proof,
} from '../testing/builders.ts';
import type { NodeView, World } from '../world.ts';
import { advance } from './advance.ts';
import type { Flight } from './flight.ts';

const running = (version: string) => ({ os: { ...aNode('n1').os!, version } });
const notReady = { ready: { status: false, since: ago(20 * MINUTE) } };
const rollback = (at: string): Partial<CordonRecord> => ({ rollback: { at, bootID: 'boot-2' } });
const record = aRecord('n1', rollback(ago(MINUTE)));
const stage: Order = { id: 'claim-n1.back-boot-2.stage-1', action: 'Stage', version: OLD, ignoreWaves: true };
const reboot: Order = { id: 'claim-n1.back-boot-2.reboot', action: 'Reboot', version: OLD, bootID: 'boot-2' };
const cancel: Order = { id: 'claim-n1.back-boot-2.cancel', action: 'Cancel' };
const failure = {
  target: NEW,
  at: ago(MINUTE),
  reason: 'VerificationTimeout',
  message: 'did not get ready',
  bootID: 'boot-2',
  readySince: ago(20 * MINUTE),
};
const host = (order?: Order, status: NodeHostStatus = {}) => aHost({ version: NEW, bootID: 'boot-2', ...status }, order);
const staged = { staged: proof(OLD) };
const answered = (order: Order, state: 'Running' | 'RebootAsked' | 'Done' | 'Failed' | 'Unsupported', status: NodeHostStatus = {}) =>
  host(order, { ...status, answer: anAnswer(order.id, state, state === 'Failed' ? 'RefreshFailed' : undefined) });

const onTarget: Partial<NodeView> = { bootID: 'boot-2', ...running(NEW), ...notReady, record, host: host() };
const isBack: Partial<NodeView> = {
  bootID: 'boot-3',
  ...running(OLD),
  ready: { status: true, since: ago(MINUTE) },
  host: aHost({ bootID: 'boot-3' }, reboot),
};

function step(node: Partial<NodeView> = {}, status: NodeUpdateStatus = {}, world: Partial<World> = {}, change: Partial<Flight> = {}) {
  const before = { phase: 'RollingBack' as const, since: ago(MINUTE), failures: [failure], ...status };
  return advance(aFlight(inFlightNode('n1', before, { ...onTarget, ...node }), change, world));
}
const types = ({ commands }: { commands: readonly { type: string }[] }) => commands.map(({ type }) => type);
const verifying = (node: Partial<NodeView> = {}, change: Partial<Flight> = {}) =>
  step(
    { record: aRecord('n1'), ...node },
    { phase: 'Verifying', since: ago(15 * MINUTE), failures: [], deadlines: { verify: ago(1) } },
    {},
    change,
  );

describe('a node that is not Ready at the deadline', () => {
  test('is taken back: the failure is persisted before its record says so', () => {
    const result = verifying();
    expect([result.status.phase, types(result)]).toEqual(['RollingBack', ['WriteStatus', 'UpdateRecord']]);
    expect(result.status).toMatchObject({
      reason: 'RollingBack',
      failures: [{ target: NEW, reason: 'VerificationTimeout', bootID: 'boot-2' }],
    });
    expect(result.commands[1]).toMatchObject({ record: { from: OLD, target: NEW, bootID: 'boot-1', rollback: { bootID: 'boot-2' } } });
  });

  test.each<[string, Partial<NodeView>, Partial<Flight>, string]>([
    ['its agent has answered under this boot', {}, {}, 'RollingBack'],
    ['its agent’s pod counts as missing, for the node is not Ready', { agent: 'missing' }, {}, 'RollingBack'],
    ['its agent has not answered under this boot', { host: aHost() }, {}, 'Failed'],
    ['its policy is gone', {}, { orphaned: true }, 'Failed'],
    ['it was only rebooted', { record: aRecord('n1', { from: NEW }) }, {}, 'Failed'],
  ])('%s: %#', (_name, node, change, phase) => {
    expect(verifying(node, change).status.phase).toBe(phase);
  });

  test('with a DaemonSet not back on a Ready node: only where its agent’s pod is there', () => {
    const waits = { ready: { status: true, since: ago(HOUR) }, record: aRecord('n1', { readyDaemonSets: ['kube-system/cni'] }) };
    const world = { pods: new Map([['n1', [aDaemonSetPod('cni-1', { ready: false })]]]) };
    const late = { phase: 'Verifying' as const, since: ago(15 * MINUTE), deadlines: { verify: ago(1) } };
    expect(step(waits, late, world).status.phase).toBe('RollingBack');
    expect(step({ ...waits, agent: 'missing' }, late, world).status.phase).toBe('Failed');
  });
});

describe('on its way back', () => {
  test.each<[string, Partial<NodeView>, NodeUpdateStatus, string, string, string[]]>([
    ['its record does not say so yet', { record: aRecord('n1') }, {}, 'RollingBack', '', ['UpdateRecord']],
    ['nothing ordered', {}, {}, 'RollingBack', 'downloads 1.26.0', ['Order']],
    [
      'an order of the way there lies in the letterbox',
      { host: host({ ...reboot, id: 'claim-n1.reboot' }) },
      {},
      'RollingBack',
      'downloads',
      ['Order'],
    ],
    ['downloading', { host: answered(stage, 'Running') }, {}, 'RollingBack', 'downloads 1.26.0', []],
    ['downloaded, and not proven any more', { host: answered(stage, 'Done') }, {}, 'RollingBack', 'tried again', []],
    ['the download failed', { host: answered(stage, 'Failed') }, {}, 'RollingBack', 'RefreshFailed', []],
    [
      'the download failed, and its wait is over',
      { host: answered(stage, 'Failed') },
      { failedOrder: stage.id, attempts: 1, retryAt: ago(1) },
      'RollingBack',
      'downloads',
      ['Order'],
    ],
    ['an agent that knows no Stage', { host: answered(stage, 'Unsupported') }, {}, 'Failed', 'upgrade the agents', []],
    [
      'not staged within 30 minutes',
      { record: aRecord('n1', rollback(ago(31 * MINUTE))), host: answered(stage, 'Running') },
      {},
      'Failed',
      '30 minutes',
      [],
    ],
    ['staged', { host: answered(stage, 'Done', staged) }, {}, 'RollingBack', 'activate 1.26.0', ['OrderReboot']],
    [
      'staged by another order than its own',
      { host: host({ ...stage, id: 'stage-1.26.0-x' }, staged) },
      {},
      'RollingBack',
      'downloads',
      ['Order'],
    ],
    ['ordered', { host: host(reboot, staged) }, {}, 'RollingBack', 'activate', []],
    ['asked', { host: answered(reboot, 'RebootAsked', staged) }, {}, 'RollingBack', 'was asked to reboot', []],
    [
      'asked, and never rebooted',
      { host: answered(reboot, 'RebootAsked') },
      { deadlines: { reboot: ago(1) } },
      'Failed',
      'no other boot',
      [],
    ],
    ['refused', { host: answered(reboot, 'Failed', staged) }, {}, 'Failed', 'could not boot 1.26.0', []],
    [
      'it came back with what failed',
      { bootID: 'boot-3', host: answered(reboot, 'RebootAsked') },
      {},
      'Failed',
      'came back with 1.26.1',
      [],
    ],
    [
      'it rebooted by itself into what failed',
      { bootID: 'boot-3', host: host(stage, { bootID: 'boot-3' }) },
      {},
      'RollingBack',
      'rebooted by itself',
      ['WriteStatus', 'UpdateRecord'],
    ],
    ['back, just now', { ...isBack, ready: { status: true, since: ago(1) } }, {}, 'RollingBack', 'Ready for 10 s', []],
    ['back, and not Ready', { ...isBack, ...notReady }, {}, 'RollingBack', 'to be Ready', []],
    ['back, and not Ready in time', { ...isBack, ...notReady }, { deadlines: { verify: ago(1) } }, 'Failed', 'runs 1.26.0 again', []],
    [
      'back, and well',
      isBack,
      { deadlines: { verify: ago(-14 * MINUTE) } },
      'RolledBack',
      'was taken back to 1.26.0',
      ['WriteStatus', 'Uncordon', 'WriteStatus'],
    ],
    ['somebody uncordoned it', { unschedulable: false, host: answered(stage, 'Running') }, {}, 'RollingBack', 'downloads', ['CordonAgain']],
    ['cancelled', { host: host(cancel) }, {}, 'Idle', '', ['Uncordon', 'WriteStatus']],
  ])('%s', (_name, node, status, phase, message, commands) => {
    const result = step(node, status);
    expect({ phase: result.status.phase, commands: types(result) }).toEqual({ phase, commands });
    expect(result.status.message ?? '').toContain(message);
  });

  test('pods that have come are evicted before the reboot is ordered', () => {
    const result = step({ host: answered(stage, 'Done', staged) }, {}, { pods: new Map([['n1', [aPod('web-1')]]]) });
    expect([types(result), result.drain?.evict.map(({ name }) => name)]).toEqual([[], ['web-1']]);
  });

  test('the reboot is ordered for the boot that runs now, under an id of its own', () => {
    const { commands } = step({ host: answered(stage, 'Done', staged) });
    expect(commands[0]).toMatchObject({ order: reboot, status: { phase: 'RollingBack', deadlines: { reboot: ago(-15 * MINUTE) } } });
  });

  test('what ran under the failed boot does not count as back', () => {
    const lost = aRecord('n1', {
      readyDaemonSets: ['kube-system/cni'],
      rollback: { at: ago(MINUTE), bootID: 'boot-2', daemonSetContainers: ['c2'] },
    });
    const on = (containers: string) => ({ pods: new Map([['n1', [aDaemonSetPod('cni-1', { containers })]]]) });
    const status = { deadlines: { verify: ago(-14 * MINUTE) } };
    expect(step({ ...isBack, record: lost }, status, on('c2')).status.phase).toBe('RollingBack');
    expect(step({ ...isBack, record: lost }, status, on('c3')).status.phase).toBe('RolledBack');
  });

  test('its policy is gone: taken back before the reboot was asked, finished after it', () => {
    const gone = { orphaned: true };
    const early = step({ host: host(stage) }, {}, {}, gone);
    expect([early.status.phase, types(early)]).toEqual(['Uncordoning', ['WriteStatus', 'Order']]);
    expect(early.commands[1]).toMatchObject({ order: cancel });
    expect(step({ host: answered(reboot, 'RebootAsked') }, {}, {}, gone).status).toMatchObject({
      phase: 'RollingBack',
      reason: 'RebootAsked',
    });
  });

  test('given back, it has failed on what it was updated to, and its history says so', () => {
    const { status } = step(isBack, { deadlines: { verify: ago(-14 * MINUTE) } });
    expect(status).toMatchObject({ reason: 'RolledBack', failures: [failure], history: [{ from: OLD, to: NEW, outcome: 'RolledBack' }] });
    expect(status).not.toHaveProperty('claim');
  });
});

describe('failed on its way back', () => {
  const fails = (node: Partial<NodeView>, change: Partial<Flight> = {}) =>
    step(node, { phase: 'Failed', failures: [{ ...failure, reason: 'RollbackFailed' }] }, {}, change);
  const retried = { retried: true, tokens: { retry: 'now' } };
  const ready = { ready: { status: true, since: ago(MINUTE) } };

  test.each<[string, Partial<NodeView>, Partial<Flight>, string, string[]]>([
    ['no news', {}, {}, 'Failed', []],
    ['Ready after all: verified, once no reboot can follow', { ...ready, host: host(reboot) }, {}, 'Verifying', ['Order', 'UpdateRecord']],
    ['Ready after all, while its host may still reboot', { ...ready, host: answered(reboot, 'RebootAsked') }, {}, 'Failed', []],
    ['a retry: verified', { host: host(stage) }, retried, 'Verifying', ['Order', 'UpdateRecord']],
    ['a retry while its host may still reboot', { host: answered(reboot, 'RebootAsked') }, retried, 'Failed', []],
    ['it comes back with the old version after all', isBack, {}, 'RollingBack', []],
    ['it comes back with what failed, Ready', { ...isBack, ...running(NEW) }, {}, 'Verifying', ['UpdateRecord']],
    ['a person uncordoned it', { unschedulable: false, host: host(reboot) }, {}, 'RolledBack', ['Order', 'Uncordon', 'WriteStatus']],
  ])('%s', (_name, node, change, phase, commands) => {
    const result = fails(node, change);
    expect([result.status.phase, types(result)]).toEqual([phase, commands]);
  });

  test('verified again, its record is that of the way there', () => {
    const [order, update] = fails({ ...ready, host: host(reboot) }).commands;
    expect([order, update]).toEqual([
      { type: 'Order', order: cancel },
      { type: 'UpdateRecord', record: aRecord('n1') },
    ]);
  });
});

test('a host that will not boot what it ran before is not rebooted over and over', () => {
  const again = { record: aRecord('n1'), bootID: 'boot-3', host: host(undefined, { bootID: 'boot-3' }) };
  const status = { phase: 'Verifying' as const, since: ago(15 * MINUTE), deadlines: { verify: ago(1) } };
  const failures = [{ ...failure, reason: 'RollbackFailed' }];
  const stopped = step(again, { ...status, failures });
  expect([stopped.status.phase, stopped.status.reason, types(stopped)]).toEqual(['Failed', 'RollbackFailed', []]);
  expect(stopped.status.failures).toMatchObject([{ reason: 'RollbackFailed', bootID: 'boot-3' }]);
  const retried = step(again, { ...status, failures }, {}, { retried: true, tokens: { retry: 'now' } });
  expect(retried.status.phase).toBe('RollingBack');
});

test('is steady', () => {
  const node = { host: answered(stage, 'Failed') };
  const first = step(node).status;
  expect(step(node, {}, {}, { now: NOW + 1_000, status: first }).status).toEqual(first);
});

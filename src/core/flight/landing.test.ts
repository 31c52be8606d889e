import { describe, expect, test } from '@jest/globals';
import type { HookPosition, HookStatus, RecordedHook } from '../../api/hook.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import {
  aFlight,
  ago,
  aHost,
  aNode,
  anAnswer,
  aPod,
  aRecord,
  cancelOrder,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
  OLD,
  proof,
  rebootOrder,
} from '../testing/builders.ts';
import { type JobView, type NodeView, timestamp, type World } from '../world.ts';
import { advance } from './advance.ts';
import type { Flight } from './flight.ts';

const hook = (at: HookPosition): RecordedHook => ({ at, namespace: 'db', name: at.toLowerCase(), timeoutMs: 10 * MINUTE });
const hooks = [hook('BeforeDrain'), hook('BeforeReboot'), hook('AfterReboot'), hook('Finally')];
const record = aRecord('n1', { hooks, readyDaemonSets: [] });
const job = (index: number, attempt = '') => `db/lockkeeper-claim-n1-${index}${attempt}`;
const active: JobView = { state: 'Active', createdAt: ago(MINUTE) };
const failed: JobView = { state: 'Failed', timedOut: false, message: 'BackoffLimitExceeded' };

/** Statuses of the four hooks. */
const said = (...outcomes: HookStatus['outcome'][]): HookStatus[] =>
  hooks.map(({ at }, index) => ({
    at,
    job: job(index),
    outcome: outcomes[index] ?? 'Pending',
    ...(outcomes[index] === 'Running' && { deadline: ago(-MINUTE) }),
  }));

function step(
  status: NodeUpdateStatus,
  node: Partial<NodeView> = {},
  jobs: Record<string, JobView> = {},
  change: Partial<Flight> = {},
  world: Partial<World> = {},
) {
  const view = inFlightNode('n1', { hooks: said(), ...status }, { record, host: aHost({ staged: proof() }), ...node });
  return advance(aFlight(view, change, { hookNamespaces: ['db'], jobs: new Map(Object.entries(jobs)), ...world }));
}

const did = ({ commands }: { commands: readonly { type: string; hook?: { at: string } }[] }) =>
  commands.map(({ type, hook: run }) => (run === undefined ? type : `${type} ${run.at}`));
const outcomes = ({ hooks: list }: NodeUpdateStatus) => list?.map(({ outcome }) => outcome);
const booted = { bootID: 'boot-2', os: { ...aNode('n1').os!, version: NEW }, host: aHost({ version: NEW, bootID: 'boot-2' }) };
const cancelledHost = { host: aHost({ staged: proof() }, cancelOrder('n1')) };
const verified = { phase: 'Verifying', since: ago(MINUTE), deadlines: { verify: ago(-20 * MINUTE) } } as const;

describe('hooks BeforeDrain', () => {
  test('run on the cordoned node before anything is evicted', () => {
    const seen = step({ phase: 'Draining' }, {}, {}, {}, { pods: new Map([['n1', [aPod('web')]]]) });
    expect(seen).toMatchObject({
      status: { phase: 'Draining', reason: 'HookRunning' },
      lookAt: true,
      jobs: [{ name: 'lockkeeper-claim-n1-0' }],
    });
    expect(seen.drain).toBeUndefined();
    expect(did(seen)).toEqual(['WriteStatus', 'RunHook BeforeDrain']);
  });

  test('cordon again what somebody uncordons meanwhile', () => {
    expect(did(step({ phase: 'Draining' }, { unschedulable: false }, { [job(0)]: active }))).toEqual(['CordonAgain']);
  });

  test('that have succeeded let the pods be evicted', () => {
    const seen = step({ phase: 'Draining' }, {}, { [job(0)]: { state: 'Succeeded' } }, {}, { pods: new Map([['n1', [aPod('web')]]]) });
    expect(seen.drain?.evict).toHaveLength(1);
    expect(outcomes(seen.status)).toEqual(['Succeeded', 'Pending', 'Pending', 'Pending']);
  });

  test('that fail have the node given back: a Cancel, the hooks Finally, the uncordon, Blocked', () => {
    const first = step({ phase: 'Draining' }, {}, { [job(0)]: failed });
    expect(first.status).toMatchObject({ phase: 'Uncordoning', next: 'Blocked', reason: 'HookFailed', attempts: 1 });
    expect(first.status.message).toContain(`kubectl logs -n db job/lockkeeper-claim-n1-0`);
    expect(did(first)).toEqual(['WriteStatus', 'Order']);
    const second = step(first.status, cancelledHost);
    expect(second.status).toMatchObject({
      phase: 'Uncordoning',
      next: 'Blocked',
      reason: 'HookRunning',
      because: { reason: 'HookFailed' },
    });
    expect(did(second)).toEqual(['WriteStatus', 'RunHook Finally']);
    const third = step(second.status, cancelledHost, { [job(3)]: { state: 'Succeeded' } });
    expect(third.status).toMatchObject({ phase: 'Blocked', reason: 'HookFailed', retryAt: first.status.retryAt, attempts: 1 });
    expect(third.status).not.toHaveProperty('because');
    expect(third.status.message).toBe(first.status.message);
    expect(outcomes(third.status)).toEqual(['Failed', 'Pending', 'Pending', 'Succeeded']);
    expect(did(third)).toEqual(['Uncordon', 'WriteStatus']);
  });
});

describe('hooks BeforeReboot', () => {
  const drained = { phase: 'Draining', hooks: said('Succeeded') } as const;

  test('wait for the last pod', () => {
    const seen = step(drained, {}, {}, {}, { pods: new Map([['n1', [aPod('web')]]]) });
    expect(did(seen)).toEqual([]);
    expect(seen.drain?.evict).toHaveLength(1);
  });

  test('run before the order, in Draining: no order is out yet', () => {
    const seen = step(drained);
    expect(seen.status).toMatchObject({ phase: 'Draining', reason: 'HookRunning' });
    expect(seen.status.deadlines).not.toHaveProperty('reboot');
    expect(did(seen)).toEqual(['WriteStatus', 'RunHook BeforeReboot']);
  });

  test('that have succeeded are followed by the order', () => {
    expect(did(step(drained, {}, { [job(1)]: { state: 'Succeeded' } }))).toEqual(['OrderReboot']);
  });

  test('that fail have the node given back', () => {
    expect(step(drained, {}, { [job(1)]: failed }).status).toMatchObject({ phase: 'Uncordoning', next: 'Blocked', reason: 'HookFailed' });
  });
});

describe('hooks AfterReboot', () => {
  test('wait for the node to be Ready, no longer than without hooks', () => {
    const ready = { status: false, since: ago(MINUTE) };
    expect(did(step(verified, { ...booted, ready }))).toEqual([]);
    const late = { ...verified, deadlines: { verify: timestamp(NOW + 10 * MINUTE) } };
    const alone = { ...booted, ready, host: aHost() };
    expect(step(late, alone).status).toMatchObject({ phase: 'Failed', reason: 'VerificationTimeout' });
  });

  test('have their time on top of the reboot’s', () => {
    const seen = step({ phase: 'Rebooting', reason: 'RebootAsked' }, { ...booted, record: { ...record, minReadySeconds: 0 } });
    expect(did(seen)).toEqual(['WriteStatus', 'RunHook AfterReboot']);
    expect(seen.status).toMatchObject({ phase: 'Verifying', reason: 'HookRunning', deadlines: { verify: timestamp(NOW + 25 * MINUTE) } });
  });

  test('that are running go on while the node is not Ready', () => {
    const ready = { status: false, since: ago(MINUTE) };
    const begun = { ...verified, hooks: said('Succeeded', 'Succeeded', 'Running') };
    expect(step(begun, { ...booted, ready }, { [job(2)]: active })).toMatchObject({ status: { reason: 'HookRunning' }, jobs: [{}] });
    const ended = step(begun, { ...booted, ready }, { [job(2)]: { state: 'Succeeded' } });
    expect(ended.status).toMatchObject({ phase: 'Verifying', message: 'waits for the node to be Ready' });
  });

  test('that fail mark the node as Failed, and say what to do; a retry runs them anew under another name', () => {
    const first = step({ ...verified, hooks: said('Succeeded', 'Succeeded') }, booted, { [job(2)]: failed });
    expect(first.status).toMatchObject({ phase: 'Failed', reason: 'HookFailed', failures: [{ target: NEW, reason: 'HookFailed' }] });
    expect(first.status.message).toContain('lockkeeper.dev/retry');
    const still = step(first.status, booted);
    expect(still.status).toMatchObject({ phase: 'Failed', reason: 'HookFailed', message: first.status.message });
    const news = step(first.status, { ...booted, ready: { status: true, since: ago(30_000) } });
    expect(news.status).toMatchObject({ phase: 'Failed', reason: 'HookFailed' });
    const anew = step(
      first.status,
      { ...booted, record: { ...record, minReadySeconds: 0 } },
      {},
      { retried: true, tokens: { retry: 'now' } },
    );
    expect(anew.status).toMatchObject({ phase: 'Verifying', tokens: { retry: 'now' } });
    expect(anew.status).not.toHaveProperty('failures');
    expect(anew.commands.at(-1)).toMatchObject({ type: 'RunHook', hook: { name: 'lockkeeper-claim-n1-2-1' } });
  });
});

describe('hooks Finally', () => {
  const ran = said('Succeeded', 'Succeeded', 'Succeeded');
  const rolledBack = { ...booted, os: { ...booted.os, version: OLD } };
  const naked = aPod('naked', { controller: undefined as never });
  const paused = { byHand: { paused: true, problems: [] } };
  const over = { record: { ...record, drainDeadline: ago(1) } };
  const web = { pods: new Map([['n1', [aPod('web')]]]) };
  const asked = aHost({ staged: proof(), answer: anAnswer('claim-n1.reboot', 'Failed', 'ActivationFailed') }, rebootOrder('n1'));

  test.each<[string, NodeUpdateStatus, Partial<NodeView>, Partial<Flight>, Partial<World>, string]>([
    ['updated', { ...verified, hooks: ran }, booted, {}, {}, 'Idle'],
    ['a timed-out drain', { phase: 'Draining', hooks: ran }, over, {}, web, 'Blocked'],
    ['pods that may not be evicted', { phase: 'Draining', hooks: ran }, {}, {}, { pods: new Map([['n1', [naked]]]) }, 'Blocked'],
    ['a pause', { phase: 'Draining' }, {}, paused, {}, 'Staged'],
    ['a policy that is gone', { phase: 'Draining' }, {}, { orphaned: true }, {}, 'Idle'],
    ['a lost proof', { phase: 'Draining', hooks: ran }, { host: aHost() }, {}, {}, 'Staging'],
    ['a rollback of the host', { phase: 'Rebooting', reason: 'RebootAsked' }, rolledBack, {}, {}, 'RolledBack'],
    ["somebody else's reboot", { phase: 'Draining' }, { bootID: 'boot-2' }, {}, {}, 'Staging'],
    ['a lost status', {}, cancelledHost, {}, {}, 'Idle'],
    ['a retry of a failed reboot', { phase: 'Failed' }, cancelledHost, { retried: true }, {}, 'Idle'],
  ])('run before the uncordon after %s', (_what, status, node, change, world, next) => {
    const first = step(status, node, {}, change, world);
    // Where an order may still be carried out, the Cancel comes first.
    const second = did(first).includes('RunHook Finally') ? first : step(first.status, cancelledHost, {}, change, world);
    expect(did(second).slice(-2)).toEqual(['WriteStatus', 'RunHook Finally']);
    expect(did(second)).not.toContain('Uncordon');
    expect(second.status).toMatchObject({ phase: 'Uncordoning', next, reason: 'HookRunning' });
    const waiting = step(second.status, { ...node, ...(node.bootID === undefined && cancelledHost) }, { [job(3)]: active }, change, world);
    expect(did(waiting)).toEqual([]);
    expect(waiting).toMatchObject({ status: { phase: 'Uncordoning', next }, jobs: [{ name: 'lockkeeper-claim-n1-3' }] });
    const landed = step(waiting.status, { ...node, ...(node.bootID === undefined && cancelledHost) }, { [job(3)]: failed }, change, world);
    expect(did(landed)).toEqual(['Uncordon', 'WriteStatus']);
    expect(landed.status).toMatchObject({
      phase: next,
      history: [{ outcome: next === 'Idle' && node === booted ? 'Updated' : expect.anything() }],
    });
    expect(landed.status.hooks?.at(-1)).toMatchObject({ outcome: 'Failed', log: 'kubectl logs -n db job/lockkeeper-claim-n1-3' });
  });

  test('run after a refused activation, once the Cancel is written', () => {
    const first = step({ phase: 'Rebooting' }, { host: asked });
    expect(did(first)).toEqual(['WriteStatus', 'Order']);
    expect(did(step(first.status, cancelledHost))).toEqual(['WriteStatus', 'RunHook Finally']);
  });

  test('run where a person uncordoned the failed node, which is not cordoned again', () => {
    const failure = { target: NEW, at: ago(MINUTE), reason: 'RebootTimeout', bootID: 'boot-1', readySince: ago(MINUTE) };
    const status: NodeUpdateStatus = { phase: 'Failed', failures: [failure] };
    const first = step(status, { unschedulable: false, ...cancelledHost });
    expect(did(first)).toEqual(['WriteStatus', 'RunHook Finally']);
    expect(first.status).toMatchObject({ phase: 'Failed', reason: 'UncordonedByHand' });
    const landed = step(first.status, { unschedulable: false, ...cancelledHost }, { [job(3)]: { state: 'Succeeded' } });
    expect(did(landed)).toEqual(['Uncordon', 'WriteStatus']);
    expect(landed.status).toMatchObject({ phase: 'RolledBack', reason: 'UncordonedByHand' });
  });

  test('that do not end hold the uncordon up no longer than their time', () => {
    const hooksNow = said('Succeeded', 'Succeeded', 'Succeeded', 'Running').map((entry) => ({ ...entry, deadline: ago(6_000) }));
    const status = { phase: 'Uncordoning', next: 'Idle', hooks: hooksNow, because: { reason: 'UpToDate', message: 'runs it' } } as const;
    const landed = step(status, booted, { [job(3)]: active });
    expect(did(landed)).toEqual(['Uncordon', 'WriteStatus']);
    expect(landed.status).toMatchObject({ phase: 'Idle', reason: 'UpToDate', history: [{ outcome: 'Updated' }] });
  });

  test('of a node that has lost its target again meanwhile do not make it updated', () => {
    const status = { phase: 'Uncordoning', next: 'Idle', hooks: ran, because: { reason: 'UpToDate', message: 'runs it' } } as const;
    const landed = step(status, rolledBack, { [job(3)]: { state: 'Succeeded' } });
    expect(landed.status.history).toMatchObject([{ outcome: 'TakenBack' }]);
  });
});

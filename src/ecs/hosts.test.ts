import { expect, test } from '@jest/globals';
import type { UpdateStatus } from '../agent/host-answers.ts';
import type { NodeHostStatus, Order } from '../api/node-host.ts';
import { learn, learnNothing } from './host-news.ts';
import type { HostReport } from './host-report.ts';
import { type Circumstances, CLOCK_MARGIN_MS, nextFor, REBOOT_WINDOW_MS } from './hosts.ts';
import type { InstanceRecord } from './records.ts';

const now = Date.parse('2026-11-23T12:00:00Z');
const proof = '2026-11-23T11:00:00.000000001Z';
const staged = { version: '1.26.1', provenAt: proof, lastCommandAt: proof };
const rebootOrder: Order = { id: 'c1.reboot', action: 'Reboot', version: '1.26.1', bootID: 'boot-1' };
const stageOrder: Order = { id: 'stage-1', action: 'Stage', version: '1.26.1' };
const cancelOrder: Order = { id: 'c1.cancel', action: 'Cancel' };

const recordOf = (order: Order | undefined, status: NodeHostStatus = {}, more: Partial<InstanceRecord> = {}): InstanceRecord => ({
  changes: 0,
  update: {},
  refreshedAt: now,
  host: {
    spec: { refreshInterval: '1h', ignoreWaves: false, ...(order !== undefined && { order }) },
    status: { version: '1.26.0', variant: 'aws-ecs-2', arch: 'x86_64', bootID: 'boot-1', ...status },
  },
  ...more,
});

const about = (more: Partial<Circumstances> = {}): Circumstances => ({ name: 'i-1', connected: true, now, ...more });
const asked = { id: 'c1.reboot', state: 'RebootAsked', startedAt: '2026-11-23T12:00:00.000Z' } as const;
const reboot = { order: 'c1.reboot', attempt: 1, notAfter: now + REBOOT_WINDOW_MS, sent: false };

const preparedStatus: UpdateStatus = {
  state: 'Staged',
  available: ['1.26.1', '1.26.0'],
  chosen: '1.26.1',
  staging: { version: '1.26.1', nextToBoot: false },
  command: { type: 'prepare', succeeded: true, timestamp: proof, exitStatus: 0, stderr: 'Starting update to 1.26.1\n' },
};

const report = (more: Partial<HostReport> = {}): HostReport => ({
  result: 'looked',
  bootID: 'boot-1',
  os: { version: '1.26.0', variant: 'aws-ecs-2', arch: 'x86_64' },
  settings: { versionLock: 'latest', ignoreWaves: false },
  ...more,
});

test.each<[string, InstanceRecord, Partial<Circumstances>, object]>([
  [
    'nothing while a command is under way',
    recordOf(rebootOrder, { staged }, { command: { id: 'x', kind: 'Look', at: now, until: now } }),
    {},
    { do: 'nothing' },
  ],
  [
    'news of a host that was never asked',
    { ...recordOf(undefined), host: { spec: { refreshInterval: '1h', ignoreWaves: false }, status: {} }, refreshedAt: undefined },
    {},
    { do: 'send', script: { kind: 'Refresh' } },
  ],
  ['nothing of a host whose agent is not connected', recordOf(undefined, {}, { refreshedAt: 0 }), { connected: false }, { do: 'nothing' }],
  ['news when they are due', recordOf(undefined, {}, { refreshedAt: now - 7_200_000 }), {}, { do: 'send', script: { kind: 'Refresh' } }],
  [
    'settings that are still changed are put back with it',
    recordOf(undefined, { savedSettings: { versionLock: 'latest' } }, { refreshedAt: 0 }),
    {},
    { script: { kind: 'Refresh', restore: { versionLock: 'latest' } } },
  ],
  [
    'a download, written down first',
    recordOf(stageOrder),
    {},
    {
      do: 'send',
      script: { kind: 'Stage', version: '1.26.1', bootID: 'boot-1' },
      record: { host: { status: { answer: { id: 'stage-1', state: 'Running' } } } },
    },
  ],
  [
    'a download by settings where the host chooses another',
    recordOf(stageOrder, {}, { chooseFor: 'stage-1' }),
    {},
    { script: { kind: 'Stage', choose: { ignoreWaves: false } } },
  ],
  [
    'a reboot, fenced first',
    recordOf(rebootOrder, { staged }),
    {},
    {
      do: 'send',
      script: { kind: 'Reboot', bootID: 'boot-1', attempt: 'c1.reboot-1', proof, again: false, notAfter: now + REBOOT_WINDOW_MS },
      record: { reboot: { ...reboot, sent: false }, host: { status: { answer: { state: 'RebootAsked' } } } },
    },
  ],
  [
    'no reboot without a proof',
    recordOf(rebootOrder),
    {},
    { do: 'write', record: { host: { status: { answer: { state: 'Failed', error: { code: 'ProofLost' } } } } } },
  ],
  [
    'no reboot with a proof of another version',
    recordOf(rebootOrder, { staged: { ...staged, version: '1.27.0' } }),
    {},
    { do: 'write', record: { host: { status: { answer: { error: { code: 'ProofLost' } } } } } },
  ],
  [
    'no reboot under another boot',
    recordOf(rebootOrder, { staged, bootID: 'boot-2' }),
    {},
    { do: 'write', record: { host: { status: { answer: { state: 'Failed', error: { code: 'BootIDChanged' } } } } } },
  ],
  [
    'a reboot alone activates nothing',
    recordOf({ ...rebootOrder, version: '1.26.0' }, { staged }),
    {},
    { do: 'send', script: expect.not.objectContaining({ proof }) },
  ],
  [
    'a fenced reboot that may not have been sent is sent again, as the same attempt',
    recordOf(rebootOrder, { staged, answer: asked }, { reboot }),
    {},
    { do: 'send', script: { kind: 'Reboot', attempt: 'c1.reboot-1', notAfter: reboot.notAfter } },
  ],
  [
    'not when its time is nearly over: it is looked for',
    recordOf(rebootOrder, { staged, answer: asked }, { reboot }),
    { now: reboot.notAfter - 1 },
    { do: 'send', script: { kind: 'Look', attempt: 'c1.reboot-1' } },
  ],
  [
    'one that was sent is not sent again',
    recordOf(rebootOrder, { staged, answer: asked }, { reboot: { ...reboot, sent: true } }),
    {},
    { script: { kind: 'Look' } },
  ],
  [
    'no further attempt before the host was heard of after its time',
    recordOf(rebootOrder, { staged, answer: asked }, { reboot: { ...reboot, sent: true } }),
    { now: reboot.notAfter + 2 * CLOCK_MARGIN_MS, reportedAt: reboot.notAfter },
    { script: { kind: 'Look' } },
  ],
  [
    'a further attempt after that',
    recordOf(rebootOrder, { staged, answer: asked }, { reboot: { ...reboot, sent: true } }),
    { now: reboot.notAfter + 3 * CLOCK_MARGIN_MS, reportedAt: reboot.notAfter + 2 * CLOCK_MARGIN_MS },
    { script: { kind: 'Reboot', attempt: 'c1.reboot-2', again: true } },
  ],
  [
    'no fourth attempt',
    recordOf(rebootOrder, { staged, answer: asked }, { reboot: { ...reboot, sent: true, attempt: 3 } }),
    { now: reboot.notAfter + 3 * CLOCK_MARGIN_MS, reportedAt: reboot.notAfter + 2 * CLOCK_MARGIN_MS },
    { script: { kind: 'Look' } },
  ],
  [
    'a host that goes down is not asked',
    recordOf(rebootOrder, { staged, answer: asked }, { reboot: { ...reboot, sent: true } }),
    { connected: false },
    { do: 'nothing' },
  ],
  [
    'a Cancel where no reboot was asked for is done',
    recordOf(cancelOrder, { staged }),
    {},
    { do: 'write', record: { host: { status: { answer: { id: 'c1.cancel', state: 'Done' } } } } },
  ],
  [
    'a Cancel over a reboot takes its attempts on the host',
    recordOf(cancelOrder, { staged, answer: asked }, { reboot: { ...reboot, attempt: 2 } }),
    {},
    { do: 'send', script: { kind: 'Cancel', attempts: ['c1.reboot-1', 'c1.reboot-2'] } },
  ],
  [
    'nothing is downloaded while a reboot may follow',
    recordOf(stageOrder, { answer: asked }, { reboot }),
    {},
    { script: { kind: 'Cancel', attempts: ['c1.reboot-1'] } },
  ],
])('%s', (_, record, more, expected) => {
  expect(nextFor(record, about(more))).toMatchObject(expected);
});

const rebooting = recordOf(rebootOrder, { staged, answer: asked }, { reboot: { ...reboot, sent: true } });

test('another boot ends the reboot that was asked for, and every proof', () => {
  const { host, reboot: left } = learn(
    rebooting,
    report({ bootID: 'boot-2', os: { version: '1.26.1', variant: 'aws-ecs-2', arch: 'x86_64' } }),
    { kind: 'Look', at: now },
    now,
  );
  expect(host.status).toMatchObject({ bootID: 'boot-2', version: '1.26.1', answer: { id: 'c1.reboot', state: 'Done' } });
  expect(host.status.staged).toBeUndefined();
  expect(left).toBeUndefined();
});

test.each<[string, InstanceRecord, HostReport, Parameters<typeof learn>[2], string | undefined]>([
  [
    'a refusal of the first attempt',
    rebooting,
    report({ result: { refused: 'ActivationFailed' } }),
    { kind: 'Reboot', order: 'c1.reboot', at: now },
    'Failed',
  ],
  ['the same, read later', rebooting, report({ attemptRefused: 'ProofLost' }), { kind: 'Look', at: now }, 'Failed'],
  [
    'a refusal of a later attempt: an earlier one may be under way',
    { ...rebooting, reboot: { ...reboot, attempt: 2 } },
    report({ result: { refused: 'ActivationFailed' } }),
    { kind: 'Reboot', order: 'c1.reboot', at: now },
    'RebootAsked',
  ],
  [
    'an attempt that had begun before',
    rebooting,
    report({ result: 'begun' }),
    { kind: 'Reboot', order: 'c1.reboot', at: now },
    'RebootAsked',
  ],
])('what ends a reboot: %s', (_, record, told, ended, state) => {
  expect(learn(record, told, ended, now).host.status.answer?.state).toBe(state);
});

test.each<[string, HostReport, number, string]>([
  ['no attempt had begun, and now none can', report({ result: 'cancelled', status: preparedStatus }), now, 'Done'],
  ['one had begun', report({ result: 'begun', status: preparedStatus }), now, 'RebootAsked'],
  [
    'one had begun, long ago, and the host shows that nothing was activated',
    report({ result: 'begun', status: preparedStatus }),
    reboot.notAfter + 2 * CLOCK_MARGIN_MS,
    'Done',
  ],
  [
    'one had begun, long ago, and something is activated',
    report({ result: 'begun', status: { ...preparedStatus, state: 'Ready' } }),
    reboot.notAfter + 2 * CLOCK_MARGIN_MS,
    'RebootAsked',
  ],
])('a Cancel over a reboot: %s', (_, told, at, state) => {
  const record = recordOf(cancelOrder, { staged, answer: asked }, { reboot: { ...reboot, sent: true } });
  expect(learn(record, told, { kind: 'Cancel', order: 'c1.cancel', at }, at).host.status.answer?.state).toBe(state);
});

test('a download goes on once no reboot can follow on an earlier order', () => {
  const record = recordOf(stageOrder, { answer: asked }, { reboot });
  const { host, reboot: left } = learn(record, report({ result: 'cancelled' }), { kind: 'Cancel', order: 'stage-1', at: now }, now);
  expect(host.status.answer).toBeUndefined();
  expect(left).toBeUndefined();
});

test('a download is proven by what prepare says, and by nothing else', () => {
  const running = recordOf(stageOrder, { answer: { id: 'stage-1', state: 'Running', startedAt: '' } });
  const ended = { kind: 'Stage', order: 'stage-1', at: now } as const;
  const done = learn(running, report({ result: 'staged', status: preparedStatus, refreshed: preparedStatus }), ended, now);
  expect(done.host.status).toMatchObject({ staged, answer: { state: 'Done' }, available: ['1.26.1', '1.26.0'] });
  const other = { ...preparedStatus, command: { ...preparedStatus.command, stderr: 'No update required\n' } as UpdateStatus['command'] };
  const failed = learn(running, report({ result: 'staged', status: other, refreshed: preparedStatus }), ended, now);
  expect(failed.host.status).toMatchObject({ answer: { state: 'Failed', error: { code: 'PrepareFailed' } } });
  expect(failed.host.status.staged).toBeUndefined();
});

test('a host that chooses another version is told by settings, which are kept first', () => {
  const running = recordOf(stageOrder, { answer: { id: 'stage-1', state: 'Running', startedAt: '' } });
  const refreshed: UpdateStatus = { ...preparedStatus, state: 'Available', chosen: '1.27.0', available: ['1.27.0', '1.26.1'] };
  const told = report({ result: 'staged', status: refreshed, refreshed });
  const next = learn(running, told, { kind: 'Stage', order: 'stage-1', at: now }, now);
  expect(next).toMatchObject({ chooseFor: 'stage-1', host: { status: { savedSettings: { versionLock: 'latest', ignoreWaves: false } } } });
  const again = learn(next, { ...told, settings: { versionLock: '1.26.1' } }, { kind: 'Stage', order: 'stage-1', at: now }, now);
  expect(again.host.status).toMatchObject({ answer: { error: { code: 'NotOffered' } }, savedSettings: {} });
});

test('somebody else at the update API ends a proof', () => {
  const status = { ...preparedStatus, command: { ...preparedStatus.command, timestamp: 'later' } as UpdateStatus['command'] };
  expect(learn(recordOf(undefined, { staged }), report({ status }), { kind: 'Look', at: now }, now).host.status.staged).toBeUndefined();
});

test('a host that gives no report is asked more and more rarely, and its download has failed', () => {
  const running = recordOf(stageOrder, { answer: { id: 'stage-1', state: 'Running', startedAt: '' } });
  const lost = learnNothing(running, { kind: 'Stage', order: 'stage-1', at: now }, 'TimedOut', now);
  expect(lost).toMatchObject({
    unreachable: { times: 1 },
    host: { status: { answer: { state: 'Failed', error: { code: 'HostUnreachable' } } } },
  });
});

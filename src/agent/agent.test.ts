import { renameSync } from 'node:fs';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { AgentBed, type BedOptions, node } from './testing/agent-bed.ts';

// Waits are for conditions; this only bounds them on a busy machine.
jest.setTimeout(60_000);

let bed: AgentBed;
const startBed = async (options?: BedOptions): Promise<AgentBed> => {
  bed = await new AgentBed(options).start();
  return bed;
};
afterEach(() => bed.stop());

const wholeUpdate = async (): Promise<void> => {
  await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
  bed.order({ id: 'r1', action: 'Reboot', version: '1.26.1', bootID: bed.bootID });
  await bed.answered('r1', 'Done');
};

describe('an update', () => {
  test('goes through stage, fence, activation and reboot, and reports the new boot', async () => {
    await startBed();
    const bootID = bed.bootID;
    bed.startAgent();
    await bed.until(() => bed.status.version === '1.26.0', 'the first report');
    expect(bed.status).toEqual({ version: '1.26.0', variant: 'aws-k8s-1.31', arch: 'x86_64', bootID, agentVersion: '0.0.1' });
    await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
    expect(bed.status.staged).toMatchObject({ version: '1.26.1' });
    expect(bed.status.available).toEqual(['1.26.1', '1.26.0', '1.25.0']);
    expect(bed.host.settings.updates).toMatchObject({ 'version-lock': 'latest', 'ignore-waves': false });
    bed.order({ id: 'r1', action: 'Reboot', version: '1.26.1', bootID });
    await bed.answered('r1', 'Done');
    expect(bed.host.rebootCount).toBe(1);
    expect(bed.asked('POST /actions/reboot')).toBe(1);
    expect(bed.status).toMatchObject({ version: '1.26.1', bootID: bed.bootID, answer: { id: 'r1', state: 'Done' } });
    expect(bed.status.staged).toBeUndefined();
    expect(bed.status.bootID).not.toBe(bootID);
  });

  test('costs five status writes: report, Running, Done, RebootAsked, Done with the new boot', async () => {
    await startBed();
    const first = bed.startAgent();
    await bed.until(() => bed.status.version !== undefined, 'the first report');
    const before = bed.writes.length;
    await wholeUpdate();
    expect(bed.answers).toEqual(['Running', 'Done', 'RebootAsked', 'Done']);
    expect(bed.writes.length - before).toBe(4);
    await first.stop();
  });

  test('a new agent after the boot reads once and writes once', async () => {
    await startBed();
    const first = bed.startAgent();
    await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
    bed.host.faults.arm('neverReturns');
    bed.order({ id: 'r1', action: 'Reboot', version: '1.26.1', bootID: bed.bootID });
    await bed.until(() => !bed.host.running, 'the reboot');
    await first.stop();
    const before = bed.kube.requests.length;
    await bed.host.powerOn();
    bed.startAgent();
    await bed.answered('r1', 'Done');
    expect(bed.kube.requests.slice(before).map(({ method }) => method)).toEqual(['GET', 'PATCH']);
    expect(bed.status).toMatchObject({ version: '1.26.1', bootID: bed.bootID });
  });
});

test('nothing is written while nothing changes', async () => {
  await startBed({ refreshInterval: '1s' });
  bed.startAgent();
  await bed.until(() => bed.status.available !== undefined, 'the first refresh');
  const before = bed.writes.length;
  const refreshes = bed.asked('POST /actions/refresh-updates');
  await bed.until(() => bed.asked('POST /actions/refresh-updates') >= refreshes + 3, 'three more refreshes');
  expect(bed.writes.length).toBe(before);
});

test('while staged, each refresh is followed by one write of the last command', async () => {
  await startBed({ refreshInterval: '1s' });
  bed.startAgent();
  await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
  const staged = bed.status.staged;
  await bed.until(() => bed.status.staged?.lastCommandAt !== staged?.lastCommandAt, 'another last command');
  expect(bed.status.staged).toMatchObject({ version: '1.26.1', provenAt: staged?.provenAt });
  bed.order({ id: 'r1', action: 'Reboot', version: '1.26.1', bootID: bed.bootID });
  await bed.answered('r1', 'Done');
  expect(bed.host.os.version).toBe('1.26.1');
});

test('waits quietly for its NodeHost, and starts anew with another of the name', async () => {
  await startBed({ withoutLetter: true });
  const agent = bed.startAgent();
  await bed.until(() => bed.kube.count('list') >= 1 && bed.kube.watches === 1, 'the watch');
  expect(bed.host.requests.length).toBe(0);
  bed.createLetter();
  await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
  bed.kube.remove(node);
  bed.createLetter();
  await bed.until(() => bed.status.staged?.version === '1.26.1', 'all that is known of the host');
  expect(bed.status.answer).toBeUndefined();
  expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
});

test('an action it does not know is answered Unsupported', async () => {
  await startBed();
  bed.startAgent();
  await bed.carryOut({ id: 'x', action: 'Hibernate' }, 'Unsupported');
  await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
});

test('an order that was answered is not taken up again by the next agent', async () => {
  await startBed();
  const first = bed.startAgent();
  await bed.carryOut({ id: 's1', action: 'Stage', version: '1.99.0' }, 'Failed');
  await first.stop();
  const asked = bed.asked('POST /actions/refresh-updates');
  bed.startAgent();
  await bed.until(() => bed.host.requests.at(-1)?.path.startsWith('/tx') ?? false, 'the start of the second');
  expect(bed.asked('POST /actions/refresh-updates')).toBe(asked);
  expect(bed.status.answer).toMatchObject({ id: 's1', state: 'Failed', error: { code: 'NotOffered' } });
});

describe('the socket', () => {
  test('a dead one ends the agent without an answer, and the next agent goes on', async () => {
    await startBed({ deadSocketMs: 100 });
    const agent = bed.startAgent();
    await bed.until(() => bed.status.version !== undefined, 'the first report');
    await bed.host.killSocket();
    bed.order({ id: 's1', action: 'Stage', version: '1.26.1' });
    await expect(agent.ended).rejects.toMatchObject({ name: 'HostSocketDead' });
    expect(bed.status.answer?.state).toBe('Running');
    await bed.host.reviveSocket();
    bed.startAgent();
    await bed.answered('s1', 'Done');
  });

  test('one that is gone for a while holds up what is to be done', async () => {
    await startBed();
    await bed.host.removeSocket();
    bed.startAgent();
    bed.order({ id: 's1', action: 'Stage', version: '1.26.1' });
    await bed.until(() => bed.bootIDReads > 0, 'the first look');
    await bed.host.reviveSocket();
    await bed.answered('s1', 'Done');
  });
});

test('a refused token is read again, and the write goes through', async () => {
  await startBed();
  let refused = 0;
  bed.kube.fault = ({ method }) => (method === 'PATCH' && refused++ < 2 ? { status: refused === 1 ? 401 : 422 } : undefined);
  bed.startAgent();
  await bed.until(() => bed.status.version !== undefined, 'the first report');
  expect(bed.credentials.refreshed).toBeGreaterThan(0);
});

describe('refreshes', () => {
  test('one is tried soon when an order has not reached the host, and says when it is there again', async () => {
    await startBed({ patienceMs: 50, refreshInterval: '24h' });
    bed.startAgent();
    await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
    renameSync(bed.socketPath, `${bed.socketPath}.gone`);
    await bed.carryOut({ id: 'r1', action: 'Reboot', version: '1.26.1', bootID: bed.bootID }, 'Failed');
    expect(bed.status).toMatchObject({ answer: { error: { code: 'HostUnreachable' } }, refreshError: { code: 'HostUnreachable' } });
    renameSync(`${bed.socketPath}.gone`, bed.socketPath);
    await bed.until(() => bed.status.refreshError === undefined, 'the host is reached again');
    await bed.carryOut({ id: 'r2', action: 'Reboot', version: '1.26.1', bootID: bed.bootID });
    expect(bed.host.os.version).toBe('1.26.1');
  });

  test('one that fails is reported once, and taken back by the next that works', async () => {
    await startBed({ refreshInterval: '1s' });
    bed.host.faults.arm('refreshFails', 3);
    bed.startAgent();
    await bed.until(() => bed.status.refreshError !== undefined, 'the error');
    expect(bed.status.refreshError).toMatchObject({ code: 'RefreshFailed', message: expect.stringContaining('Connection refused') });
    const writes = bed.writes.length;
    await bed.until(() => bed.status.available !== undefined, 'a refresh that works');
    expect(bed.status.refreshError).toBeUndefined();
    expect(bed.writes.length).toBe(writes + 1);
  });

  test('one that fails while staged moves the proof along', async () => {
    await startBed({ refreshInterval: '1s' });
    bed.startAgent();
    await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
    bed.host.faults.arm('refreshFails');
    await bed.until(() => bed.status.refreshError !== undefined, 'the error');
    expect(bed.status.staged?.lastCommandAt).toBe(bed.host.updateStatus?.most_recent_command?.timestamp);
    bed.order({ id: 'r1', action: 'Reboot', version: '1.26.1', bootID: bed.bootID });
    await bed.answered('r1', 'Done');
    expect(bed.host.os.version).toBe('1.26.1');
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startHost, stopHosts } from '../../e2e/host/test-host.ts';
import { systemClock } from '../kube/clock.ts';
import { eventually, FakeClock } from '../kube/testing/fake-clock.ts';
import { HostClient } from './host-client.ts';
import {
  HostBusy,
  HostNothingPending,
  HostProtocol,
  HostRefused,
  HostServerError,
  HostSocketDead,
  HostUnreachable,
} from './host-errors.ts';

const { signal } = new AbortController();
let folder: string;
let raw: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'host-client-'));
});
afterEach(async () => {
  await stopHosts();
  await new Promise<void>((resolve) => (raw ? raw.close(() => resolve()) : resolve()));
  raw = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const clientOf = (socketPath: string, patienceMs = 0) => new HostClient({ socketPath, clock: systemClock, patienceMs, retryMs: 5 });

async function simulated(patienceMs?: number) {
  const bed = await startHost();
  return { ...bed, client: clientOf(bed.socketPath, patienceMs) };
}

/** A server that answers every connection with the same bytes, and then ends it. */
async function scripted(answer: string): Promise<{ socketPath: string; heard: string[] }> {
  const socketPath = join(folder, 'raw.sock');
  const heard: string[] = [];
  raw = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      heard.push(data.toString());
      socket.end(answer);
    });
  });
  await new Promise<void>((resolve) => raw?.listen(socketPath, resolve));
  return { socketPath, heard };
}
const answering = (status: string, body: string) =>
  scripted(`HTTP/1.1 ${status}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);

describe('answers', () => {
  test('reads OS, status, settings and the API server', async () => {
    const { client } = await simulated();
    expect(await client.os(signal)).toEqual({ version: '1.26.0', variant: 'aws-k8s-1.31', arch: 'x86_64' });
    expect(await client.updateStatus(signal)).toBeUndefined();
    await client.start('refresh', signal);
    await client.start('prepare', signal);
    expect(await client.updateStatus(signal)).toEqual({
      state: 'Staged',
      available: ['1.26.1', '1.26.0', '1.25.0'],
      chosen: '1.26.1',
      staging: { version: '1.26.1', nextToBoot: false },
      command: { type: 'prepare', succeeded: true, timestamp: expect.any(String), exitStatus: 0, stderr: 'Starting update to 1.26.1\n' },
    });
    expect(await client.updateSettings(signal)).toEqual({ versionLock: 'latest', ignoreWaves: false });
    expect(await client.apiServer(signal)).toMatchObject({ server: 'https://127.0.0.1:6443' });
  });

  test('sets settings through a transaction', async () => {
    const { client, host } = await simulated();
    await client.patchSettings('t', { versionLock: '1.26.1' }, signal);
    expect(await client.pendingSettings('t', signal)).toEqual({ versionLock: '1.26.1' });
    await client.commitAndApply('t', signal);
    expect(host.settings.updates).toMatchObject({ 'version-lock': '1.26.1', 'ignore-waves': false });
    await expect(client.commitAndApply('t', signal)).rejects.toBeInstanceOf(HostNothingPending);
    await client.patchSettings('t', { ignoreWaves: true }, signal);
    await client.deleteTransaction('t', signal);
    expect(await client.pendingSettings('t', signal)).toEqual({});
  });
});

describe('refusals', () => {
  test('409 is final, 423 is not', async () => {
    const { client, host } = await simulated();
    await expect(client.start('activate', signal)).rejects.toMatchObject({
      name: 'HostRefused',
      retryable: false,
      words: 'Update action not allowed according to update state',
    });
    host.faults.arm('refreshHangs');
    await client.start('refresh', signal);
    await expect(client.start('refresh', signal)).rejects.toMatchObject({ name: 'HostBusy', retryable: true });
    await expect(client.updateStatus(signal)).rejects.toBeInstanceOf(HostBusy);
  });

  test('a 404 with a text is an answer, one without is another API', async () => {
    const { client, repository } = await simulated();
    await client.start('refresh', signal);
    await client.start('prepare', signal);
    repository.releases.splice(0);
    await client.start('refresh', signal);
    await expect(client.start('prepare', signal)).rejects.toMatchObject({
      name: 'HostNotFound',
      words: 'Previously chosen Update no longer exists',
    });
    const { socketPath } = await answering('404 Not Found', '');
    await expect(clientOf(socketPath).updateStatus(signal)).rejects.toBeInstanceOf(HostProtocol);
  });

  test('500 may pass', async () => {
    const { client, host } = await simulated();
    host.faults.arm('dispatcherFails');
    await expect(client.start('refresh', signal)).rejects.toMatchObject({ name: 'HostServerError', retryable: true });
    host.faults.arm('rebootFails');
    await expect(client.reboot(signal)).rejects.toBeInstanceOf(HostServerError);
  });

  test('the words are one line, bounded, and their end is kept', async () => {
    const { socketPath } = await answering('409 Conflict', `\u001b[31m${'x'.repeat(5_000)}\n\tat the \u202eend\u0000`);
    const error = await clientOf(socketPath)
      .start('refresh', signal)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HostRefused);
    expect((error as HostRefused).words).toMatch(/^…x+ at the end$/);
    expect((error as HostRefused).words.length).toBeLessThanOrEqual(1_000);
  });
});

describe('what is no answer', () => {
  test.each(['garbage', 'wrongShape', 'hugeAnswer'] as const)('%s is another API', async (fault) => {
    const { client, host } = await simulated();
    host.faults.arm(fault);
    await expect(client.os(signal)).rejects.toMatchObject({ name: 'HostProtocol', retryable: false });
  });

  test('a GET that is cut off is asked again', async () => {
    const { client, host } = await simulated(5_000);
    host.faults.arm('cutOff', 2);
    expect(await client.os(signal)).toMatchObject({ version: '1.26.0' });
    expect(host.requests.length).toBe(3);
  });

  test('a POST that is cut off is not', async () => {
    const { socketPath, heard } = await scripted('HTTP/1.1 204');
    await expect(clientOf(socketPath, 5_000).start('prepare', signal)).rejects.toMatchObject({ name: 'HostUnreachable', sent: true });
    expect(heard.length).toBe(1);
  });

  test('a 408 means that nobody has acted', async () => {
    const { socketPath } = await answering('408 Request Timeout', '');
    await expect(clientOf(socketPath).start('prepare', signal)).rejects.toMatchObject({ name: 'HostUnreachable', sent: false });
  });

  test('a reboot that just ends the connection is a reboot', async () => {
    const { client, host } = await simulated();
    host.faults.arm('rebootDropsConnection');
    await client.reboot(signal);
    await eventually(() => host.rebootCount === 1);
  });

  test('no answer in time', async () => {
    const { socketPath, host } = await simulated();
    host.faults.arm('rebootHangs');
    const clock = new FakeClock();
    const client = new HostClient({ socketPath, clock, patienceMs: 0 });
    const rebooting = client.reboot(signal);
    await eventually(() => host.requests.length === 1);
    clock.advance(60_000);
    await rebooting;
    await host.release();
  });

  test('the signal ends it', async () => {
    const { client, host } = await simulated();
    host.faults.arm('rebootHangs');
    const ending = new AbortController();
    const asked = client.reboot(ending.signal).catch((error: unknown) => error);
    await eventually(() => host.requests.length === 1);
    const reason = new Error('ended');
    ending.abort(reason);
    expect(await asked).toBe(reason);
    await host.release();
  });
});

describe('the socket', () => {
  test('one that comes back within the patience is waited for', async () => {
    const { client, host } = await simulated(5_000);
    await host.killSocket();
    const asked = client.start('refresh', signal);
    await host.reviveSocket();
    await asked;
    expect(host.requests.filter(({ method }) => method === 'POST').length).toBe(1);
  });

  test('one that refuses for 30 s is dead, across calls', async () => {
    const { host, socketPath } = await simulated();
    await host.killSocket();
    const clock = new FakeClock();
    const client = new HostClient({ socketPath, clock, patienceMs: 10_000, retryMs: 1_000 });
    const tried = async (forMs: number) => {
      const asked = client.os(signal).catch((error: unknown) => error);
      let error: unknown;
      asked.then(
        (value) => {
          error = value;
        },
        () => {},
      );
      for (let waited = 0; waited < forMs && error === undefined; waited += 1_000) await clock.advanceGently(1_000, 1_000);
      await eventually(() => error !== undefined);
      return error;
    };
    const first = await tried(20_000);
    expect(first).toBeInstanceOf(HostUnreachable);
    expect(first).not.toBeInstanceOf(HostSocketDead);
    clock.advance(20_000);
    expect(await tried(20_000)).toBeInstanceOf(HostSocketDead);
  });

  test('one that is gone is not dead: the server may still come', async () => {
    const { client, host } = await simulated();
    await host.removeSocket();
    const error = await client.os(signal).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'HostUnreachable', sent: false, retryable: true });
  });

  test('an answer in between begins the 30 s anew', async () => {
    const { host, socketPath } = await simulated();
    const clock = new FakeClock();
    const client = new HostClient({ socketPath, clock, patienceMs: 0, deadSocketMs: 30_000 });
    await host.killSocket();
    await expect(client.os(signal)).rejects.toMatchObject({ name: 'HostUnreachable' });
    clock.advance(29_000);
    await host.reviveSocket();
    await client.os(signal);
    await host.killSocket();
    clock.advance(29_000);
    await expect(client.os(signal)).rejects.toMatchObject({ name: 'HostUnreachable' });
    clock.advance(30_000);
    await expect(client.os(signal)).rejects.toMatchObject({ name: 'HostSocketDead' });
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import { nodeHostStatusSchema } from '../api/node-host.ts';
import { systemClock } from '../kube/clock.ts';
import { eventually, FakeClock } from '../kube/testing/fake-clock.ts';
import { HostClient } from './host-client.ts';
import { HostError } from './host-errors.ts';
import { AgentBed } from './testing/agent-bed.ts';
import { answer, bytes, bytesAndSilence, type Evil, EvilHost, endlessBody, endlessHeader } from './testing/evil-host.ts';

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const MEGABYTE = 1_000_000;
const ESCAPES = '\u001b[2J\u202e\u009b1m\u0000\n';
const os = (fields: object): string => JSON.stringify({ version_id: '1.26.0', variant_id: 'aws-k8s-1.31', arch: 'x86_64', ...fields });
const status = (fields: object): string => JSON.stringify({ update_state: 'Idle', available_updates: [], ...fields });

/** Answers that no host gives, which a client can only refuse. */
const WRONG: Readonly<Record<string, Evil>> = {
  'random bytes': bytes(Buffer.from(Array.from({ length: 4_096 }, (_, index) => (index * 197 + 13) % 256))),
  'another protocol': bytes('220 mail.example.com ESMTP\r\n'),
  nothing: bytes(''),
  'half a header': bytes('HTTP/1.1 200 OK\r\ncontent-le'),
  'an endless header': endlessHeader,
  'an endless body': endlessBody,
  'two lengths': bytes('HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd'),
  'a length that is none': bytes('HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n{}'),
  'a chunk that is none': bytes('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}'),
  'another protocol to go on in': bytes('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n{}'),
  'an upgrade that goes on': bytesAndSilence('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
  'a redirect': answer('', '302 Found', 'location: http://example.com/'),
  'a status of escapes': answer(ESCAPES.repeat(1_000), '418 teapot'),
  'no JSON': answer('<html>'),
  'no body': answer(''),
  'JSON null': answer('null'),
  'JSON without end': answer('['.repeat(100_000)),
  'JSON as deep as it is long': answer('['.repeat(100_000) + ']'.repeat(100_000)),
  'a number': answer('1e999'),
  'a name of an object prototype': answer('{"__proto__": {"version_id": "1"}, "constructor": 1}'),
  'no UTF-8': answer(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])),
};

let folder: string;
let evil: EvilHost | undefined;
let bed: AgentBed | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evil-host-'));
});
afterEach(async () => {
  await bed?.stop();
  await evil?.stop();
  [bed, evil] = [undefined, undefined];
  rmSync(folder, { recursive: true, force: true });
});

const { signal } = new AbortController();
const { signal: never } = new AbortController();

async function clientOf(how: Evil, clock: FakeClock | typeof systemClock = systemClock): Promise<HostClient> {
  evil = new EvilHost();
  evil.answer('*', how);
  const socketPath = join(folder, 'api.sock');
  await evil.start(socketPath);
  return new HostClient({ socketPath, clock, patienceMs: 0, retryMs: 1 });
}

/** What a call came to: an error of the host's own kind, fit for a log. */
async function failure(call: Promise<unknown>): Promise<HostError> {
  const error = await call.then(
    (value) => value,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(HostError);
  const { message } = error as HostError;
  expect(message.length).toBeLessThan(1_200);
  expect(message).not.toMatch(UNSEEN);
  return error as HostError;
}

describe('the client', () => {
  test.each(Object.entries(WRONG))('refuses %s', async (_, how) => {
    const client = await clientOf(how);
    await failure(client.os(signal));
    await failure(client.updateStatus(signal));
  });

  test.each<[what: string, body: string]>([
    ['a version of a megabyte', os({ version_id: `1.${'0'.repeat(MEGABYTE)}` })],
    ['a version of escapes', os({ version_id: `1.26.0${ESCAPES}` })],
    ['an empty version', os({ version_id: '' })],
    ['a variant of a kilobyte', os({ variant_id: 'a'.repeat(1_024) })],
    ['an architecture with a line feed', os({ arch: 'x86_64\nx' })],
    ['wrong types', os({ version_id: 1, arch: {} })],
    ['a body above the limit', os({ more: 'x'.repeat(2 * MEGABYTE) })],
  ])('takes %s for no OS', async (_, body) => {
    const client = await clientOf(answer(body));
    expect((await failure(client.os(signal))).name).toBe('HostProtocol');
  });

  test.each<[what: string, fields: object]>([
    ['a time of a kilobyte', { most_recent_command: { cmd_type: 'refresh', cmd_status: 'Success', timestamp: 'x'.repeat(1_024) } }],
    ['a hundred thousand numbers for versions', { available_updates: Array(100_000).fill(1) }],
    ['a hundred thousand versions', { available_updates: Array(100_000).fill('1.26.0') }],
    ['a chosen version of a megabyte', { chosen_update: { version: '1'.repeat(900_000), variant: '', arch: '' } }],
  ])('takes %s for no status', async (_, fields) => {
    const client = await clientOf(answer(status(fields)));
    expect((await failure(client.updateStatus(signal))).name).toBe('HostProtocol');
  });

  test('takes a version lock of a kilobyte for no settings', async () => {
    const client = await clientOf(answer(JSON.stringify({ updates: { 'version-lock': 'x'.repeat(1_024) } })));
    expect((await failure(client.updateSettings(signal))).name).toBe('HostProtocol');
  });

  test.each<[what: string, how: Evil]>([
    ['a byte now and then', bytesAndSilence('H')],
    ['a header, and no body', bytesAndSilence('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{')],
    ['to be patient, for ever', bytesAndSilence('HTTP/1.1 102 Processing\r\n\r\n'.repeat(100))],
  ])('gives up on one that sends %s', async (_, how) => {
    const clock = new FakeClock();
    const client = await clientOf(how, clock);
    const asked = failure(client.updateStatus(never));
    await eventually(() => (evil?.heard.length ?? 0) === 1);
    clock.advance(15_000);
    expect((await asked).name).toBe('HostUnreachable');
    expect(clock.timers).toBe(0);
  });

  test('gives up on one that drips byte after byte', async () => {
    const clock = new FakeClock();
    let dripped = 0;
    const client = await clientOf((socket) => {
      const drip = setInterval(() => {
        dripped += 1;
        if (!socket.destroyed) socket.write(dripped === 1 ? 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n' : ' ');
      }, 1);
      socket.on('close', () => clearInterval(drip));
    }, clock);
    const asked = failure(client.updateStatus(never));
    await eventually(() => dripped > 5);
    clock.advance(15_000);
    expect((await asked).name).toBe('HostUnreachable');
  });
});

/** Each write as the API server would hold it against the schema of the kind. */
function expectAcceptable({ status: now }: AgentBed): void {
  expect(z.safeParse(nodeHostStatusSchema, now).error?.issues ?? []).toEqual([]);
  expect(JSON.stringify(now).length).toBeLessThan(16_384);
}

describe('the whole agent', () => {
  async function evilBed(): Promise<{ bed: AgentBed; evil: EvilHost }> {
    const made = new AgentBed({ hostSocket: join(folder, 'evil.sock'), refreshInterval: '1s', patienceMs: 20 });
    bed = made;
    evil = new EvilHost(made.socketPath);
    await evil.start(join(folder, 'evil.sock'));
    await made.start();
    return { bed: made, evil };
  }

  test('says on its NodeHost why it reports nothing', async () => {
    const { bed, evil } = await evilBed();
    evil.answer('GET /os', answer(os({ version_id: '1'.repeat(MEGABYTE / 2) })));
    bed.startAgent();
    await bed.until(() => bed.status.refreshError !== undefined, 'the trouble');
    expect(bed.status).toMatchObject({ refreshError: { code: 'HostProtocol', message: expect.stringContaining('GET /os') } });
    expect(bed.status.version).toBeUndefined();
    evil.answer('GET /os', undefined);
    bed.order({ id: 'a', action: 'Stage', version: '1.26.1' });
    await bed.answered('a', 'Done');
    await bed.until(() => bed.status.refreshError == null, 'no trouble');
  });

  test.each([
    'GET /os',
    'GET /updates/status',
    'POST /actions/refresh-updates',
    'GET /settings',
    'GET /tx',
    'POST /actions/prepare-update',
  ])(
    'lives through every wrong answer to %s, and does its work as soon as that is right again',
    async (request) => {
      const { bed, evil } = await evilBed();
      const agent = bed.startAgent();
      let orders = 0;
      const answers = [
        ...Object.values(WRONG),
        answer(os({ version_id: ESCAPES.repeat(10_000) })),
        answer(status({ available_updates: [ESCAPES, '1'.repeat(900_000)] })),
      ];
      for (const how of answers) {
        evil.answer(request, how);
        const before = evil.heard.filter((one) => one === request).length;
        orders += 1;
        bed.order({ id: `o${orders}`, action: 'Stage', version: '1.26.1', ignoreWaves: true });
        await eventually(() => evil.heard.filter((one) => one === request).length > before || bed.status.answer?.id === `o${orders}`);
        expectAcceptable(bed);
      }
      evil.answer(request, undefined);
      await bed.carryOut({ id: 'last', action: 'Stage', version: '1.26.1' });
      expect(bed.status).toMatchObject({ version: '1.26.0', variant: 'aws-k8s-1.31', staged: { version: '1.26.1' } });
      expectAcceptable(bed);
      expect(JSON.stringify(agent.log.map(({ fields }) => fields))).not.toMatch(UNSEEN);
    },
    60_000,
  );
});

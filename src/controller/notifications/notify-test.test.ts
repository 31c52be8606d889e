import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { NOW } from '../../core/testing/builders.ts';
import { runNotifyTest } from './notify-test.ts';
import { notifyTestCommand } from './notify-test-config.ts';
import { type HttpReceiver, startReceiver } from './testing/http-receiver.ts';

let folder: string;
let receiver: HttpReceiver;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webhooks-'));
  receiver = await startReceiver();
  for (const name of ['ops', 'chat']) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'url'), `${receiver.url}/very-secret/${name}`);
  }
});
afterEach(async () => {
  await receiver.close();
  await rm(folder, { recursive: true });
});

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const lines: string[] = [];
  let taken: boolean | undefined;
  let err = '';
  const command = notifyTestCommand(async (config) => {
    taken = await runNotifyTest(config, (line) => lines.push(line), AbortSignal.timeout(30_000), NOW);
  }, env)
    .exitOverride()
    .configureOutput({ writeErr: (text) => (err += text) });
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { exitCode: error.exitCode, err };
  }
  return { lines: lines.sort(), taken };
}

const env = () => ({
  LOCKKEEPER_WEBHOOKS: 'ops:generic,chat:slack:RolloutDone,late:slack',
  LOCKKEEPER_WEBHOOKS_DIR: folder,
  LOCKKEEPER_CLUSTER_NAME: 'prod',
});

test('each webhook gets a message, whatever it wants to hear of, and one that does not is said', async () => {
  expect(await run([], env())).toEqual({
    lines: ['chat: taken by 127.0.0.1', 'late: not sent: its Secret, or the key of its URL in it, is missing', 'ops: taken by 127.0.0.1'],
    taken: false,
  });
  const sent = new Map(receiver.got.map(({ path, body }) => [path, JSON.parse(body)]));
  expect(sent.get('/very-secret/ops')).toEqual({
    version: 'v1',
    id: 'Test/ops@2026-03-01T12:00:00.000Z',
    type: 'Test',
    at: '2026-03-01T12:00:00.000Z',
    cluster: 'prod',
    message: 'the webhook ops works',
    advice: 'Nothing.',
  });
  expect(sent.get('/very-secret/chat').text).toBe('*Lockkeeper: test message (prod)*\nthe webhook chat works');
});

test('one alone', async () => {
  expect(await run(['--webhook=chat'], env())).toEqual({ lines: ['chat: taken by 127.0.0.1'], taken: true });
  receiver.answer = (response) => response.writeHead(404).end();
  expect(await run(['--webhook=chat'], env())).toEqual({ lines: ['chat: not sent: 127.0.0.1 answers 404'], taken: false });
});

test('what cannot be meant is said', async () => {
  expect(await run([], {})).toEqual({ exitCode: 2, err: expect.stringContaining('there are no webhooks: set notifications.webhooks') });
  expect(await run(['--webhook=other'], env())).toEqual({
    exitCode: 2,
    err: expect.stringContaining('no webhook is named other; there are ops, chat, late'),
  });
});

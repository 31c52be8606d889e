import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { NOTIFICATION_TYPES } from '../../api/notifications.ts';
import { readableReceivers, readReceiver } from './receiver.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webhooks-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** As a kubelet does: a new folder, and a link that is swapped. */
async function mount(name: string, version: string, files: Record<string, string>): Promise<void> {
  const into = join(folder, name, version);
  await mkdir(into, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(join(into, file), content);
  await symlink(version, join(folder, name, '..new'));
  await rename(join(folder, name, '..new'), join(folder, name, '..data'));
  for (const file of Object.keys(files)) await symlink(`..data/${file}`, join(folder, name, file)).catch(() => {});
}

test('a Secret is read as it is now', async () => {
  await mount('ops', '..1', { url: 'https://hooks.example/a\n', token: ' t1 \n', 'signing-key': 'k1', 'ca.crt': '-----BEGIN' });
  expect(await readReceiver(folder, 'ops')).toEqual({
    url: new URL('https://hooks.example/a'),
    token: 't1',
    signingKey: 'k1',
    ca: '-----BEGIN',
  });
  await mount('ops', '..2', { url: 'http://hooks.example/b', token: '' });
  expect(await readReceiver(folder, 'ops')).toEqual({
    url: new URL('http://hooks.example/b'),
    token: undefined,
    signingKey: undefined,
    ca: undefined,
  });
});

test.each([
  ['is missing', undefined, 'its Secret, or the key of its URL in it, is missing'],
  ['is empty', ' \n', 'its Secret, or the key of its URL in it, is missing'],
  ['is no URL', 'very-secret', 'what its Secret holds as URL is none'],
  ['is of another scheme', 'file:///very-secret', 'the URL in its Secret is neither https nor http'],
])('a URL that %s is said, without a word of it', async (_what, url, message) => {
  if (url !== undefined) await mount('ops', '..1', { url });
  await expect(readReceiver(folder, 'ops')).rejects.toMatchObject({ name: 'WebhookError', message, retryable: true });
});

test('files that cannot be read are said', async () => {
  await mkdir(join(folder, 'ops', 'url'), { recursive: true });
  await expect(readReceiver(folder, 'ops')).rejects.toThrow('the files of its Secret cannot be read');
});

test('of each webhook it is known whether its Secret can be read', async () => {
  await mount('ops', '..1', { url: 'https://hooks.example/a' });
  const webhooks = ['ops', 'chat'].map((name) => ({ name, format: 'slack' as const, types: new Set(NOTIFICATION_TYPES) }));
  expect(await readableReceivers({ folder, webhooks })).toEqual(
    new Map([
      ['ops', true],
      ['chat', false],
    ]),
  );
});

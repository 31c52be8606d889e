import { join } from 'node:path';
import { readText } from '../../kube/read-text.ts';
import type { NotificationsConfig } from './config.ts';
import { codeOf, WebhookError } from './webhook-error.ts';

/** Where a webhook's notifications go, by its Secret. */
export interface Receiver {
  url: URL;
  /** Shown as bearer token. */
  token: string | undefined;
  /** Signs what is sent. */
  signingKey: string | undefined;
  /** PEM of the authorities that are trusted in place of the system's. */
  ca: string | undefined;
}

/**
 * Reads what the Secret of a webhook holds, anew each time: `url`, and, where there are such files, `token`, `signing-key` and `ca.crt`.
 * Rejects with a WebhookError that says what is wrong, and nothing of what they hold.
 */
export async function readReceiver(folder: string, name: string): Promise<Receiver> {
  const [text, token, signingKey, ca] = await Promise.all(
    ['url', 'token', 'signing-key', 'ca.crt'].map((file) => readOptional(join(folder, name, file))),
  );
  if (text === undefined) throw new WebhookError('its Secret, or the key of its URL in it, is missing');
  const url = URL.parse(text);
  if (url === null) throw new WebhookError('what its Secret holds as URL is none');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new WebhookError('the URL in its Secret is neither https nor http');
  return { url, token, signingKey, ca };
}

/** A file's text without white space around; undefined where there is no file, or it is empty. */
async function readOptional(path: string): Promise<string | undefined> {
  try {
    const text = (await readText(path)).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new WebhookError('the files of its Secret cannot be read');
  }
}

/** Whether the Secret of each webhook can be read, by its name. Never rejects. */
export async function readableReceivers({
  folder,
  webhooks,
}: Pick<NotificationsConfig, 'folder' | 'webhooks'>): Promise<Map<string, boolean>> {
  const readable = webhooks.map(async ({ name }) => {
    const found = await readReceiver(folder, name).then(
      () => true,
      () => false,
    );
    return [name, found] as const;
  });
  return new Map(await Promise.all(readable));
}

import type { NotificationsConfig } from './config.ts';
import { payloadOf } from './payload.ts';
import { post } from './post.ts';
import { readReceiver } from './receiver.ts';
import { WebhookError } from './webhook-error.ts';

const TIMEOUT_MS = 10_000;

/** Sends one test message to each webhook; `print` gets a line for each. Resolves with whether all were taken. */
export async function runNotifyTest(
  { webhooks, folder, cluster, proxy }: NotificationsConfig,
  print: (line: string) => void,
  signal: AbortSignal,
  now = Date.now(),
): Promise<boolean> {
  const taken = await Promise.all(
    webhooks.map(async ({ name, format }) => {
      try {
        const receiver = await readReceiver(folder, name);
        const message = {
          id: `Test/${name}@${new Date(now).toISOString()}`,
          type: 'Test' as const,
          at: now,
          message: `the webhook ${name} works`,
          advice: 'Nothing.',
        };
        await post(receiver, payloadOf(format, message, cluster), { now, timeoutMs: TIMEOUT_MS, proxy, signal });
        print(`${name}: taken by ${receiver.url.hostname}`);
        return true;
      } catch (error) {
        if (!(error instanceof WebhookError)) throw error;
        print(`${name}: not sent: ${error.message}`);
        return false;
      }
    }),
  );
  return taken.every((one) => one);
}

import { createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { ProxyEnvironment } from '../../kube/credentials.ts';
import { VERSION } from '../../version.ts';
import type { Receiver } from './receiver.ts';
import { codeOf, WebhookError } from './webhook-error.ts';

/** How a notification is sent. */
export interface PostOptions {
  /** Milliseconds since the epoch, for the signature. */
  now: number;
  /** So long the whole attempt may take, in milliseconds. */
  timeoutMs: number;
  proxy: ProxyEnvironment;
  signal: AbortSignal;
}

const MAX_RETRY_AFTER_MS = 15 * 60_000;

/**
 * Sends a payload once; resolves when the receiver has taken it (2xx). Rejects with a WebhookError. The answer's head is all that is
 * read, and no redirect is followed: it would lead to a host that nobody has named.
 */
export async function post(receiver: Receiver, payload: object, options: PostOptions): Promise<void> {
  const { hostname } = receiver.url;
  const { status, retryAfter } = await answerTo(receiver, Buffer.from(JSON.stringify(payload)), options);
  if (status >= 200 && status < 300) return;
  if (status >= 300 && status < 400)
    throw new WebhookError(`${hostname} answers with a redirect (${status}), which is not followed: put the address itself in the Secret`);
  throw new WebhookError(`${hostname} answers ${status}`, {
    retryable: status >= 500 || MENDED_BY_TIME_OR_SECRET.has(status),
    retryAfterMs: retryAfterMs(retryAfter, options.now),
  });
}

/** An address, a token or a proxy may be put right while the notification waits; one that is refused as such is refused again. */
const MENDED_BY_TIME_OR_SECRET: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 410, 421, 425, 429]);

/** A Retry-After header, as seconds or as a date, in milliseconds from now; bounded. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const wait = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(wait) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, wait));
}

interface Head {
  status: number;
  retryAfter: string | undefined;
}

async function answerTo({ url, ca, ...secrets }: Receiver, body: Buffer, options: PostOptions): Promise<Head> {
  const { now, timeoutMs, proxy, signal } = options;
  const overdue = AbortSignal.timeout(timeoutMs);
  const secure = url.protocol === 'https:';
  // A connection of its own: notifications are rare, and what is closed leaves nothing behind.
  const agentOptions = { keepAlive: false, proxyEnv: proxy, ...(ca !== undefined && { ca }) };
  const agent = secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions);
  try {
    return await new Promise<Head>((resolve, reject) => {
      const request = (secure ? https : http).request(url, {
        method: 'POST',
        agent,
        signal: AbortSignal.any([signal, overdue]),
        headers: headersOf(secrets, body, now),
      });
      request.on('error', reject);
      request.once('response', (response) => {
        response.on('error', () => {});
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
        response.destroy();
      });
      request.end(body);
    });
  } catch (error) {
    if (overdue.aborted) throw new WebhookError(`${url.hostname} gives no answer within ${timeoutMs / 1000} s`);
    throw new WebhookError(`${url.hostname} cannot be reached (${codeOf(error) ?? 'the connection failed'})`);
  } finally {
    agent.destroy();
  }
}

function headersOf({ token, signingKey }: Pick<Receiver, 'token' | 'signingKey'>, body: Buffer, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  return {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'user-agent': `lockkeeper/${VERSION}`,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(signingKey !== undefined && {
      'x-lockkeeper-timestamp': timestamp,
      'x-lockkeeper-signature': `sha256=${createHmac('sha256', signingKey).update(`${timestamp}.`).update(body).digest('hex')}`,
    }),
  };
}

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { testCertificate } from '../../kube/testing/certificate.ts';
import { type PostOptions, post, retryAfterMs } from './post.ts';
import type { Receiver } from './receiver.ts';
import { type HttpReceiver, startReceiver } from './testing/http-receiver.ts';
import { WebhookError } from './webhook-error.ts';

const SECRET = 'T00/B00/very-secret';
const NOW = Date.parse('2026-03-01T12:00:00Z');

let server: HttpReceiver;
const open: { close(): unknown }[] = [];
const started = async (tls?: typeof testCertificate): Promise<HttpReceiver> => {
  const receiver = await startReceiver(tls);
  open.push(receiver);
  return receiver;
};
beforeEach(async () => {
  server = await started();
});
afterEach(() => Promise.all(open.splice(0).map((each) => each.close())));

const to = (url: string, change: Partial<Receiver> = {}): Receiver => ({
  url: new URL(url),
  token: undefined,
  signingKey: undefined,
  ca: undefined,
  ...change,
});
const here = (change: Partial<Receiver> = {}): Receiver => to(`${server.url}/services/${SECRET}`, change);
const options = (change: Partial<PostOptions> = {}): PostOptions => ({
  now: NOW,
  timeoutMs: 20_000,
  proxy: {},
  signal: new AbortController().signal,
  ...change,
});

async function failureOf(sending: Promise<void>): Promise<WebhookError> {
  const error = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WebhookError)) throw new Error(`no WebhookError, but ${error}`);
  // Neither message nor stack nor anything that a logger may print holds the secret part of the address.
  for (const text of [String(error), error.stack ?? '', JSON.stringify(error, Object.getOwnPropertyNames(error)), String(error.cause)])
    expect(text).not.toContain('secret');
  return error;
}

test('a payload is sent as JSON, with token and signature where there are such', async () => {
  await post(here({ token: 'bearer-1', signingKey: 'key-1' }), { id: 'x', message: '한글' }, options());
  const [{ path, headers, body } = { path: '', headers: {}, body: '' }] = server.got;
  expect(path).toBe(`/services/${SECRET}`);
  expect(JSON.parse(body)).toEqual({ id: 'x', message: '한글' });
  const timestamp = String(NOW / 1000);
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    authorization: 'Bearer bearer-1',
    'x-lockkeeper-timestamp': timestamp,
    'x-lockkeeper-signature': `sha256=${createHmac('sha256', 'key-1').update(`${timestamp}.${body}`).digest('hex')}`,
    'user-agent': expect.stringMatching(/^lockkeeper\//),
  });
  await post(here(), {}, options());
  expect(server.got[1]?.headers).not.toHaveProperty('authorization');
  expect(server.got[1]?.headers).not.toHaveProperty('x-lockkeeper-signature');
});

describe('an answer', () => {
  test.each([
    [200, true, false],
    [204, true, false],
    [400, false, false],
    [413, false, false],
    [401, false, true],
    [403, false, true],
    [404, false, true],
    [408, false, true],
    [410, false, true],
    [429, false, true],
    [500, false, true],
    [503, false, true],
  ])('of %i: taken %p, again %p', async (status, taken, again) => {
    server.answer = (response) => response.writeHead(status).end('what it says of very-secret is not read');
    const sending = post(here(), {}, options());
    if (taken) return sending;
    expect(await failureOf(sending)).toMatchObject({ message: `127.0.0.1 answers ${status}`, retryable: again });
  });

  test('that asks to wait is heard', async () => {
    server.answer = (response) => response.writeHead(429, { 'retry-after': '42' }).end();
    expect(await failureOf(post(here(), {}, options()))).toMatchObject({ retryAfterMs: 42_000 });
  });

  test('that leads elsewhere is not followed', async () => {
    const elsewhere = await started();
    server.answer = (response) => response.writeHead(307, { location: `${elsewhere.url}/very-secret` }).end();
    expect((await failureOf(post(here(), {}, options()))).message).toContain('answers with a redirect (307), which is not followed');
    expect(elsewhere.got).toEqual([]);
  });

  test('that never ends is not waited for', async () => {
    const closed = Promise.withResolvers<void>();
    server.answer = (response) => {
      response.on('close', () => closed.resolve());
      response.writeHead(200);
      const more = (): void => void response.write('x'.repeat(65_536), (error) => error ?? more());
      more();
    };
    await post(here(), {}, options());
    await closed.promise;
  });

  test('that never comes is given up, and so is one that is not wanted any more', async () => {
    server.answer = () => {};
    const late = await failureOf(post(here(), {}, options({ timeoutMs: 50 })));
    expect(late).toMatchObject({ message: '127.0.0.1 gives no answer within 0.05 s', retryable: true });
    const stop = new AbortController();
    server.answer = () => stop.abort();
    await failureOf(post(here(), {}, options({ signal: stop.signal })));
  });

  test('that is cut off is none', async () => {
    server.answer = (response) => response.destroy();
    expect((await failureOf(post(here(), {}, options()))).message).toBe('127.0.0.1 cannot be reached (ECONNRESET)');
  });
});

describe('a receiver that cannot be reached', () => {
  test('nobody listens', async () => {
    await open.pop()?.close();
    expect(await failureOf(post(here(), {}, options()))).toMatchObject({
      message: '127.0.0.1 cannot be reached (ECONNREFUSED)',
      retryable: true,
    });
  });

  test('no such name', async () => {
    const { message } = await failureOf(post(to(`https://no-such-host.invalid/${SECRET}`), {}, options()));
    expect(message).toMatch(/^no-such-host\.invalid cannot be reached \(E[A-Z_]+\)$/);
  });

  test('a certificate that nobody vouches for, unless the Secret does', async () => {
    const secure = await started(testCertificate);
    const { message } = await failureOf(post(to(`${secure.url}/${SECRET}`), {}, options()));
    expect(message).toBe('127.0.0.1 cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT)');
    expect(secure.got).toEqual([]);
    await post(to(`${secure.url}/${SECRET}`, { ca: testCertificate.cert }), {}, options());
    expect(secure.got).toHaveLength(1);
  });

  test('a token that no header can hold', async () => {
    expect((await failureOf(post(here({ token: 'very-secret\u0000' }), {}, options()))).message).toContain('ERR_INVALID_CHAR');
  });
});

test('a proxy is gone through, unless NO_PROXY names the receiver', async () => {
  const secure = await started(testCertificate);
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = http.createServer();
  proxy.on('connect', ({ url = '' }: http.IncomingMessage, socket: Socket) => {
    tunnels.push(url);
    const onward = connect(Number(url.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const each of [socket, onward]) sockets.add(each.on('error', () => {}));
  });
  open.push({
    close() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const environment = { HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  // A name that only the proxy finds.
  const receiver = to(`${secure.url.replace('127.0.0.1', 'api.fake')}/${SECRET}`, { ca: testCertificate.cert });
  await post(receiver, {}, options({ proxy: environment }));
  expect(tunnels).toEqual([receiver.url.host]);
  expect(secure.got).toHaveLength(1);
  await failureOf(post(receiver, {}, options({ proxy: { ...environment, NO_PROXY: '.fake' } })));
  expect(tunnels).toHaveLength(1);
});

test.each([
  [undefined, undefined],
  ['0', 0],
  ['120', 120_000],
  ['999999999', 900_000],
  ['Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
  ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
  ['soon', undefined],
  ['-1', 0],
])('Retry-After %p', (header, expected) => {
  expect(retryAfterMs(header, NOW)).toBe(expected);
});

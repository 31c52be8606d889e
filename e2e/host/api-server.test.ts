import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { bodyLimit } from './json-body.ts';
import { startHost, stopHosts } from './test-host.ts';

afterEach(stopHosts);

/** Sends bytes, and waits until the server ends the connection. */
const exchange = (socketPath: string, bytes: string) =>
  new Promise<string>((resolve, reject) => {
    let received = '';
    const socket = connect(socketPath, () => bytes !== '' && socket.write(bytes));
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });

/** Sends bytes, and waits until what came back ends as told. */
const received = (socketPath: string, bytes: string, ending: string) =>
  new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = connect(socketPath, () => socket.write(bytes));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk;
      if (!text.endsWith(ending)) return;
      socket.destroy();
      resolve(text);
    });
  });

describe('what is not in the table', () => {
  test.each([
    ['HEAD', '/os'],
    ['OPTIONS', '/os'],
    ['POST', '/os'],
    ['GET', '/os/'],
    ['GET', '/'],
    ['GET', '/actions/refresh-updates'],
    ['DELETE', '/settings'],
    ['GET', '/updates/status/'],
    ['GET', '/nowhere'],
  ])('%s %s is a 404 without a body', async (method, path) => {
    const { ask } = await startHost();
    const { status, text, headers } = await ask(method, path);
    expect({ status, text, type: headers['content-type'], length: headers['content-length'] }).toEqual({
      status: 404,
      text: '',
      type: undefined,
      length: '0',
    });
  });
});

describe('errors', () => {
  test("the server's own are plain text without a Content-Type", async () => {
    const { ask } = await startHost();
    const { status, text, headers } = await ask('GET', '/updates/status');
    expect([status, headers['content-type'], headers['content-length']]).toEqual([404, undefined, String(text.length)]);
  });

  test.each(['text/plain', undefined])('a body of the type %s is refused', async (type) => {
    const { socketPath } = await startHost();
    const header = type === undefined ? '' : `content-type: ${type}\r\n`;
    const reply = await received(socketPath, `PATCH /settings HTTP/1.1\r\nhost: h\r\n${header}content-length: 2\r\n\r\n{}`, 'error');
    expect(reply).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
    expect(reply).toMatch(/\r\n\r\nContent type error$/);
  });

  test('a body above the limit is 413, and not read', async () => {
    const { socketPath } = await startHost();
    const head = `PATCH /settings HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: ${bodyLimit + 1}\r\n\r\n`;
    expect(await exchange(socketPath, head)).toMatch(/^HTTP\/1.1 413 Payload Too Large\r\n/);
  });

  test('a body of unknown length is 413 once it is above the limit', async () => {
    const { socketPath } = await startHost();
    const head = 'PATCH /settings HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
    const size = bodyLimit + 1;
    expect(await exchange(socketPath, `${head}${size.toString(16)}\r\n${' '.repeat(size)}`)).toMatch(/^HTTP\/1.1 413 /);
  });

  test('a body at the limit is read', async () => {
    const { ask } = await startHost();
    expect((await ask('PATCH', '/settings?tx=a', `{}${' '.repeat(bodyLimit - 2)}`)).status).toBe(204);
  });
});

describe('connections', () => {
  test.each([
    ['nothing', ''],
    ['half a head', 'GET /os HTTP/1.1\r\nhost'],
  ])('a client that sends %s gets a 408', async (_, bytes) => {
    const { socketPath } = await startHost({ timings: { clientTimeoutMs: 50 } });
    expect(await exchange(socketPath, bytes)).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
  });

  test('an idle connection is closed without a word, and its timeout not announced', async () => {
    const { socketPath } = await startHost({ timings: { clientTimeoutMs: 50 } });
    const text = await exchange(socketPath, 'GET /os HTTP/1.1\r\nhost: h\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(text).not.toMatch(/keep-alive/i);
    expect(text).not.toMatch(/408/);
  });

  test('a connection serves more than one request', async () => {
    const { socketPath } = await startHost();
    const get = 'GET /updates/status HTTP/1.1\r\nhost: h\r\n\r\n';
    const text = await received(socketPath, get + get, 'initialize it');
    expect(text.match(/404 Not Found/g)?.length ?? 0).toBeGreaterThanOrEqual(1);
  });

  test('stray bytes follow the 204 of /tx/apply', async () => {
    const { socketPath } = await startHost();
    expect(await received(socketPath, 'POST /tx/apply HTTP/1.1\r\nhost: h\r\n\r\n', 'null')).toMatch(
      /^HTTP\/1.1 204 No Content\r\n[\s\S]*\r\n\r\nnull$/,
    );
  });
});

describe('answers that make no sense', () => {
  test('garbage', async () => {
    const { host, ask } = await startHost();
    host.faults.arm('garbage', 2);
    for (const path of ['/os', '/updates/status']) {
      expect(await ask('GET', path)).toMatchObject({ status: 200, text: expect.stringContaining('<html>') });
    }
    expect(JSON.parse((await ask('GET', '/os')).text)).toMatchObject({ version_id: '1.26.0' });
  });

  test('an unknown shape', async () => {
    const { host, ask } = await startHost();
    host.faults.arm('wrongShape');
    expect(JSON.parse((await ask('GET', '/updates/status')).text)).toMatchObject({ update_state: 'Lost' });
  });

  test('too much', async () => {
    const { host, ask } = await startHost();
    host.faults.arm('hugeAnswer');
    expect((await ask('GET', '/os')).text.length).toBe(16 * 1024 * 1024);
  });

  test('half an answer', async () => {
    const { host, ask } = await startHost();
    host.faults.arm('cutOff');
    await expect(ask('GET', '/os')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect((await ask('GET', '/os')).status).toBe(200);
  });

  test('a spoiled answer to an action does not undo the action', async () => {
    const { host, act, status } = await startHost();
    host.faults.arm('garbage');
    expect((await act('refresh-updates')).status).toBe(200);
    expect((await status()).update_state).toBe('Available');
  });
});

test('what was asked is kept, up to a bound', async () => {
  const at = new Date('2026-01-01T00:00:00Z');
  const { host, ask } = await startHost({ now: () => at });
  await ask('GET', '/settings?prefix=updates');
  expect(host.requests).toEqual([{ method: 'GET', path: '/settings?prefix=updates', at }]);
  for (let count = 0; count < 1_000; count += 50) {
    await Promise.all(Array.from({ length: 50 }, () => ask('GET', '/os')));
  }
  expect(host.requests.length).toBe(1_000);
  expect(host.requests[0]).toMatchObject({ path: '/os' });
});

test('a dropped fault does not happen', async () => {
  const { host, act } = await startHost();
  host.faults.arm('dispatcherFails', Number.POSITIVE_INFINITY);
  expect((await act('refresh-updates')).status).toBe(500);
  expect((await act('refresh-updates')).status).toBe(500);
  host.faults.disarm('dispatcherFails');
  expect((await act('refresh-updates')).status).toBe(204);
});

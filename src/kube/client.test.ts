import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { KubeClient as Client, type KubeClient, type RequestReport } from './client.ts';
import { ApiError, ApiProtocolError, ApiUnreachableError, isConflict, isNotFound } from './errors.ts';
import { testCertificate } from './testing/certificate.ts';
import { FakeApiServer, status } from './testing/fake-api-server.ts';
import { eventually, FakeClock } from './testing/fake-clock.ts';
import { testClient, testCredentials } from './testing/fixtures.ts';

// On a busy machine a test may take its time.
jest.setTimeout(60_000);

let server: FakeApiServer;
let client: KubeClient;
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

beforeEach(async () => {
  server = new FakeApiServer();
  await server.start();
  client = testClient(server);
});
afterEach(async () => {
  client.close();
  await server.stop();
});

describe('requests', () => {
  test('get, create, patch and delete', async () => {
    await client.create('/api/v1/nodes', { metadata: { name: 'a' }, spec: { x: 1 } });
    const patched = await client.mergePatch('/api/v1/nodes/a', { spec: { y: 'ü' } });
    expect(patched).toMatchObject({ spec: { x: 1, y: 'ü' } });
    expect(await client.get('/api/v1/nodes/a')).toEqual(patched);
    await client.delete('/api/v1/nodes/a');
    expect(isNotFound(await failure(client.get('/api/v1/nodes/a')))).toBe(true);
    expect(server.requests.map((request) => request.headers['content-type'])).toEqual([
      'application/json',
      'application/merge-patch+json',
      undefined,
      undefined,
      undefined,
    ]);
    expect(server.requests[0]!.headers['user-agent']).toBe('test');
  });

  test('share one connection', async () => {
    for (let i = 0; i < 20; i += 1) await failure(client.get('/api/v1/nodes/a'));
    expect(server.connections).toBe(1);
  });

  test('open no more connections than allowed', async () => {
    const narrow = testClient(server, { maxSockets: 2 });
    await Promise.all(Array.from({ length: 20 }, () => failure(narrow.get('/api/v1/nodes/a'))));
    expect(server.connections).toBe(2);
    narrow.close();
  });

  test('keep the path of a server behind a proxy', async () => {
    const behind = testClient(server, { credentials: testCredentials(new URL('/k8s/clusters/c-1/', server.url)) });
    await failure(behind.get('/api/v1/nodes', { query: { labelSelector: 'a=b,c', absent: undefined } }));
    expect(server.requests[0]!.path).toBe('/k8s/clusters/c-1/api/v1/nodes');
    expect(server.requests[0]!.query.get('labelSelector')).toBe('a=b,c');
    expect(server.requests[0]!.query.has('absent')).toBe(false);
    behind.close();
  });

  test('a refusal is an ApiError with what the Status says', async () => {
    server.fault = () => ({
      status: 429,
      body: {
        ...status(429, 'TooManyRequests', 'Cannot evict pod'),
        details: { name: 'p', retryAfterSeconds: 10, causes: [{ reason: 'DisruptionBudget', message: 'needs 2' }] },
      },
    });
    const error = await failure(client.evict('default', 'p', {}));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 429, reason: 'TooManyRequests', retryAfterMs: 10_000, retryable: true, details: { name: 'p' } });
    expect((error as ApiError).hasCause('DisruptionBudget')).toBe(true);
    expect((error as ApiError).message).toContain('Cannot evict pod');
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({
      path: '/api/v1/namespaces/default/pods/p/eviction',
      body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p', namespace: 'default' } },
    });
  });

  test('a conflict is told as one, and is not to be repeated as it is', async () => {
    server.put('a');
    const error = await failure(client.mergePatch('/api/v1/nodes/a', { metadata: { resourceVersion: '1' } }));
    expect(isConflict(error)).toBe(true);
    expect((error as ApiError).retryable).toBe(false);
  });

  test('an error without a Status keeps the words', async () => {
    server.fault = () => ({ status: 502, body: '<h1>Bad gateway</h1>' });
    expect(await failure(client.get('/api/v1/nodes'))).toMatchObject({
      status: 502,
      retryable: true,
      message: expect.stringContaining('Bad gateway'),
    });
  });

  test('an error with a Status that makes no sense is still an ApiError', async () => {
    server.fault = () => ({ status: 403, body: { message: 7, details: 'x' } });
    expect(await failure(client.get('/api/v1/nodes'))).toMatchObject({ status: 403, reason: undefined, causes: [] });
  });

  test('an answer that is no JSON is an ApiProtocolError', async () => {
    server.fault = () => ({ status: 200, body: '{"half":' });
    expect(await failure(client.get('/api/v1/nodes'))).toBeInstanceOf(ApiProtocolError);
  });

  test('an answer that is too long is given up', async () => {
    const small = testClient(server, { maxBodyBytes: 1_000 });
    server.put('a', { data: 'x'.repeat(2_000) });
    expect(await failure(small.get('/api/v1/nodes/a'))).toBeInstanceOf(ApiProtocolError);
    small.close();
  });

  test('a busy server is asked again after Retry-After', async () => {
    const clock = new FakeClock();
    const patient = testClient(server, { clock });
    server.put('a');
    const askedAt: number[] = [];
    server.fault = () => {
      askedAt.push(clock.monotonic());
      return askedAt.length < 3 ? { status: 429, body: 'Too many requests', headers: { 'retry-after': '2' } } : undefined;
    };
    let answer: unknown;
    const asked = patient.get('/api/v1/nodes/a').then((got) => {
      answer = got;
    });
    while (answer === undefined) await clock.advanceGently(100);
    await asked;
    expect(answer).toMatchObject({ metadata: { name: 'a' } });
    expect(askedAt).toHaveLength(3);
    expect(askedAt[1]! - askedAt[0]!).toBeGreaterThanOrEqual(2_000);
    expect(askedAt[2]! - askedAt[1]!).toBeGreaterThanOrEqual(2_000);
    patient.close();
  });

  test('a busy server is not waited for beyond the timeout', async () => {
    server.fault = () => ({ status: 503, headers: { 'retry-after': '9' } });
    expect(await failure(client.request({ method: 'GET', path: '/api/v1/nodes', timeoutMs: 5_000 }))).toMatchObject({ status: 503 });
    expect(server.requests).toHaveLength(1);
  });

  test('no answer in time', async () => {
    const clock = new FakeClock();
    const impatient = testClient(server, { clock, requestTimeoutMs: 3_000 });
    server.fault = () => 'hang';
    const answer = failure(impatient.get('/api/v1/nodes'));
    await eventually(() => server.requests.length === 1);
    clock.advance(3_000);
    const error = await answer;
    expect(error).toBeInstanceOf(ApiUnreachableError);
    expect(error).toMatchObject({ timedOut: true, retryable: true });
    expect(clock.timers).toBe(0);
    impatient.close();
  });

  test('an abort ends the request with its reason', async () => {
    server.fault = () => 'hang';
    const stop = new AbortController();
    const answer = failure(client.get('/api/v1/nodes', { signal: stop.signal }));
    await eventually(() => server.requests.length === 1);
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await answer).toBe(reason);
    expect(await failure(client.get('/api/v1/nodes', { signal: stop.signal }))).toBe(reason);
    expect(server.requests).toHaveLength(1);
  });

  test('a cut connection is an ApiUnreachableError', async () => {
    server.fault = () => 'cut';
    expect(await failure(client.create('/api/v1/nodes', { metadata: { name: 'a' } }))).toBeInstanceOf(ApiUnreachableError);
    expect(server.requests).toHaveLength(1);
  });

  test('no server is an ApiUnreachableError', async () => {
    const gone = testClient(server, { credentials: testCredentials(new URL('http://127.0.0.1:1')) });
    expect(await failure(gone.get('/api/v1/nodes'))).toBeInstanceOf(ApiUnreachableError);
    gone.close();
  });

  test('an idle connection that the server had closed costs a second try, but never a second POST', async () => {
    server.put('a');
    for (const method of ['GET', 'POST'] as const) {
      server.fault = () => undefined;
      await client.get('/api/v1/nodes/a');
      let cuts = 1;
      server.fault = () => (cuts-- > 0 ? 'cut' : undefined);
      const before = server.requests.length;
      const error = await failure(
        client.request({ method, path: '/api/v1/nodes/a', body: method === 'POST' ? { metadata: { name: 'b' } } : undefined }),
      );
      expect(server.requests.length - before).toBe(method === 'GET' ? 2 : 1);
      expect(error instanceof ApiUnreachableError).toBe(method === 'POST');
    }
  });

  test('several idle connections that the server had closed cost one second try', async () => {
    server.put('a');
    server.fault = () => undefined;
    await Promise.all([1, 2, 3].map(() => client.get('/api/v1/nodes/a')));
    expect(server.connections).toBe(3);
    let cuts = 1;
    server.fault = () => (cuts-- > 0 ? 'cut' : undefined);
    await client.get('/api/v1/nodes/a');
    expect(server.connections).toBe(4);
  });

  test('are reported', async () => {
    const reports: RequestReport[] = [];
    const reporting = testClient(server, { onRequest: (report) => reports.push(report) });
    server.put('a');
    await reporting.get('/api/v1/nodes/a');
    await failure(reporting.evict('default', 'p', {}));
    server.fault = () => 'cut';
    await failure(reporting.create('/apis/lockkeeper.dev/v1alpha1/nodehosts', {}));
    expect(reports).toMatchObject([
      { method: 'GET', resource: 'nodes', status: 200, watch: false },
      { method: 'POST', resource: 'pods/eviction', watch: false },
      { method: 'POST', resource: 'nodehosts', status: undefined },
    ]);
    reporting.close();
  });
});

describe('credentials', () => {
  test('a 401 has the token read again, and is tried once more', async () => {
    const credentials = testCredentials(server.url);
    const authorized = testClient(server, { credentials });
    credentials.token = 'Bearer old';
    credentials.onRefresh = () => {
      credentials.token = 'Bearer new';
    };
    server.put('a');
    server.fault = ({ headers }) => (headers.authorization === 'Bearer new' ? undefined : { status: 401 });
    expect(await authorized.get('/api/v1/nodes/a')).toMatchObject({ metadata: { name: 'a' } });
    expect(server.requests.map((request) => request.headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
    authorized.close();
  });

  test.each([401, 403, 422])('a %i with the same token is what it says', async (code) => {
    const credentials = testCredentials(server.url);
    const authorized = testClient(server, { credentials });
    credentials.token = 'Bearer old';
    server.fault = () => ({ status: code });
    expect(await failure(authorized.get('/api/v1/nodes'))).toMatchObject({ status: code });
    expect(server.requests).toHaveLength(1);
    expect(credentials.refreshed).toBe(1);
    authorized.close();
  });

  test('credentials that do not come are not waited for beyond the timeout, nor beyond an abort', async () => {
    const clock = new FakeClock();
    const credentials = { ...testCredentials(server.url), authorization: () => new Promise<undefined>(() => {}) };
    const stuck = testClient(server, { credentials, clock });
    const late = failure(stuck.get('/api/v1/nodes'));
    clock.advance(15_000);
    expect(await late).toMatchObject({ timedOut: true });
    const stop = new AbortController();
    const aborted = failure(stuck.get('/api/v1/nodes', { signal: stop.signal }));
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await aborted).toBe(reason);
    expect(clock.timers).toBe(0);
    stuck.close();
  });

  test('a watch tries a new token, too', async () => {
    const credentials = testCredentials(server.url);
    const authorized = testClient(server, { credentials });
    credentials.token = 'Bearer old';
    credentials.onRefresh = () => {
      credentials.token = 'Bearer new';
    };
    server.put('a');
    server.fault = ({ headers }) => (headers.authorization === 'Bearer new' ? undefined : { status: 401 });
    for await (const event of authorized.watch('/api/v1/nodes', {}, new AbortController().signal)) {
      expect(event.type).toBe('ADDED');
      break;
    }
    authorized.close();
  });

  test('TLS: the CA is looked at', async () => {
    const secure = new FakeApiServer({ tls: testCertificate });
    await secure.start();
    const withTls = (tls: object): Client =>
      new Client({ credentials: { ...testCredentials(secure.url), tls: async () => tls }, userAgent: 'test' });
    secure.put('a');
    const trusting = withTls({ ca: testCertificate.cert });
    await Promise.all([1, 2].map(() => trusting.get('/api/v1/nodes/a')));
    await trusting.get('/api/v1/nodes/a');
    expect(secure.connections).toBe(2);
    const careless = withTls({ rejectUnauthorized: false });
    await careless.get('/api/v1/nodes/a');
    const named = withTls({ ca: testCertificate.cert, servername: 'api.fake' });
    await named.get('/api/v1/nodes/a');
    const misnamed = withTls({ ca: testCertificate.cert, servername: 'other.fake' });
    expect(await failure(misnamed.get('/api/v1/nodes/a'))).toBeInstanceOf(ApiUnreachableError);
    const wary = withTls({});
    expect(await failure(wary.get('/api/v1/nodes/a'))).toBeInstanceOf(ApiUnreachableError);
    for (const each of [trusting, careless, named, misnamed, wary]) each.close();
    await secure.stop();
  });
});

describe('clockOffsetMs', () => {
  test('moves only when the clocks differ by more than 1.5 s, and back', async () => {
    const clock = new FakeClock(Date.parse('2026-03-01T12:00:00.500Z'));
    const timed = testClient(server, { clock });
    const ask = async (serverTime: string): Promise<number> => {
      server.date = () => Date.parse(serverTime);
      await failure(timed.get('/api/v1/nodes/a'));
      return timed.clockOffsetMs;
    };
    expect(await ask('2026-03-01T12:00:00Z')).toBe(0);
    expect(await ask('2026-03-01T12:00:01Z')).toBe(0);
    expect(await ask('2026-03-01T11:59:59Z')).toBe(0);
    expect(await ask('2026-03-01T12:00:10Z')).toBe(10_000);
    expect(await ask('2026-03-01T12:00:11Z')).toBe(10_000);
    expect(await ask('2026-03-01T12:00:00Z')).toBe(0);
    timed.close();
  });

  test('a slow answer is no reason', async () => {
    const clock = new FakeClock(Date.parse('2026-03-01T12:00:00.500Z'));
    const timed = testClient(server, { clock });
    server.date = () => Date.parse('2026-03-01T12:00:00Z');
    server.fault = () => {
      clock.advance(10_000);
      return undefined;
    };
    await failure(timed.get('/api/v1/nodes/a'));
    expect(timed.clockOffsetMs).toBe(0);
    timed.close();
  });
});

describe('listPages', () => {
  const names = async (limit: number): Promise<unknown[]> => {
    const pages: unknown[] = [];
    for await (const page of client.listPages('/api/v1/nodes', {}, limit)) {
      pages.push([page.page, ...page.items.map((item) => (item as { metadata: { name: string } }).metadata.name)]);
    }
    return pages;
  };

  test('follows continue', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) server.put(name);
    expect(await names(2)).toEqual([
      [0, 'a', 'b'],
      [1, 'c', 'd'],
      [2, 'e'],
    ]);
    expect(server.requests.every((request) => request.query.get('limit') === '2')).toBe(true);
  });

  test('an empty list is one page', async () => {
    expect(await names(2)).toEqual([[0]]);
  });

  test('starts again when the server forgot the list midway', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name);
    let forgotten = false;
    server.fault = ({ query }) => {
      if (query.has('continue') && !forgotten) {
        forgotten = true;
        server.compact();
      }
      return undefined;
    };
    expect(await names(2)).toEqual([
      [0, 'a', 'b'],
      [0, 'a', 'b'],
      [1, 'c'],
    ]);
  });

  test('gives up when it is forgotten again and again', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name);
    server.fault = () => {
      server.compact();
      return undefined;
    };
    expect(await failure(names(2))).toMatchObject({ status: 410 });
    expect(server.count('list')).toBe(8);
  });

  test('an answer that is no list is an ApiProtocolError', async () => {
    server.fault = () => ({ status: 200, body: { items: 'none' } });
    expect(await failure(names(2))).toBeInstanceOf(ApiProtocolError);
  });
});

describe('watch', () => {
  const collect = async (events: unknown[], stop: AbortSignal, options: Parameters<typeof testClient>[1] = {}): Promise<void> => {
    const watching = testClient(server, options);
    try {
      for await (const event of watching.watch('/api/v1/nodes', {}, stop)) events.push(event);
    } finally {
      watching.close();
    }
  };

  test('puts lines together, whatever the chunks, characters of several bytes included', async () => {
    const events: unknown[] = [];
    const stop = new AbortController();
    const done = collect(events, stop.signal);
    await eventually(() => server.watches === 1);
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: { text: 'päß 漢字 🚢' } })}\n\n`);
    for (const byte of bytes) {
      server.sendBytes(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    server.sendLine(`${JSON.stringify({ type: 'MODIFIED', object: { n: 1 } })}\n${JSON.stringify({ type: 'DELETED', object: { n: 2 } })}`);
    await eventually(() => events.length === 3);
    expect(events).toEqual([
      { type: 'ADDED', object: { text: 'päß 漢字 🚢' } },
      { type: 'MODIFIED', object: { n: 1 } },
      { type: 'DELETED', object: { n: 2 } },
    ]);
    stop.abort();
    await done;
  });

  test('ends quietly when the server ends it, and when it is aborted', async () => {
    const stop = new AbortController();
    const first = collect([], stop.signal);
    await eventually(() => server.watches === 1);
    server.closeWatches();
    await first;
    const second = collect([], stop.signal);
    await eventually(() => server.watches === 1);
    stop.abort();
    await second;
    await eventually(() => server.watches === 0);
    await collect([], stop.signal);
  });

  test('a cut one is an ApiUnreachableError, in the middle of a line, too', async () => {
    for (const bytes of ['', '{"type":"AD']) {
      const done = failure(collect([], new AbortController().signal));
      await eventually(() => server.watches === 1);
      if (bytes !== '') server.sendBytes(Buffer.from(bytes));
      server.cutConnections();
      expect(await done).toBeInstanceOf(ApiUnreachableError);
      await eventually(() => server.watches === 0);
    }
    const done = failure(collect([], new AbortController().signal));
    await eventually(() => server.watches === 1);
    server.sendBytes(Buffer.from('{"type":"AD'));
    server.closeWatches();
    expect(await done).toBeInstanceOf(ApiUnreachableError);
  });

  test.each([
    ['garbage', 'ha{'],
    ['no event', '{"type":"RENAMED","object":{}}'],
    ['no object', '[]'],
    ['a line too long', JSON.stringify({ type: 'ADDED', object: { x: 'x'.repeat(5_000) } })],
  ])('%s is an ApiProtocolError', async (_name, line) => {
    const done = failure(collect([], new AbortController().signal, { maxLineBytes: 4_000 }));
    await eventually(() => server.watches === 1);
    server.sendLine(line);
    expect(await done).toBeInstanceOf(ApiProtocolError);
    await eventually(() => server.watches === 0);
  });

  test('a line without an end is given up, too', async () => {
    const done = failure(collect([], new AbortController().signal, { maxLineBytes: 4_000 }));
    await eventually(() => server.watches === 1);
    server.sendBytes(Buffer.from('x'.repeat(5_000)));
    expect(await done).toBeInstanceOf(ApiProtocolError);
  });

  test('a head that does not come is an ApiUnreachableError; after it there is no timeout', async () => {
    const clock = new FakeClock();
    server.fault = () => 'hang';
    const done = failure(collect([], new AbortController().signal, { clock }));
    await eventually(() => server.requests.length === 1);
    clock.advance(15_000);
    expect(await done).toMatchObject({ timedOut: true });

    server.fault = () => undefined;
    const events: unknown[] = [];
    const stop = new AbortController();
    const second = collect(events, stop.signal, { clock });
    server.put('a');
    await eventually(() => events.length === 1);
    clock.advance(3_600_000);
    server.put('b');
    await eventually(() => events.length === 2);
    stop.abort();
    await second;
    expect(clock.timers).toBe(0);
  });

  test('a refusal is an ApiError', async () => {
    server.fault = () => ({ status: 410, body: status(410, 'Expired') });
    expect(await failure(collect([], new AbortController().signal))).toMatchObject({ status: 410, reason: 'Expired' });
  });

  test('watches do not take the connections of requests', async () => {
    const narrow = testClient(server, { maxSockets: 1 });
    const stop = new AbortController();
    const watches = Array.from({ length: 5 }, async () => {
      for await (const event of narrow.watch('/api/v1/nodes', {}, stop.signal)) expect(event).toBeDefined();
    });
    await eventually(() => server.watches === 5);
    server.put('a');
    await narrow.get('/api/v1/nodes/a');
    stop.abort();
    await Promise.all(watches);
    narrow.close();
  });
});

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { KubeClient } from './client.ts';
import type { Change } from './object-store.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { FakeApiServer, type FakeObject, kindOf, status } from './testing/fake-api-server.ts';
import { breathe, eventually, FakeClock, settle } from './testing/fake-clock.ts';
import { recordingLogger, testClient } from './testing/fixtures.ts';

// On a busy machine a test may take its time.
jest.setTimeout(60_000);

let server: FakeApiServer;
let client: KubeClient;
let clock: FakeClock;
let stop: AbortController;
let running: Promise<void>[];
/** Watches whose head the client has seen. */
let opened: number;
let told: string[];
let logger: ReturnType<typeof recordingLogger>;

beforeEach(async () => {
  server = new FakeApiServer();
  await server.start();
  clock = new FakeClock();
  opened = 0;
  client = countingClient();
  stop = new AbortController();
  running = [];
  told = [];
  logger = recordingLogger();
});
afterEach(async () => {
  stop.abort();
  await Promise.all(running);
  expect(clock.timers).toBe(0);
  client.close();
  await server.stop();
});

const countingClient = (): KubeClient =>
  testClient(server, {
    clock,
    onRequest({ watch, status }) {
      if (watch && status === 200) opened += 1;
    },
  });

const label = ({ type, key, value }: Change<string>): string => `${type} ${key}${value === undefined ? '' : `=${value}`}`;

function start(options: Partial<ReflectorOptions<string>> = {}): Reflector<string> {
  const reflector = new Reflector<string>({
    client,
    path: '/api/v1/nodes',
    project: (raw) => String((raw as FakeObject)['v']),
    onChange: (change) => told.push(label(change)),
    logger,
    clock,
    random: () => 0.5,
    ...options,
  });
  running.push(reflector.run(stop.signal));
  return reflector;
}

async function started(options: Partial<ReflectorOptions<string>> = {}): Promise<Reflector<string>> {
  const reflector = start(options);
  await reflector.waitForSync(stop.signal);
  await eventually(() => server.watches === 1 && opened === 1, 'the watch');
  return reflector;
}

/** Moves time until the condition holds: however long the reflector thinks it should wait. */
async function inTime(condition: () => boolean, what: string, stepMs = 100): Promise<number> {
  const from = clock.monotonic();
  for (let i = 0; i < 20_000 && !condition(); i += 1) {
    clock.advance(stepMs);
    await breathe(stepMs);
  }
  if (!condition()) throw new Error(`${what} did not come true`);
  return clock.monotonic() - from;
}

describe('a reflector', () => {
  test('lists page by page, then watches', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name, { v: 1 });
    const reflector = await started({ pageSize: 2 });
    expect([...reflector.items]).toEqual([
      ['a', '1'],
      ['b', '1'],
      ['c', '1'],
    ]);
    expect(server.count('list')).toBe(2);
    const watch = server.requests.find((request) => kindOf(request) === 'watch')!;
    expect(watch.query.get('allowWatchBookmarks')).toBe('true');
    expect(watch.query.get('resourceVersion')).toBe('103');
    expect(watch.query.has('timeoutSeconds')).toBe(false);
    told = [];
    server.put('a', { v: 2 });
    server.remove('b');
    server.put('d', { v: 1 });
    await eventually(() => told.length === 3);
    expect(told).toEqual(['put a=2', 'delete b', 'put d=1']);
    expect(reflector.synced).toBe(true);
    expect(reflector.lastEventAt).toBe(clock.now());
  });

  test('keys are namespace/name, or what the caller makes of it', async () => {
    server.put('p', { v: 1 }, 'default');
    const reflector = await started({ path: '/api/v1/pods' });
    expect([...reflector.items.keys()]).toEqual(['default/p']);
    const other = start({ path: '/api/v1/pods', key: (raw) => (raw as FakeObject).metadata.uid });
    await other.waitForSync(stop.signal);
    expect([...other.items.keys()]).toEqual(['uid-1']);
  });

  test('what the projection leaves out is not kept', async () => {
    server.put('a', { v: 'no' });
    server.put('b', { v: 'yes' });
    const reflector = await started({ project: (raw) => ((raw as FakeObject)['v'] === 'yes' ? 'yes' : undefined) });
    expect([...reflector.items.keys()]).toEqual(['b']);
    server.put('a', { v: 'yes' });
    server.put('b', { v: 'no' });
    await eventually(() => told.length === 3);
    expect(told).toEqual(['put b=yes', 'put a=yes', 'delete b']);
  });

  test.each(['closed', 'cut'])('a watch that was %s goes on where it was, without a list', async (how) => {
    server.put('a', { v: 1 });
    await started();
    server.put('a', { v: 2 });
    await eventually(() => told.length === 2);
    if (how === 'closed') server.closeWatches();
    else server.cutConnections();
    await eventually(() => server.watches === 0);
    server.put('b', { v: 1 });
    server.remove('a');
    await inTime(() => told.length === 4, 'the events missed');
    expect(told).toEqual(['put a=1', 'put a=2', 'put b=1', 'delete a']);
    expect(server.count('list')).toBe(1);
    expect(server.requests.at(-1)!.query.get('resourceVersion')).toBe('102');
  });

  test('a bookmark moves where it goes on', async () => {
    await started();
    server.bookmark();
    server.bookmark();
    await settle();
    server.closeWatches();
    await inTime(() => server.count('watch') === 2, 'the second watch');
    expect(server.requests.at(-1)!.query.get('resourceVersion')).toBe('102');
  });

  test('a quiet watch that the server closes after a while is no error', async () => {
    await started();
    for (let i = 0; i < 5; i += 1) {
      await clock.advanceGently(60_000, 30_000);
      const before = server.count('watch');
      server.closeWatches();
      const waited = await inTime(() => server.count('watch') > before && server.watches === 1, 'the next watch');
      expect(waited).toBeLessThanOrEqual(5_000);
    }
    expect(logger.lines).toEqual([]);
    expect(server.count('list')).toBe(1);
  });

  test('watches that are closed at once are taken for failures', async () => {
    await started();
    const times: number[] = [];
    server.fault = (request) => {
      times.push(clock.monotonic());
      return kindOf(request) === 'watch' ? { status: 200, body: '' } : undefined;
    };
    server.closeWatches();
    await inTime(() => times.length === 10, 'ten watches', 500);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(20_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(35_000);
  });

  test.each(['an answer', 'an event'])('410 as %s: lists again, and tells the deletions it missed', async (how) => {
    for (const name of ['a', 'b', 'c']) server.put(name, { v: 1 });
    const reflector = await started();
    told = [];
    const before = server.put('c', { v: 1 }).metadata.uid;
    await eventually(() => told.length === 1);
    server.fault = (request) => (kindOf(request) === 'watch' ? 'cut' : undefined);
    server.cutConnections();
    await eventually(() => server.watches === 0);
    server.remove('b');
    server.remove('c');
    expect(server.put('c', { v: 9 }).metadata.uid).not.toBe(before);
    server.put('d', { v: 1 });
    server.compact();
    server.fault = (request) =>
      kindOf(request) === 'watch' && how === 'an event' && server.count('list') === 1
        ? { status: 200, body: `${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired') })}\n` }
        : undefined;
    told = [];
    await inTime(() => told.length === 4, 'the list');
    expect(new Set(told)).toEqual(new Set(['delete b', 'delete c', 'put c=9', 'put d=1']));
    expect(told.indexOf('delete c')).toBeLessThan(told.indexOf('put c=9'));
    expect([...reflector.items.keys()].sort()).toEqual(['a', 'c', 'd']);
    expect(server.count('list')).toBe(2);
    await inTime(() => server.watches === 1, 'the watch');
    server.put('d', { v: 2 });
    await eventually(() => told.at(-1) === 'put d=2');
  });

  test('a first list from memory is followed by lists from the store', async () => {
    server.put('a', { v: 1 });
    const reflector = await started({ firstList: 'cache' });
    server.fault = (request) => (kindOf(request) === 'watch' ? 'cut' : undefined);
    server.cutConnections();
    await eventually(() => server.watches === 0);
    server.remove('a');
    server.put('b', { v: 1 });
    server.compact();
    server.fault = () => undefined;
    await inTime(() => reflector.items.has('b'), 'the list');
    expect([...reflector.items.keys()]).toEqual(['b']);
    const lists = server.requests.filter((request) => kindOf(request) === 'list');
    expect(lists.map(({ query }) => query.get('resourceVersion'))).toEqual(['0', null]);
  });

  test('a list forgotten midway starts again, and only the last whole one counts', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name, { v: 1 });
    let forgotten = false;
    server.fault = ({ query }) => {
      if (query.has('continue') && !forgotten) {
        forgotten = true;
        server.remove('a');
        server.compact();
      }
      return undefined;
    };
    const reflector = await started({ pageSize: 2 });
    expect([...reflector.items.keys()]).toEqual(['b', 'c']);
    expect(told).toEqual(['put a=1', 'put b=1', 'put c=1', 'delete a']);
  });

  test('an ERROR event that is no 410 does not list again', async () => {
    server.put('a', { v: 1 });
    await started();
    server.sendLine(JSON.stringify({ type: 'ERROR', object: status(500, 'InternalError') }));
    await inTime(() => server.count('watch') === 2, 'the next watch');
    expect(server.count('list')).toBe(1);
  });

  test('an outage: the waits grow, what is known stays, and then all is well again', async () => {
    server.put('a', { v: 1 });
    const reflector = await started();
    const times: number[] = [];
    server.fault = () => {
      times.push(clock.monotonic());
      return 'cut';
    };
    server.cutConnections();
    await inTime(() => times.length >= 20, 'twenty tries', 500);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(35_000);
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(20_000);
    expect([...reflector.items.keys()]).toEqual(['a']);
    expect(reflector.synced).toBe(true);
    server.fault = () => undefined;
    server.put('b', { v: 1 });
    await inTime(() => told.includes('put b=1'), 'the event missed');
    server.cutConnections();
    await eventually(() => server.watches === 0);
    expect(await inTime(() => server.watches === 1, 'the next watch')).toBeLessThanOrEqual(5_000);
  });

  test('waits as long as a busy server asks', async () => {
    server.fault = () => ({ status: 429, headers: { 'retry-after': '40' } });
    const reflector = start();
    await eventually(() => logger.lines.length === 1);
    server.fault = () => undefined;
    expect(await inTime(() => reflector.synced, 'the list')).toBeGreaterThanOrEqual(40_000);
  });

  test('garbage is passed by: twice from where it was, then by a list', async () => {
    server.put('a', { v: 1 });
    const reflector = await started();
    server.fault = (request) => {
      if (kindOf(request) !== 'watch' || server.count('list') > 1) return undefined;
      return { status: 200, body: '{"type":"MODIFIED","object":{"metadata":{"name":"a"}}}\n' };
    };
    server.sendLine('garbage');
    server.put('b', { v: 1 });
    await inTime(() => server.count('list') === 2, 'the list');
    await eventually(() => reflector.items.has('b'));
    expect(server.count('watch')).toBeGreaterThanOrEqual(3);
    await inTime(() => server.watches === 1, 'the watch');
  });

  test('silence: three minutes after a bookmark, ten without any', async () => {
    const reflector = await started();
    const ten = await inTime(() => server.count('watch') === 2, 'the second watch', 1_000);
    expect(ten).toBeGreaterThanOrEqual(600_000);
    expect(ten).toBeLessThanOrEqual(620_000);
    await eventually(() => server.watches === 1);
    server.bookmark();
    await eventually(() => reflector.lastEventAt === clock.now(), 'the bookmark');
    const three = await inTime(() => server.count('watch') === 3, 'the third watch', 1_000);
    expect(three).toBeGreaterThanOrEqual(180_000);
    expect(three).toBeLessThanOrEqual(200_000);
    expect(server.count('list')).toBe(1);
    await eventually(() => server.watches === 1);
  });

  test('a silent watch is one that says nothing: each event begins the wait anew', async () => {
    await started();
    for (let i = 0; i < 10; i += 1) {
      await clock.advanceGently(300_000, 100_000);
      server.put('a', { v: i });
      await eventually(() => told.length === i + 1);
    }
    expect(server.count('watch')).toBe(1);
  });

  test('a handler that throws, or a projection, is logged and ends nothing', async () => {
    server.put('a', { v: 1 });
    const reflector = await started({
      project(raw) {
        const { v } = raw as FakeObject;
        if (v === 'bad') throw new Error('cannot read');
        return String(v);
      },
      onChange(change) {
        told.push(label(change));
        throw new Error('handler');
      },
    });
    server.put('b', { v: 1 });
    server.put('a', { v: 'bad' });
    server.put('b', { v: 2 });
    await eventually(() => told.includes('put b=2'));
    expect(reflector.items.get('a')).toBe('1');
    expect(server.count('watch')).toBe(1);
    expect(new Set(logger.lines.map(({ level }) => level))).toEqual(new Set(['error']));
  });

  test('takes the answers to our own writes', async () => {
    server.put('a', { v: 1 });
    const reflector = await started();
    server.fault = (request) => (kindOf(request) === 'watch' ? 'hang' : undefined);
    server.cutConnections();
    await eventually(() => server.watches === 0);
    reflector.observe(await client.mergePatch('/api/v1/nodes/a', { v: 2 }));
    expect(reflector.items.get('a')).toBe('2');
    reflector.observe({ nonsense: true });
    const answer = await client.mergePatch('/api/v1/nodes/a', { v: 3 });
    await client.delete('/api/v1/nodes/a');
    server.fault = () => undefined;
    await inTime(() => told.at(-1) === 'delete a', 'the deletion');
    reflector.observe(answer);
    expect(reflector.items.size).toBe(0);
  });

  test('a restored backup: the list counts, though its version is lower', async () => {
    server.put('a', { v: 1 });
    server.put('b', { v: 1 });
    const reflector = await started();
    server.resourceVersion = 50;
    server.objects.delete('b');
    server.put('a', { v: 'old' });
    server.compact();
    server.fault = (request) =>
      kindOf(request) === 'watch' && Number(request.query.get('resourceVersion')) > server.resourceVersion
        ? { status: 504, body: { ...status(504, 'Timeout'), details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } } }
        : undefined;
    server.cutConnections();
    await inTime(() => reflector.items.get('a') === 'old', 'the list');
    expect([...reflector.items.keys()]).toEqual(['a']);
    await inTime(() => server.watches === 1, 'the watch');
  });

  test('waits a random part of the jitter before it starts', async () => {
    start({ startJitterMs: 10_000 });
    await clock.advanceGently(4_900);
    expect(server.requests).toHaveLength(0);
    await inTime(() => server.requests.length > 0, 'the list');
    await eventually(() => server.watches === 1);
  });

  test('an abort ends it, and waitForSync with it', async () => {
    server.fault = () => 'hang';
    const reflector = start();
    const waiting = reflector.waitForSync(stop.signal).catch((error: unknown) => error);
    await eventually(() => server.requests.length === 1);
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await waiting).toBe(reason);
    await Promise.all(running);
    await expect(reflector.waitForSync(stop.signal)).rejects.toBe(reason);
  });
});

describe('a reflector of one object, by stream', () => {
  const one = { mode: 'stream' as const, query: { fieldSelector: 'metadata.name=a' } };

  test('needs one request', async () => {
    server.put('a', { v: 1 });
    server.put('b', { v: 1 });
    const reflector = await started(one);
    expect([...reflector.items]).toEqual([['a', '1']]);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]!.query.has('resourceVersion')).toBe(false);
    server.put('a', { v: 2 });
    await eventually(() => told.at(-1) === 'put a=2');
    server.closeWatches();
    await inTime(() => server.count('watch') === 2, 'the next watch');
    expect(server.requests.at(-1)!.query.get('resourceVersion')).toBe('103');
    expect(server.count('list')).toBe(0);
    await eventually(() => server.watches === 1);
  });

  test('asks by a list where the watch tells nothing', async () => {
    const reflector = start(one);
    await eventually(() => server.watches === 1);
    expect(reflector.synced).toBe(false);
    await inTime(() => reflector.synced, 'the list');
    expect(server.count('list')).toBe(1);
    expect(reflector.items.size).toBe(0);
    await inTime(() => server.count('watch') === 2 && server.watches === 1, 'the watch');
    server.put('a', { v: 1 });
    await eventually(() => reflector.items.size === 1);
  });

  test('believes a bookmark that there is none', async () => {
    await server.stop();
    server = new FakeApiServer({ initialBookmark: true });
    await server.start();
    client = countingClient();
    const reflector = await started({ ...one, client });
    expect(reflector.items.size).toBe(0);
    expect(server.requests).toHaveLength(1);
  });

  test('410: a list, so that a deletion is not missed', async () => {
    server.put('a', { v: 1 });
    await started(one);
    server.fault = (request) => (kindOf(request) === 'watch' ? 'cut' : undefined);
    server.cutConnections();
    await eventually(() => server.watches === 0);
    server.remove('a');
    server.compact();
    server.fault = () => undefined;
    await inTime(() => told.at(-1) === 'delete a', 'the deletion');
    await inTime(() => server.watches === 1, 'the watch');
  });
});

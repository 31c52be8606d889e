import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { KubeClient } from './client.ts';
import { Elector, type ElectorOptions, NotLeadingError } from './elector.ts';
import { microTime } from './lease.ts';
import { FakeApiServer, type FakeRequest, kindOf } from './testing/fake-api-server.ts';
import { breathe, eventually, FakeClock, settle } from './testing/fake-clock.ts';
import { recordingLogger, testClient } from './testing/fixtures.ts';

// On a busy machine a test may take its time.
jest.setTimeout(60_000);

/** One replica: a process with a clock, a client and an elector of its own. */
interface Replica {
  readonly elector: Elector;
  readonly clock: FakeClock;
  readonly log: string[];
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  /** Ends the work of the term in hand; only where the work was told to wait. */
  finishWork: () => void;
  stopped: boolean;
}

let server: FakeApiServer;
let replicas: Replica[];
let clients: KubeClient[];

beforeEach(async () => {
  server = new FakeApiServer({ initialBookmark: true });
  await server.start();
  replicas = [];
  clients = [];
});
afterEach(async () => {
  server.fault = () => undefined;
  for (const replica of replicas) {
    replica.finishWork();
    replica.stop.abort();
  }
  await inTime(() => replicas.every(({ stopped }) => stopped), 'the end of all replicas');
  for (const { clock } of replicas) expect(clock.timers).toBe(0);
  for (const client of clients) client.close();
  await server.stop();
});

function start(identity: string, options: Partial<ElectorOptions> & { lingering?: boolean } = {}): Replica {
  const clock = new FakeClock();
  const client = testClient(server, { clock, userAgent: identity });
  clients.push(client);
  const stop = new AbortController();
  const log: string[] = [];
  const elector = new Elector({
    client,
    namespace: 'system',
    name: 'lockkeeper',
    identity,
    clock,
    random: () => 0.5,
    logger: recordingLogger(),
    onStartedLeading(signal) {
      log.push('started');
      return new Promise((resolve) => {
        replica.finishWork = resolve;
        if (!options.lingering) signal.addEventListener('abort', () => resolve());
      });
    },
    onStoppedLeading: (reason) => log.push(`stopped: ${reason}`),
    ...options,
  });
  const replica: Replica = { elector, clock, log, stop, finishWork() {}, stopped: false, ended: elector.run(stop.signal) };
  void replica.ended.then(() => {
    replica.stopped = true;
  });
  replicas.push(replica);
  return replica;
}

const leading = (): string[] => replicas.filter(({ elector }) => elector.leading).map((replica) => names.get(replica) ?? '');
const names = new Map<Replica, string>();
const named = (identity: string, options: Parameters<typeof start>[1] = {}): Replica => {
  const replica = start(identity, options);
  names.set(replica, identity);
  return replica;
};

/** All replicas' time goes on together, in steps small enough for the network; returns how long it took. */
async function pass(ms: number, only: readonly Replica[] = replicas): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    for (const { clock } of only) clock.advance(Math.min(100, left));
    await breathe(Math.min(100, left));
    expect(leading().length).toBeLessThanOrEqual(1);
  }
}

async function inTime(condition: () => boolean, what: string, only: readonly Replica[] = replicas): Promise<number> {
  let waited = 0;
  for (; waited < 120_000 && !condition(); waited += 100) await pass(100, only);
  if (!condition()) throw new Error(`${what} did not come true`);
  return waited;
}

const lease = (): { holderIdentity: string; leaseTransitions: number; [field: string]: unknown } =>
  server.objects.get('system/lockkeeper')!['spec'] as never;
const from =
  (identity: string, ...kinds: string[]) =>
  (request: FakeRequest): boolean =>
    request.headers['user-agent'] === identity && (kinds.length === 0 || kinds.includes(kindOf(request)));
const writes = (identity: string): FakeRequest[] => server.requests.filter(from(identity, 'write'));
/** A replica's network is gone. */
const partition = (identity: string): void => {
  const lost = from(identity);
  server.fault = (request) => (lost(request) ? 'hang' : undefined);
  server.cutConnections();
};

describe('an elector', () => {
  test('creates the lease as client-go does, and renews it by one write each', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    const spec = lease();
    expect(spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 13,
      acquireTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      renewTime: spec['acquireTime'],
      leaseTransitions: 0,
    });
    const before = server.requests.length;
    await pass(60_000);
    expect(a.elector.leading).toBe(true);
    const since = server.requests.slice(before);
    expect(since.length).toBeGreaterThanOrEqual(9);
    expect(since.length).toBeLessThanOrEqual(12);
    expect(since.every((request) => kindOf(request) === 'write' && (request.body as { metadata: object }).metadata !== undefined)).toBe(
      true,
    );
    expect(lease()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0, acquireTime: spec['acquireTime'] });
    expect(lease()['renewTime']).not.toBe(spec['renewTime']);
    expect(a.log).toEqual(['started']);
  });

  test('a standby asks for nothing while the leader renews', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    const b = named('b');
    await inTime(() => server.watches === 1, 'b watching');
    await pass(60_000);
    expect(server.requests.filter(from('b')).map(kindOf)).toEqual(['watch']);
    expect(b.elector.leading).toBe(false);
    expect(() => b.elector.assertLeading()).toThrow(NotLeadingError);
    a.elector.assertLeading();
  });

  test('a leader that ends gives the lease back, and the standby takes it at once', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    const b = named('b');
    await inTime(() => server.watches === 1, 'b watching');
    a.stop.abort();
    expect(a.elector.leading).toBe(false);
    expect(await inTime(() => b.elector.leading, 'b leading')).toBeLessThanOrEqual(3_000);
    expect(lease()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1, leaseDurationSeconds: 13 });
    await a.ended;
    expect(a.log).toEqual(['started', 'stopped: released']);
  });

  test('a lost leader gives up before the standby takes over', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    const b = named('b');
    await inTime(() => server.watches === 1, 'b watching');
    await pass(5_100);
    const watching = server.count('watch');
    partition('a');
    await inTime(() => server.count('watch') > watching, 'b watching again');
    const gaveUp = await inTime(() => !a.elector.leading, 'a giving up');
    expect(gaveUp).toBeLessThanOrEqual(9_000);
    expect(a.log.at(-1)).toBe('stopped: the lease was not renewed in time');
    const tookOver = gaveUp + (await inTime(() => b.elector.leading, 'b leading'));
    expect(tookOver).toBeGreaterThanOrEqual(10_000);
    expect(tookOver).toBeLessThanOrEqual(16_000);
    expect(lease()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
    server.fault = () => undefined;
    await pass(30_000);
    expect(leading()).toEqual(['b']);
  });

  test.each(['first write', 'renewal'])('nine seconds count from the sending of the %s, not from its answer', async (which) => {
    const answer = Promise.withResolvers<void>();
    const a = named('a');
    if (which === 'renewal') await inTime(() => a.elector.leading, 'a leading');
    let sentAt: number | undefined;
    server.fault = (request) => {
      if (kindOf(request) !== 'write') return undefined;
      if (sentAt !== undefined) return 'hang';
      sentAt = a.clock.monotonic();
      return { answerAfter: answer.promise };
    };
    await inTime(() => sentAt !== undefined, 'the write');
    await pass(3_000);
    answer.resolve();
    await inTime(() => a.elector.leading, 'a leading');
    await pass(4_500);
    expect(a.elector.leading).toBe(true);
    await inTime(() => !a.elector.leading, 'a giving up');
    expect(a.clock.monotonic()).toBeLessThanOrEqual(sentAt! + 9_000);
  });

  test('a renewal that is answered too late does not bring back what was over', async () => {
    const answer = Promise.withResolvers<void>();
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    let sent = false;
    server.fault = (request) => {
      sent ||= kindOf(request) === 'write';
      return sent ? { answerAfter: answer.promise } : undefined;
    };
    await inTime(() => sent, 'the renewal');
    // Frozen from before the end of the term until after it; the answer is there first when it thaws.
    a.clock.freeze(5_000);
    expect(a.elector.leading).toBe(false);
    answer.resolve();
    await eventually(() => a.log.length === 2);
    expect(a.log[1]).toBe('stopped: the lease was renewed too late');
  });

  test('a thawed leader sends nothing, whichever of its timers comes first', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    const before = writes('a').length;
    a.clock.freeze(20_000);
    server.fault = () => 'hang';
    expect(a.clock.fireNext()).toBe(true);
    await settle();
    expect(writes('a').length).toBe(before);
    expect(a.log).toEqual(['started', 'stopped: the lease was not renewed in time']);
  });

  test('a frozen leader does not believe itself one when it thaws', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    const b = named('b');
    await inTime(() => server.watches === 1, 'b watching');
    a.clock.freeze(20_000);
    expect(a.elector.leading).toBe(false);
    expect(() => a.elector.assertLeading()).toThrow(NotLeadingError);
    await inTime(() => b.elector.leading, 'b leading', [b]);
    // Thawed: its timers fire late, and it must not renew first.
    const before = writes('a').length;
    a.clock.advance(0);
    expect(a.log).toEqual(['started', 'stopped: the lease was not renewed in time']);
    await pass(1_000);
    expect(leading()).toEqual(['b']);
    expect(writes('a').length).toBe(before);
  });

  test('a leader frozen while nobody else is there does not go on with the old term', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    a.clock.freeze(20_000);
    await inTime(() => a.log.length === 3, 'a new term');
    expect(a.log).toEqual(['started', 'stopped: the lease was not renewed in time', 'started']);
    expect(lease()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
  });

  test('a renewal whose answer was lost is no lost lease', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    let lost = 1;
    server.fault = (request) => (kindOf(request) === 'write' && lost-- > 0 ? 'cut-after' : undefined);
    await pass(20_000);
    expect(a.log).toEqual(['started']);
    expect(a.elector.leading).toBe(true);
    expect(server.count('get')).toBe(1);
  });

  test('failing renewals are repeated while there is time', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    let failures = 3;
    server.fault = (request) => (kindOf(request) === 'write' && failures-- > 0 ? { status: 500 } : undefined);
    await pass(20_000);
    expect(a.log).toEqual(['started']);
    expect(a.elector.leading).toBe(true);
  });

  test.each(['taken by another', 'deleted'])('a lease that was %s ends the term at the next renewal', async (how) => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    if (how === 'deleted') server.remove('lockkeeper', 'system');
    else server.put('lockkeeper', { spec: { ...lease(), holderIdentity: 'x' } }, 'system');
    await inTime(() => a.log.length >= 2, 'the end of the term');
    expect(a.log[1]).toBe('stopped: the lease is held by another');
    const again = await inTime(() => a.elector.leading, 'a leading again');
    if (how === 'deleted') expect(again).toBeLessThanOrEqual(3_000);
    else expect(again).toBeGreaterThanOrEqual(7_000);
  });

  test('of two that find it free, one gets it', async () => {
    named('a');
    named('b');
    named('c');
    await inTime(() => leading().length === 1, 'a leader');
    await pass(10_000);
    expect(leading()).toEqual([lease().holderIdentity]);
  });

  test('the duration that the holder wrote counts where it is longer', async () => {
    server.put('lockkeeper', { spec: { holderIdentity: 'old', leaseDurationSeconds: 40, leaseTransitions: 6 } }, 'system');
    const a = named('a');
    expect(await inTime(() => a.elector.leading, 'a leading')).toBeGreaterThanOrEqual(40_000);
    expect(lease().leaseTransitions).toBe(7);
  });

  test('its own name in the lease is as good as an empty one: a restarted container', async () => {
    server.put('lockkeeper', { spec: { holderIdentity: 'a', leaseDurationSeconds: 13, leaseTransitions: 6 } }, 'system');
    const a = named('a');
    expect(await inTime(() => a.elector.leading, 'a leading')).toBeLessThanOrEqual(3_000);
    expect(lease().leaseTransitions).toBe(6);
  });

  test('handOver names the next one, and no other takes it', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    named('b');
    const c = named('c');
    await inTime(() => server.watches === 2, 'both watching');
    await a.elector.handOver('c');
    expect(await inTime(() => c.elector.leading, 'c leading')).toBeLessThanOrEqual(3_000);
    expect(lease()).toMatchObject({ holderIdentity: 'c', leaseTransitions: 1 });
    await pass(20_000);
    expect(leading()).toEqual(['c']);
    expect(a.log).toEqual(['started', 'stopped: handed over to c']);
  });

  test('handOver to one that does not come: another takes it in time', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    await a.elector.handOver('gone');
    const waited = await inTime(() => leading().length === 1, 'a leader');
    expect(waited).toBeGreaterThanOrEqual(12_500);
    expect(waited).toBeLessThanOrEqual(18_000);
  });

  test('release leaves the lease to others first, and then takes it again', async () => {
    const a = named('a');
    await inTime(() => a.elector.leading, 'a leading');
    await a.elector.release();
    expect(lease()).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    const again = await inTime(() => a.elector.leading, 'a leading again');
    expect(again).toBeGreaterThanOrEqual(12_500);
    expect(again).toBeLessThanOrEqual(18_000);
  });

  test('the lease is given back only after the work has ended', async () => {
    const a = named('a', { lingering: true });
    await inTime(() => a.elector.leading, 'a leading');
    const released = a.elector.release();
    expect(a.elector.leading).toBe(false);
    await pass(2_000);
    expect(lease().holderIdentity).toBe('a');
    a.finishWork();
    await released;
    expect(lease().holderIdentity).toBe('');
  });

  test('work that does not end: the lease runs out by itself, and no second term begins beside it', async () => {
    const a = named('a', { lingering: true });
    await inTime(() => a.elector.leading, 'a leading');
    const released = a.elector.release();
    await pass(40_000);
    await released;
    expect(lease().holderIdentity).toBe('a');
    expect(a.log.filter((line) => line === 'started')).toHaveLength(1);
    a.finishWork();
    await inTime(() => a.elector.leading, 'a leading again');
  });

  test('work that fails gives the lease back', async () => {
    let fails = true;
    const a = named('a', {
      async onStartedLeading() {
        if (fails) throw new Error('the work fails');
      },
    });
    await inTime(() => server.objects.size === 1 && lease().holderIdentity === '', 'the release');
    fails = false;
    await inTime(() => a.elector.leading, 'a leading again');
  });

  test('an API server that is away is asked again and again', async () => {
    server.fault = () => ({ status: 503 });
    const a = named('a');
    await pass(60_000);
    expect(server.requests.length).toBeGreaterThan(8);
    server.fault = () => undefined;
    expect(await inTime(() => a.elector.leading, 'a leading')).toBeLessThanOrEqual(9_000);
  });

  test('times that cannot be safe are refused', () => {
    const options = {
      client: testClient(server),
      namespace: 'n',
      name: 'n',
      identity: 'a',
      random: Math.random,
      logger: recordingLogger(),
      onStartedLeading() {},
    };
    expect(() => new Elector({ ...options, giveUpAfterMs: 13_000 })).toThrow(RangeError);
    expect(() => new Elector({ ...options, renewIntervalMs: 9_000 })).toThrow(RangeError);
  });
});

test('Kubernetes’ MicroTime', () => {
  expect(microTime(Date.parse('2026-01-31T10:20:30.123Z'))).toBe('2026-01-31T10:20:30.123000Z');
});

test('any story of freezes, partitions and restarts: never two leaders, and one in the end', async () => {
  // Seeded, so that a failure can be told again.
  for (let seed = 1; seed <= 20; seed += 1) {
    let state = seed;
    const random = (): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state / 2 ** 31;
    };
    server.objects.clear();
    const ids = [`${seed}a`, `${seed}b`, `${seed}c`];
    const mine = ids.map((id) => named(id, { random }));
    for (let turn = 0; turn < 10; turn += 1) {
      const victim = mine[Math.floor(random() * 3)]!;
      const lost = from(names.get(victim) ?? '');
      const kind = random();
      if (kind < 0.3) {
        // What is frozen neither hears nor sends, and its time goes on.
        server.fault = (request) => (lost(request) ? 'cut' : undefined);
        server.cutConnections();
        await settle();
        const ms = random() * 20_000;
        const others = mine.filter((replica) => replica !== victim);
        for (let left = ms; left > 0; left -= 100) {
          victim.clock.freeze(Math.min(100, left));
          await pass(Math.min(100, left), others);
        }
        server.fault = () => undefined;
      } else if (kind < 0.6) {
        server.fault = (request) => (lost(request) ? (random() < 0.5 ? 'cut-after' : 'hang') : undefined);
        await pass(random() * 20_000, mine);
        server.fault = () => undefined;
      } else if (kind < 0.8) {
        server.cutConnections();
      } else {
        await pass(random() * 10_000, mine);
      }
    }
    await inTime(() => leading().length === 1, `a leader in story ${seed}`, mine);
    for (const replica of mine) replica.stop.abort();
    await inTime(() => mine.every(({ stopped }) => stopped), 'the end', mine);
  }
  await eventually(() => server.watches === 0);
});

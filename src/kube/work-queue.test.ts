import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { FakeClock, settle } from './testing/fake-clock.ts';
import { recordingLogger } from './testing/fixtures.ts';
import { type Requeue, WorkQueue } from './work-queue.ts';

// On a busy machine a test may take its time.
jest.setTimeout(60_000);

interface Run {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly at: number;
  finish(result?: Requeue): Promise<void>;
  fail(): Promise<void>;
}

let clock: FakeClock;
let stop: AbortController;
let runs: Run[];
let done: Promise<void> | undefined;
let logger: ReturnType<typeof recordingLogger>;

function queueOf(concurrency = 2): WorkQueue<string> {
  return new WorkQueue<string>({
    worker: (key, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<Requeue | undefined>();
      runs.push({
        key,
        signal,
        at: clock.monotonic(),
        async finish(result) {
          resolve(result);
          await settle();
        },
        async fail() {
          reject(new Error('fails'));
          await settle();
        },
      });
      return promise;
    },
    concurrency,
    backoff: { baseMs: 1_000, maxMs: 10_000, jitter: 0.5 },
    random: () => 0,
    clock,
    logger,
  });
}

const started = (concurrency?: number): WorkQueue<string> => {
  const queue = queueOf(concurrency);
  done = queue.run(stop.signal);
  return queue;
};
const keys = (): string[] => runs.map(({ key }) => key);

beforeEach(() => {
  clock = new FakeClock();
  stop = new AbortController();
  runs = [];
  done = undefined;
  logger = recordingLogger();
});
afterEach(async () => {
  stop.abort();
  for (const run of runs) await run.finish();
  await done;
  expect(clock.timers).toBe(0);
});

describe('a work queue', () => {
  test('takes keys in their order, each once, so many at a time', async () => {
    const queue = queueOf(2);
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.size).toBe(3);
    expect(runs).toEqual([]);
    done = queue.run(stop.signal);
    expect(keys()).toEqual(['a', 'b']);
    expect([queue.size, queue.active]).toEqual([1, 2]);
    await runs[0]!.finish();
    expect(keys()).toEqual(['a', 'b', 'c']);
  });

  test('a key added while it is worked on is worked on again, once', async () => {
    const queue = started();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(keys()).toEqual(['a']);
    await runs[0]!.finish();
    expect(keys()).toEqual(['a', 'a']);
    await runs[1]!.finish();
    expect(keys()).toEqual(['a', 'a']);
  });

  test('a failing key is tried again, later each time, up to a limit', async () => {
    const queue = started();
    queue.add('a');
    for (let i = 0; i < 7; i += 1) {
      await runs[i]!.fail();
      expect(runs).toHaveLength(i + 1);
      for (let step = 0; step < 200 && runs.length === i + 1; step += 1) clock.advance(100);
    }
    const gaps = runs.slice(1).map(({ at }, i) => at - runs[i]!.at);
    expect(gaps).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
    await runs.at(-1)!.finish();
    queue.add('a');
    await runs.at(-1)!.fail();
    clock.advance(999);
    expect(runs).toHaveLength(9);
    clock.advance(1);
    expect(runs).toHaveLength(10);
    expect(logger.lines.length).toBe(8);
  });

  test('add runs a key in its backoff at once, and the backoff is not run as well', async () => {
    const queue = started();
    queue.add('a');
    await runs[0]!.fail();
    queue.add('a');
    expect(runs).toHaveLength(2);
    await runs[1]!.finish();
    clock.advance(60_000);
    expect(runs).toHaveLength(2);
  });

  test('work may say when to look again; what it said last counts', async () => {
    const queue = started();
    queue.add('a');
    await runs[0]!.finish({ requeueAfterMs: 5_000 });
    clock.advance(4_000);
    queue.add('a');
    await runs[1]!.finish({ requeueAfterMs: 30_000 });
    clock.advance(29_999);
    expect(runs).toHaveLength(2);
    clock.advance(1);
    expect(runs).toHaveLength(3);
    await runs[2]!.finish();
    clock.advance(100_000);
    expect(runs).toHaveLength(3);
  });

  test('addAfter: the earliest counts, and an add in between does not take it away', async () => {
    const queue = started();
    queue.addAfter('a', 5_000);
    queue.addAfter('a', 3_000);
    queue.addAfter('a', 9_000);
    queue.add('a');
    await runs[0]!.finish({ requeueAfterMs: 60_000 });
    clock.advance(2_999);
    expect(runs).toHaveLength(1);
    clock.advance(1);
    expect(runs).toHaveLength(2);
    queue.addAfter('a', 0);
    await runs[1]!.finish();
    expect(runs).toHaveLength(3);
  });

  test('a timer that fires while its key is worked on runs it again afterwards', async () => {
    const queue = started();
    queue.add('a');
    queue.addAfter('a', 1_000);
    clock.advance(1_000);
    expect(runs).toHaveLength(1);
    await runs[0]!.finish();
    expect(runs).toHaveLength(2);
  });

  test('forget takes a key out, with its backoff and what its run asks for', async () => {
    const queue = started(1);
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1_000);
    queue.add('a');
    for (const key of ['a', 'b', 'c']) queue.forget(key);
    await runs[0]!.fail();
    clock.advance(60_000);
    expect(keys()).toEqual(['a']);
    queue.add('a');
    await runs[1]!.fail();
    clock.advance(1_000);
    expect(keys()).toEqual(['a', 'a', 'a']);
  });

  test('ends when it is aborted, after its workers', async () => {
    const queue = started(1);
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1_000);
    let ended = false;
    done = done?.then(() => {
      ended = true;
    });
    stop.abort();
    expect(runs[0]!.signal.aborted).toBe(true);
    await settle();
    expect(ended).toBe(false);
    queue.add('d');
    await runs[0]!.fail();
    expect(ended).toBe(true);
    expect(keys()).toEqual(['a']);
    expect([queue.size, queue.active]).toEqual([0, 0]);
  });

  test('stop ends it, too; run works once', async () => {
    const queue = queueOf();
    const running = queue.run(stop.signal);
    await expect(queue.run(stop.signal)).rejects.toThrow('once');
    queue.stop();
    await running;
    const never = queueOf();
    never.stop();
    await never.run(stop.signal);
  });

  test('a worker that throws before it awaits is a failure like any other', async () => {
    let calls = 0;
    const queue = new WorkQueue<string>({
      worker() {
        calls += 1;
        throw new Error('at once');
      },
      concurrency: 1,
      backoff: { baseMs: 1_000, maxMs: 10_000, jitter: 0 },
      random: () => 0,
      clock,
      logger,
    });
    done = queue.run(stop.signal);
    queue.add('a');
    await settle();
    clock.advance(1_000);
    expect(calls).toBe(2);
    await settle();
  });
});

interface Command {
  readonly do: 'add' | 'addAfter' | 'forget' | 'finish' | 'fail' | 'requeue' | 'advance';
  readonly key: string;
  readonly ms: number;
  readonly which: number;
}

const commandArbitrary: fc.Arbitrary<Command> = fc.record({
  do: fc.constantFrom('add', 'add', 'addAfter', 'forget', 'finish', 'fail', 'requeue', 'advance'),
  key: fc.constantFrom('a', 'b', 'c', 'd'),
  ms: fc.nat(5_000),
  which: fc.nat(10),
});

test('never two runs of a key at once, never more than allowed, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(commandArbitrary, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (commands, concurrency) => {
      const time = new FakeClock();
      const abort = new AbortController();
      const active = new Map<string, { finish(result?: Requeue): void; fail(): void }>();
      /** What must still be begun: at once, and by when. */
      const now = new Set<string>();
      const later = new Map<string, number>();
      let begun = 0;
      const queue = new WorkQueue<string>({
        worker: (key) => {
          expect(active.has(key)).toBe(false);
          expect(active.size).toBeLessThan(concurrency);
          begun += 1;
          now.delete(key);
          if ((later.get(key) ?? Number.POSITIVE_INFINITY) <= time.monotonic()) later.delete(key);
          return new Promise<Requeue | undefined>((resolve, reject) => {
            active.set(key, { finish: resolve, fail: () => reject(new Error('fails')) });
          });
        },
        concurrency,
        backoff: { baseMs: 500, maxMs: 4_000, jitter: 0.5 },
        random: () => 0.5,
        clock: time,
        logger: recordingLogger(),
      });
      const running = queue.run(abort.signal);
      for (const command of commands) {
        if (command.do === 'add') {
          now.add(command.key);
          queue.add(command.key);
        } else if (command.do === 'addAfter') {
          if (command.ms === 0) now.add(command.key);
          else later.set(command.key, Math.min(later.get(command.key) ?? Number.POSITIVE_INFINITY, time.monotonic() + command.ms));
          queue.addAfter(command.key, command.ms);
        } else if (command.do === 'forget') {
          now.delete(command.key);
          later.delete(command.key);
          queue.forget(command.key);
        } else if (command.do === 'advance') {
          time.advance(command.ms);
        } else {
          const entry = [...active][command.which % Math.max(1, active.size)];
          if (!entry) continue;
          const [key, run] = entry;
          active.delete(key);
          if (command.do === 'fail') run.fail();
          else run.finish(command.do === 'requeue' ? { requeueAfterMs: command.ms } : undefined);
        }
        await settle(1);
      }
      // From here all work succeeds: whatever was asked for must be begun.
      for (let i = 0; i < 40; i += 1) {
        for (const [key, run] of [...active]) {
          active.delete(key);
          run.finish();
        }
        await settle(1);
        time.advance(500);
      }
      expect([...now, ...later.keys()]).toEqual([]);
      expect(active.size).toBe(0);
      expect(time.timers).toBe(0);
      const before = begun;
      queue.add('last');
      expect(begun).toBe(before + 1);
      abort.abort();
      active.get('last')?.finish();
      await running;
    }),
    { numRuns: 300 },
  );
});

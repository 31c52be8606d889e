import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import { fuzz } from '../testing/fuzz.ts';
import { hostileStrings, type Json, spoilt } from '../testing/hostile-values.ts';
import { parseWatchEvent } from './client.ts';
import { ApiError, ApiProtocolError, ApiUnreachableError, apiErrorFrom } from './errors.ts';
import { Reflector } from './reflector.ts';
import { readLines } from './transport.ts';

const MAX_LINE = 600;

const object = (change: { [name: string]: Json } = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'a', uid: 'u', resourceVersion: '10', ...change },
  spec: { providerID: 'p', unschedulable: true },
});
const EVENTS: readonly Json[] = [
  { type: 'ADDED', object: object() },
  { type: 'MODIFIED', object: object({ resourceVersion: '11' }) },
  { type: 'DELETED', object: object({ resourceVersion: '12' }) },
  { type: 'BOOKMARK', object: { kind: 'Node', metadata: { resourceVersion: '13' } } },
  { type: 'ERROR', object: { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old resource version' } },
];

/** Lines as a server sends them, and as none does: events that were right, nonsense, bytes that are no text, more than a line may have. */
const lines: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...EVENTS).map((event) => Buffer.from(JSON.stringify(event))) },
  { weight: 4, arbitrary: fc.oneof(...EVENTS.map((event) => spoilt(event, 2))).map((event) => Buffer.from(JSON.stringify(event))) },
  { weight: 1, arbitrary: hostileStrings.map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Buffer.alloc(MAX_LINE, 'x'), Buffer.alloc(MAX_LINE + 1, 'x'), Buffer.from('\r'), Buffer.alloc(0)),
  },
);
const streams = fc
  .record({
    lines: fc.array(lines, { maxLength: 6 }),
    ended: fc.boolean(),
    cuts: fc.array(fc.nat(3_000), { maxLength: 12 }),
  })
  .map(({ lines: parts, ended, cuts }) => {
    const joined = Buffer.concat(parts.flatMap((line, index) => (ended || index < parts.length - 1 ? [line, Buffer.from('\n')] : [line])));
    const at = [0, ...cuts.map((cut) => cut % (joined.length + 1)).sort((a, b) => a - b), joined.length];
    return { bytes: joined, chunks: at.slice(1).map((end, index) => joined.subarray(at[index], end)) };
  });

const body = (chunks: readonly Buffer[]): IncomingMessage => Readable.from(chunks) as unknown as IncomingMessage;

/** All that comes out until the end, and the error that the end was, if it was one. */
async function drained<T>(values: AsyncIterable<T>): Promise<{ values: T[]; error?: unknown }> {
  const got: T[] = [];
  try {
    for await (const value of values) got.push(value);
    return { values: got };
  } catch (error) {
    return { values: got, error };
  }
}

describe('a watch', () => {
  fuzz('comes out the same wherever its bytes are cut, and no line is longer than it may be', streams, async ({ bytes, chunks }) => {
    const [whole, parts] = await Promise.all([drained(readLines(body([bytes]), MAX_LINE)), drained(readLines(body(chunks), MAX_LINE))]);
    // As the definition has it, not as the reader does it.
    const all = split(bytes);
    const unfinished = all.pop() ?? Buffer.alloc(0);
    const tooLong = all.findIndex((line) => line.length > MAX_LINE);
    const expected = (tooLong === -1 ? all : all.slice(0, tooLong))
      .map((line) => line.toString('utf8'))
      .filter((line) => line.trim() !== '');
    for (const { values, error } of [whole, parts]) {
      expect(values).toEqual(expected);
      if (tooLong !== -1 || unfinished.length > MAX_LINE) expect(error).toBeInstanceOf(ApiProtocolError);
      else if (unfinished.length > 0) expect(error).toBeInstanceOf(ApiUnreachableError);
      else expect(error).toBeUndefined();
    }
  });

  fuzz(
    'of whatever a server sends is taken up, or begun anew, and never ends the reflector',
    fc.array(streams, { maxLength: 4 }),
    async (watches) => {
      const stop = new AbortController();
      const left = [...watches];
      let lists = 0;
      let time = 0;
      const client = {
        async *listPages() {
          lists += 1;
          yield { items: [object({ resourceVersion: '5' })], resourceVersion: '9', page: 0 };
        },
        async *watch() {
          const next = left.shift();
          if (next === undefined) return stop.abort();
          for await (const line of readLines(body(next.chunks), MAX_LINE)) yield parseWatchEvent('/watch', line);
        },
      };
      const clock = {
        now: () => 0,
        monotonic: () => time,
        setTimeout: (run: () => void, milliseconds: number) => {
          // A guard's timer waits for minutes, and the watch is over by then; all others are waits between two requests.
          if (milliseconds >= 60_000) return () => {};
          time += milliseconds;
          const timer = setImmediate(run);
          return () => clearImmediate(timer);
        },
      };
      const logged: unknown[] = [];
      const log = (fields: object) => void logged.push(fields);
      const reflector = new Reflector({
        client,
        path: '/watch',
        project: (raw) => JSON.stringify(raw),
        logger: { debug: log, info: log, warn: log, error: log },
        clock,
        random: () => 0,
      });
      await reflector.run(stop.signal);
      expect(left).toEqual([]);
      expect(reflector.synced).toBe(true);
      // No more requests than watches that ended, however many lines there were.
      expect(lists).toBeLessThanOrEqual(watches.length + 1);
      expect(logged.length).toBeLessThanOrEqual(2 * watches.length + 12);
      for (const value of reflector.items.values()) expect(JSON.parse(value)).toHaveProperty('metadata.uid');
    },
  );
});

function split(bytes: Buffer): Buffer[] {
  const end = bytes.indexOf(0x0a);
  return end === -1 ? [bytes] : [bytes.subarray(0, end), ...split(bytes.subarray(end + 1))];
}

const STATUS: Json = {
  kind: 'Status',
  status: 'Failure',
  code: 429,
  reason: 'TooManyRequests',
  message: "Cannot evict pod as it would violate the pod's disruption budget.",
  details: {
    name: 'a',
    kind: 'pods',
    uid: 'u',
    retryAfterSeconds: 10,
    causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget b needs 1 healthy pods and has 1 currently', field: 'spec' }],
  },
};

describe('an error of the API server', () => {
  const bodies = fc.oneof<fc.Arbitrary<unknown>[]>(spoilt(STATUS), hostileStrings, fc.constant(undefined));
  const answers = fc.record({
    status: fc.integer({ min: 300, max: 599 }),
    body: bodies,
    header: fc.option(hostileStrings, { nil: undefined }),
  });
  fuzz('has words that fit, and a wait that can be waited for', answers, ({ status, body: text, header }) => {
    const error = apiErrorFrom(status, text, { what: 'POST /api/v1/nodes', retryAfterHeader: header });
    expect(error).toBeInstanceOf(ApiError);
    expect(error.status).toBe(status);
    expect(error.words).not.toBe('');
    for (const words of [error.words, error.message]) expect(words.length).toBeLessThanOrEqual(2_000);
    expect(typeof error.hasCause('DisruptionBudget')).toBe('boolean');
    const { retryAfterMs = 0 } = error;
    expect(retryAfterMs).toBeGreaterThanOrEqual(0);
    expect(retryAfterMs).toBeLessThanOrEqual(300_000);
  });
});

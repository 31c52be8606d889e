import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import { systemClock } from '../kube/clock.ts';
import { fuzz } from '../testing/fuzz.ts';
import { hostileStrings, type Json, spoilt } from '../testing/hostile-values.ts';
import { CheckRunner } from './check-runner.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly Buffer[];
  /** Cut in the middle, rather than ended. */
  readonly cut: boolean;
}

let server: Server;
let url: string;
let answer: Answer;
beforeAll(async () => {
  server = createServer((_, response) => {
    response.writeHead(answer.status, answer.headers);
    for (const chunk of answer.chunks) response.write(chunk);
    if (answer.cut) response.destroy();
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const VECTOR: Json = {
  status: 'success',
  data: { resultType: 'vector', result: [{ metric: { job: 'a' }, value: [1_700_000_000.1, '1'] }] },
};
const SCALAR: Json = { status: 'success', data: { resultType: 'scalar', result: [1_700_000_000.1, '1'] } };
const REFUSAL: Json = { status: 'error', errorType: 'bad_data', error: 'invalid parameter "query": parse error' };

const texts = fc
  .oneof(
    fc.oneof(...[VECTOR, SCALAR, REFUSAL].map((right) => spoilt(right, 2))).map((value) => Buffer.from(JSON.stringify(value))),
    hostileStrings.map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    // Longer than is read: as it is, and as a few bytes on the wire.
    fc.constant(Buffer.alloc(1024 * 1024 + 1, ' ')),
  )
  .map((body) => ({ body, chunks: [body] }));
const answers = fc
  .record({
    status: fc.oneof({ weight: 3, arbitrary: fc.constant(200) }, fc.integer({ min: 200, max: 599 })),
    text: texts,
    at: fc.nat(),
    zipped: fc.constantFrom(undefined, undefined, 'right', 'wrong'),
    location: fc.option(
      hostileStrings.filter((text) => /^[\x20-\x7e]*$/.test(text)),
      { nil: undefined },
    ),
    cut: fc.boolean(),
  })
  .map(({ status, text, at, zipped, location, cut }) => {
    const sent = zipped === 'right' ? gzipSync(text.body) : text.body;
    const middle = at % (sent.length + 1);
    const headers = { ...(zipped !== undefined && { 'content-encoding': 'gzip' }), ...(location !== undefined && { location }) };
    const chunks = [sent.subarray(0, middle), sent.subarray(middle)].filter((chunk) => chunk.length > 0);
    return { body: text.body, answer: { status, headers, chunks, cut } };
  });

describe("a check's Prometheus", () => {
  const runner = new CheckRunner({ client: { get: () => Promise.reject(new Error('not asked')), listPages: nothing }, clock: systemClock });

  fuzz(
    'is believed only where it answers as Prometheus does, and any other answer is said in a sentence',
    answers,
    async ({ body, answer: next }) => {
      answer = next;
      const saw = await runner.look({ prometheus: { url, query: 'up' } }, AbortSignal.timeout(10_000));
      if (saw === undefined) {
        expect(next.status).toBeLessThan(300);
        expect(isTrue(JSON.parse(body.toString('utf8')))).toBe(true);
        return;
      }
      expect(saw).not.toBe('');
      expect(saw.length).toBeLessThanOrEqual(300);
      expect(saw).not.toBe('there was no answer in time');
    },
  );
});

async function* nothing(): AsyncGenerator<never> {}

/** As the API's documentation has it: a vector of something, or a scalar that is not 0. */
function isTrue(given: unknown): boolean {
  const { status, data } = given as { status: string; data: { resultType: string; result: unknown[] } };
  if (status !== 'success') return false;
  if (data.resultType === 'vector') return data.result.length > 0;
  const value = Number(data.result[1]);
  return data.resultType === 'scalar' && value !== 0 && !Number.isNaN(value);
}

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Notification } from '../../core/notifications/notification.ts';
import { FakeClock, settle } from '../../kube/testing/fake-clock.ts';
import { MAX_WAIT_MS, MAX_WAITING, Outbox } from './outbox.ts';
import { WebhookError } from './webhook-error.ts';

let clock: FakeClock;
let outbox: Outbox;
/** What is being sent, with what the receiver says to it. */
let sending: { id: string; answer: (error?: unknown) => void; signal: AbortSignal }[];
let sent: string[];
let settled: string[];
let outcomes: string[];
let waiting: number;
let log: object[];

beforeEach(() => {
  clock = new FakeClock();
  sending = [];
  sent = [];
  settled = [];
  outcomes = [];
  waiting = 0;
  log = [];
  const keep = (fields: object): void => {
    log.push(fields);
  };
  outbox = new Outbox({
    webhook: 'ops',
    send: ({ id }, signal) =>
      new Promise((resolve, reject) => {
        sent.push(id);
        signal.addEventListener('abort', () => reject(signal.reason));
        sending.push({ id, signal, answer: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
    clock,
    random: () => 0,
    logger: { debug: keep, info: keep, warn: keep, error: keep },
    onOutcome: (outcome) => outcomes.push(outcome),
    onWaiting: (count) => {
      waiting = count;
    },
    onSettled: ({ id }) => settled.push(id),
  });
});
afterEach(() => outbox.stop());

const put = (id: string): void =>
  outbox.put({
    id,
    type: 'NodeFailed',
    at: 0,
    policy: 'p',
    policyUID: 'u',
    reason: 'Halted',
    message: '',
    advice: '',
  } satisfies Notification);
async function answer(error?: unknown): Promise<void> {
  sending.shift()?.answer(error);
  await settle();
}
const down = (more: ConstructorParameters<typeof WebhookError>[1] = {}): WebhookError =>
  new WebhookError('hooks.example answers 503', more);

test('notifications go one at a time, in order, each once', async () => {
  for (const id of ['a', 'b', 'a']) put(id);
  await settle();
  expect([sent, waiting]).toEqual([['a'], 2]);
  await answer();
  await answer();
  expect({ sent, settled, outcomes, waiting }).toEqual({ sent: ['a', 'b'], settled: ['a', 'b'], outcomes: ['sent', 'sent'], waiting: 0 });
  expect(clock.timers).toBe(0);
});

describe('what is not taken', () => {
  test('is sent again after a wait that grows, up to five minutes, and starts anew after a success', async () => {
    put('a');
    await settle();
    for (const wait of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
      await answer(down());
      clock.advance(wait * 1_000 - 1);
      await settle();
      expect(sending).toHaveLength(0);
      clock.advance(1);
      await settle();
      expect(sending).toHaveLength(1);
    }
    await answer();
    expect(settled).toEqual(['a']);
    put('b');
    await settle();
    await answer(down());
    clock.advance(1_000);
    await settle();
    expect(sending).toHaveLength(1);
  });

  test('waits for as long as the receiver asks', async () => {
    put('a');
    await settle();
    await answer(down({ retryAfterMs: 30_000 }));
    clock.advance(29_999);
    await settle();
    expect(sending).toHaveLength(0);
    clock.advance(1);
    await settle();
    expect(sending).toHaveLength(1);
    expect(log).toEqual([{ webhook: 'ops', why: 'hooks.example answers 503', againInMs: 30_000, id: 'a' }]);
  });

  test('is dropped where it never will be, and the next goes at once', async () => {
    put('a');
    put('b');
    await settle();
    await answer(down({ retryable: false }));
    expect({ sent, settled, outcomes }).toEqual({ sent: ['a', 'b'], settled: ['a'], outcomes: ['dropped'] });
    expect(log).toEqual([expect.objectContaining({ id: 'a', policy: 'p', why: 'hooks.example answers 503' })]);
  });

  test('is dropped after an hour, with one line in the log', async () => {
    put('a');
    await settle();
    await answer(down());
    clock.advance(MAX_WAIT_MS / 2);
    put('b');
    await settle();
    await answer(down());
    clock.advance(MAX_WAIT_MS / 2);
    await settle();
    expect({ sent, settled, outcomes }).toEqual({ sent: ['a', 'a', 'b'], settled: ['a'], outcomes: ['failed', 'failed', 'dropped'] });
    await answer();
    expect(settled).toEqual(['a', 'b']);
  });

  test('for reasons of our own is sent again, too', async () => {
    put('a');
    await settle();
    await answer(new Error('https://hooks.example/secret'));
    expect(JSON.stringify(log)).not.toContain('secret');
    clock.advance(1_000);
    await settle();
    expect(sending).toHaveLength(1);
  });
});

test('of more than the queue holds the oldest are dropped, but not what is just being sent', async () => {
  for (let index = 0; index < MAX_WAITING + 2; index += 1) put(`n${index}`);
  await settle();
  expect({ sent, settled, outcomes, waiting }).toEqual({
    sent: ['n0'],
    settled: ['n1', 'n2'],
    outcomes: ['dropped', 'dropped'],
    waiting: MAX_WAITING,
  });
  await answer();
  expect(sent).toEqual(['n0', 'n3']);
});

test('once stopped, nothing is sent, nothing is settled, and nothing waits', async () => {
  put('a');
  put('b');
  await settle();
  await outbox.stop();
  put('c');
  await settle();
  expect({ sent, settled, waiting, outcomes }).toEqual({ sent: ['a'], settled: [], waiting: 0, outcomes: [] });
});

test('a wait for the next attempt ends with the stop', async () => {
  put('a');
  await settle();
  await answer(down({ retryAfterMs: 900_000 }));
  await outbox.stop();
  expect(clock.timers).toBe(0);
});

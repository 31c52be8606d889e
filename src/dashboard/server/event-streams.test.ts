import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { beforeEach, expect, test } from '@jest/globals';
import { FakeClock } from '../../kube/testing/fake-clock.ts';
import type { Changes, NodeRow, ServerEvent, Snapshot } from '../wire.ts';
import { type EventStreams, eventStreams, KEEP_ALIVE_MS, MAX_BACKLOG_BYTES, MAX_STREAMS, TOGETHER_MS } from './event-streams.ts';

/** A page that reads, or does not. */
class Page extends Writable {
  text = '';
  head: unknown;
  reads = true;
  #held: (() => void) | undefined;

  writeHead(...head: unknown[]): this {
    this.head = head;
    return this;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    if (this.reads) done();
    else this.#held = done;
  }

  readOn(): void {
    this.reads = true;
    this.#held?.();
  }

  get events(): ServerEvent[] {
    return this.text
      .split('\n\n')
      .filter((part) => part.startsWith('data: '))
      .map((part) => JSON.parse(part.slice('data: '.length)) as ServerEvent);
  }

  get response(): ServerResponse {
    return this as unknown as ServerResponse;
  }
}

let clock: FakeClock;
let rows: Map<string, NodeRow>;
let changed: NodeRow[];
let streams: EventStreams;
const nothing = {
  at: 0,
  version: '1',
  cluster: { context: '', name: '', server: '' },
  connection: { state: 'live', since: 0 },
  access: { missing: [], forbidden: [] },
  policies: [],
} as const;
beforeEach(() => {
  clock = new FakeClock();
  rows = new Map();
  changed = [];
  streams = eventStreams(
    {
      snapshot: (): Omit<Snapshot, 'type' | 'seq'> => ({ ...nothing, nodes: [...rows.values()] }),
      takeChanges(): Omit<Changes, 'type' | 'seq'> | undefined {
        const nodes = changed;
        changed = [];
        return nodes.length === 0 ? undefined : { at: 0, nodes };
      },
    },
    clock,
  );
});

function change(row: NodeRow): void {
  rows.set(row.name, row);
  changed = [...changed.filter(({ name }) => name !== row.name), row];
  streams.changed();
}
function opened(reads = true): Page {
  const page = new Page();
  page.reads = reads;
  expect(streams.open(page.response)).toBe(true);
  return page;
}

test('what changes within a moment is told as one, and counted', () => {
  const page = opened();
  change({ name: 'a', message: '1' });
  change({ name: 'a', message: '2' });
  change({ name: 'b' });
  expect(page.events).toHaveLength(1);
  clock.advance(TOGETHER_MS);
  change({ name: 'c' });
  clock.advance(TOGETHER_MS);
  expect(page.events).toMatchObject([
    { type: 'snapshot', seq: 0, nodes: [] },
    { type: 'changes', seq: 1, nodes: [{ name: 'a', message: '2' }, { name: 'b' }] },
    { type: 'changes', seq: 2, nodes: [{ name: 'c' }] },
  ]);
  expect(page.head).toEqual([200, { 'content-type': 'text/event-stream; charset=utf-8' }]);
});

test('the first change after a rest is told at once, and those that follow together', () => {
  const page = opened();
  clock.advance(TOGETHER_MS);
  change({ name: 'a' });
  clock.advance(0);
  change({ name: 'b' });
  change({ name: 'c' });
  clock.advance(TOGETHER_MS - 1);
  expect(page.events.slice(1)).toMatchObject([{ seq: 1, nodes: [{ name: 'a' }] }]);
  clock.advance(1);
  expect(page.events.slice(1)).toMatchObject([{ seq: 1 }, { seq: 2, nodes: [{ name: 'b' }, { name: 'c' }] }]);
});

test('who comes later begins with what is, and counts on with the others', () => {
  const first = opened();
  change({ name: 'a' });
  const second = opened();
  expect(second.events).toMatchObject([{ type: 'snapshot', seq: 1, nodes: [{ name: 'a' }] }]);
  change({ name: 'b' });
  clock.advance(TOGETHER_MS);
  expect(first.events.map(({ seq }) => seq)).toEqual([0, 1, 2]);
  expect(second.events.map(({ seq }) => seq)).toEqual([1, 2]);
});

test('nothing that changed while nobody listened is told as a change', () => {
  change({ name: 'a' });
  clock.advance(TOGETHER_MS);
  const page = opened();
  clock.advance(TOGETHER_MS);
  expect(page.events).toMatchObject([{ type: 'snapshot', nodes: [{ name: 'a' }] }]);
});

test('a page that does not read is cut off before its backlog grows, others are not, and it begins anew', () => {
  const slow = opened(false);
  const quick = opened();
  const message = 'x'.repeat(1024 * 1024);
  for (let sent = 0; sent < MAX_BACKLOG_BYTES && !slow.destroyed; sent += message.length) {
    change({ name: 'a', message: `${sent}${message}` });
    clock.advance(TOGETHER_MS);
  }
  change({ name: 'a', message: 'last' });
  clock.advance(TOGETHER_MS);
  expect([slow.destroyed, quick.destroyed, streams.size]).toEqual([true, false, 1]);
  expect(slow.writableLength).toBeLessThan(MAX_BACKLOG_BYTES + 2 * message.length);
  expect(quick.events.at(-1)).toMatchObject({ nodes: [{ message: 'last' }] });
  expect(opened().events).toMatchObject([{ type: 'snapshot', nodes: [{ message: 'last' }] }]);
});

test('a big snapshot is no backlog', () => {
  for (let index = 0; index < 10; index += 1) change({ name: `n${index}`, message: 'x'.repeat(1024 * 1024) });
  const page = opened(false);
  change({ name: 'a' });
  clock.advance(TOGETHER_MS);
  expect(page.destroyed).toBe(false);
  page.readOn();
  clock.advance(KEEP_ALIVE_MS);
  clock.advance(KEEP_ALIVE_MS);
  expect(page.destroyed).toBe(false);
  expect(page.events).toMatchObject([{ type: 'snapshot' }, { nodes: [{ name: 'a' }] }]);
});

test('a page that has not read for the time between two signs of life is cut off, however little it was', () => {
  const stuck = opened(false);
  const quiet = opened();
  clock.advance(KEEP_ALIVE_MS);
  expect(stuck.destroyed).toBe(false);
  clock.advance(KEEP_ALIVE_MS);
  expect([stuck.destroyed, quiet.destroyed, streams.size]).toEqual([true, false, 1]);
  expect(quiet.text).toMatch(/(: still here\n\n){2}$/);
});

test('there are no more streams than a browser has connections, and one that ends makes room', async () => {
  const pages = Array.from({ length: MAX_STREAMS }, () => opened());
  const more = new Page();
  expect(streams.open(more.response)).toBe(false);
  expect(more.text).toBe('');
  const first = pages[0] as Page;
  first.destroy();
  await once(first, 'close');
  expect(streams.open(more.response)).toBe(true);
});

test('at the end all streams are ended, and no timer is left', () => {
  const page = opened();
  change({ name: 'a' });
  streams.close();
  change({ name: 'b' });
  expect([page.writableEnded, streams.size, clock.timers]).toEqual([true, 0, 0]);
  clock.advance(KEEP_ALIVE_MS);
  expect(page.events).toHaveLength(1);
});

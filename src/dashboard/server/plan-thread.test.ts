import { expect, test } from '@jest/globals';
import { aPolicy, NOW } from '../../core/testing/builders.ts';
import type { World } from '../../core/world.ts';
import { planInThread } from './plan-thread.ts';

const world: World = {
  policies: [aPolicy()],
  nodes: [],
  guarded: true,
  standby: false,
  pods: new Map(),
  daemonSets: new Set(),
  budgets: new Map(),
  blockedPods: new Map(),
  hookNamespaces: [],
  jobs: new Map(),
  checks: new Map(),
  prometheusHosts: [],
  retry: { baseMs: 1, maxMs: 1 },
};
const input = { world, warnings: [], now: NOW };
/** A thread of this text. */
const program = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

test('who no longer wants a plan ends the thread that makes it', async () => {
  const stop = new AbortController();
  const begun = Promise.withResolvers<void>();
  const endless = program("import { parentPort } from 'node:worker_threads'; parentPort.postMessage({ progress: {} }); for (;;);");
  const plan = planInThread(endless, input, () => begun.resolve(), stop.signal);
  await begun.promise;
  stop.abort(new Error('enough'));
  await expect(plan).rejects.toThrow('enough');
  await expect(planInThread(endless, input, () => {}, stop.signal)).rejects.toThrow('enough');
});

test.each([
  ['fails', "throw new Error('no plan')", 'no plan'],
  ['ends without an answer', '', 'ended without an answer'],
])('a thread that %s is an error', async (_, text, words) => {
  await expect(planInThread(program(text), input, () => {}, new AbortController().signal)).rejects.toThrow(words);
});

test('progress is told on the way', async () => {
  const text =
    "import { parentPort } from 'node:worker_threads'; for (const done of [1, 2]) parentPort.postMessage({ progress: { done, total: 2 } }); parentPort.postMessage({ plan: { at: 'now' } });";
  const told: number[] = [];
  const plan = await planInThread(program(text), input, ({ done }) => told.push(done), new AbortController().signal);
  expect([told, plan]).toEqual([[1, 2], { at: 'now' }]);
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ClusterBed, clusterBed } from '../controller/testing/bed.ts';
import { systemClock } from '../kube/clock.ts';
import { type DashboardOptions, runDashboard } from './dashboard.ts';

let bed: ClusterBed;
beforeEach(async () => {
  bed = await clusterBed();
});
afterEach(() => bed.close());

/** Starts the command; `printed` resolves with its URL, `opened` has what the browser was given. */
function started(options: Partial<DashboardOptions> = {}, open: (url: string) => Promise<void> = async () => {}) {
  const stop = new AbortController();
  const said = { text: '', warnings: '', done: false };
  const printed = Promise.withResolvers<string>();
  const ended = runDashboard(
    { port: 0, address: '127.0.0.1', ...options },
    {
      client: bed.client,
      clock: systemClock,
      random: () => 0,
      version: '1',
      cluster: { context: 'staging', name: 'c', server: bed.server.origin },
      program: undefined,
      assets: async () => ({ html: 'page', js: '', css: '' }),
      print(text) {
        said.text += text;
        printed.resolve(/http:\S+/.exec(said.text)?.[0] ?? '');
      },
      warn(text) {
        said.warnings += text;
      },
      open,
      untilInterrupted: () => ({
        signal: stop.signal,
        done() {
          said.done = true;
        },
      }),
    },
  );
  ended.catch(printed.reject);
  printed.promise.catch(() => {});
  return { printed: printed.promise, ended, said, stop: () => stop.abort() };
}

test('prints where it is, and ends with all that it opened', async () => {
  const { printed, ended, said, stop } = started();
  const url = await printed;
  expect(said.text).toMatch(/^The dashboard of staging is at\n\n {2}http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{43}\n/);
  expect(await (await fetch(url)).text()).toBe('page');
  stop();
  await ended;
  expect(said.done).toBe(true);
  await expect(fetch(url)).rejects.toThrow();
});

test('opens a browser only where it is asked to, and goes on where there is none', async () => {
  const opened: string[] = [];
  const first = started({ open: true }, async (url) => void opened.push(url));
  const url = await first.printed;
  first.stop();
  await first.ended;
  expect(opened).toEqual([url]);
  const second = started({ open: true }, () => Promise.reject(new Error('no xdg-open')));
  await second.printed;
  second.stop();
  await second.ended;
  expect(second.said.warnings).toContain('cannot open a browser');
});

test('a port that is taken is said to be', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await expect(started({ port }).ended).rejects.toThrow(`port ${port} is taken on this machine: choose another with --port`);
  } finally {
    server.close();
  }
});

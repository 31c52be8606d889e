import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Gauge, Registry } from 'prom-client';
import { createApp } from './app.ts';

let server: Server;
let state: { healthy: boolean; waitsFor: string[] };

beforeEach(async () => {
  state = { healthy: true, waitsFor: [] };
  const registry = new Registry();
  new Gauge({ name: 'lockkeeper_test', help: 'A test.', registers: [registry] }).set(1);
  server = createServer(createApp({ registry, healthy: () => state.healthy, waitsFor: () => state.waitsFor }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function get(path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init);
  return { status: response.status, type: response.headers.get('content-type'), headers: response.headers, text: await response.text() };
}

describe('the endpoints', () => {
  test('/metrics is what Prometheus reads', async () => {
    const { status, type, text } = await get('/metrics');
    expect([status, type]).toEqual([200, expect.stringMatching(/^text\/plain; version=0\.0\.4/)]);
    expect(text).toContain('# HELP lockkeeper_test A test.\n# TYPE lockkeeper_test gauge\nlockkeeper_test 1');
  });

  test('/healthz says whether passes go on', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    state.healthy = false;
    expect(await get('/healthz')).toMatchObject({ status: 503, text: expect.stringMatching(/^a pass has made no progress.*\n$/) });
    expect((await get('/readyz')).status).toBe(200);
  });

  test('/readyz says what is not there yet, and what to look at', async () => {
    state.waitsFor = ['nodeUpdates', 'budgets'];
    const { status, text } = await get('/readyz');
    expect(status).toBe(503);
    expect(text).toMatch(/^not read yet: nodeUpdates, budgets; .*CRDs.*\n$/);
    state.waitsFor = [];
    expect(await get('/readyz')).toMatchObject({ status: 200, text: 'ok\n' });
  });

  test('tell nothing else, and not what they are made with', async () => {
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics', { method: 'POST' })).status).toBe(404);
    expect((await get('/healthz')).headers.get('x-powered-by')).toBeNull();
  });
});

import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { testCertificate } from '../../src/kube/testing/certificate.ts';
import { type Api, ApiError, ApiUnreachable, createApi } from './api.ts';
import { type FaultProxy, openFaultProxy, type SeenRequest } from './fault-proxy.ts';

let server: Server;
let proxy: FaultProxy;
let client: Api;
let carriedOut: string[];

beforeEach(async () => {
  carriedOut = [];
  server = createServer(testCertificate, async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    carriedOut.push(`${request.method} ${request.url} ${body}`);
    response.writeHead(200, { 'content-type': 'application/json' });
    if (!request.url?.includes('watch=true')) response.end(JSON.stringify({ path: request.url }));
    else response.write(`${JSON.stringify({ type: 'ADDED', object: {} })}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { cert, key } = testCertificate;
  proxy = await openFaultProxy({ server: { host: '127.0.0.1', port }, ca: cert, certificate: cert, key });
  client = createApi({ server: `https://127.0.0.1:${proxy.port}`, ca: cert });
});
afterEach(async () => {
  client.close();
  await proxy.close();
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

const isPatch = ({ method }: SeenRequest): boolean => method === 'PATCH';

test('passes what no fault is armed for, with method, path and body', async () => {
  proxy.arm('drop', isPatch);
  expect(await client.create('/things?a=b', { name: 'x' })).toEqual({ path: '/things?a=b' });
  expect(carriedOut).toEqual(['POST /things?a=b {"name":"x"}']);
});

test('passes a watch event by event', async () => {
  const ending = new AbortController();
  const events = client.watch('/things', {}, ending.signal);
  expect((await events.next()).value).toEqual({ type: 'ADDED', object: {} });
  ending.abort();
  await expect(events.next()).resolves.toMatchObject({ done: true });
});

test('holds a request until it is released', async () => {
  const fault = proxy.arm('hold', ({ body }) => body.includes('late'));
  const patch = client.patch('/things/x', { late: true });
  expect(await fault.first).toMatchObject({ method: 'PATCH', path: '/things/x', body: '{"late":true}' });
  await client.patch('/things/x', { late: false });
  expect(carriedOut).toEqual(['PATCH /things/x {"late":false}']);
  expect(await fault.release()).toEqual([200]);
  expect(await patch).toEqual({ path: '/things/x' });
});

test('delivers what it held even where the sender has gone', async () => {
  const fault = proxy.arm('hold', isPatch);
  const patch = client.patch('/things/x', {}).catch((error: unknown) => error);
  await fault.first;
  client.close();
  expect(await patch).toBeInstanceOf(ApiUnreachable);
  expect(await fault.release()).toEqual([200]);
  expect(carriedOut).toEqual(['PATCH /things/x {}']);
});

test('drops what it held, unsent', async () => {
  const fault = proxy.arm('hold', isPatch);
  const patch = client.patch('/things/x', {}).catch((error: unknown) => error);
  await fault.first;
  fault.drop();
  expect(await patch).toBeInstanceOf(ApiUnreachable);
  expect(carriedOut).toEqual([]);
});

test('cuts the connection before, or after the request was carried out', async () => {
  proxy.arm('drop', isPatch);
  await expect(client.patch('/things/x', {})).rejects.toBeInstanceOf(ApiUnreachable);
  expect(carriedOut).toEqual([]);
  proxy.arm('cut', isPatch);
  await expect(client.patch('/things/x', {})).rejects.toBeInstanceOf(ApiUnreachable);
  expect(carriedOut).toEqual(['PATCH /things/x {}']);
});

test('answers in place of the server, as often as it was told', async () => {
  const fault = proxy.arm(503, isPatch, 2);
  for (let time = 0; time < 2; time++) await expect(client.patch('/things/x', {})).rejects.toMatchObject({ status: 503 });
  await expect(client.patch('/things/x', {})).resolves.toBeDefined();
  expect(fault.caught).toHaveLength(2);
  await expect(client.patch('/things/x', {})).resolves.not.toBeInstanceOf(ApiError);
});

test('catches nothing more once it is lifted', async () => {
  const fault = proxy.arm('drop', isPatch, 5);
  await expect(client.patch('/things/x', {})).rejects.toBeInstanceOf(ApiUnreachable);
  fault.lift();
  await expect(client.patch('/things/x', {})).resolves.toBeDefined();
});

test('says of a watch that its version is too old', async () => {
  proxy.arm('expired', ({ path }) => path.includes('watch=true'));
  const events = client.watch('/things', {}, new AbortController().signal);
  await expect(events.next()).resolves.toMatchObject({ value: { type: 'ERROR', object: { code: 410 } } });
  expect(carriedOut).toEqual([]);
});

test('passes an answer and each event later, and hangs up on what is under way', async () => {
  const delayMs = 60;
  proxy.arm({ delayMs }, () => true, 2);
  const began = performance.now();
  expect(await client.get('/things/x')).toEqual({ path: '/things/x' });
  expect(performance.now() - began).toBeGreaterThanOrEqual(delayMs - 1);
  const events = client.watch('/things', {}, new AbortController().signal);
  expect((await events.next()).value).toEqual({ type: 'ADDED', object: {} });
  expect([proxy.hangUp(({ method }) => method === 'PATCH'), proxy.hangUp(({ path }) => path.includes('watch=true'))]).toEqual([0, 1]);
  await expect(events.next()).rejects.toBeInstanceOf(ApiUnreachable);
});

import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterBed, clusterBed } from '../../controller/testing/bed.ts';
import { putNode, putPolicy, putUpdate } from '../../controller/testing/objects.ts';
import type { Dashboard } from './dashboard.ts';
import { MAX_STREAMS } from './event-streams.ts';
import { hostsOf } from './guards.ts';
import { dashboardOf } from './testing/dashboard-bed.ts';
import { type Ask, type ReadStream, type Visitor, visitorOf } from './testing/visitor.ts';

let bed: ClusterBed;
let dashboard: Dashboard;
let other: Dashboard;
let visitor: Visitor;
let port: number;
beforeAll(async () => {
  bed = await clusterBed();
  putPolicy(bed.cluster);
  putUpdate(bed.cluster, putNode(bed.cluster, 'a'), { policy: 'default' });
  [dashboard, other] = await Promise.all([dashboardOf(bed), dashboardOf(bed)]);
  visitor = visitorOf(dashboard.url);
  port = Number(new URL(dashboard.url).port);
});
afterAll(async () => {
  await Promise.all([dashboard.close(), other.close()]);
  await bed.close();
});

const pause = JSON.stringify({ verb: 'pause', targets: [{ kind: 'policy', name: 'default' }] });
const action = (headers: Ask['headers'] = {}, body = pause): [string, Ask] => ['/api/actions', { method: 'POST', headers, body }];

test('whom all guards let through does what they ask', async () => {
  expect(await visitor.ask('/api/history')).toMatchObject({ status: 200 });
  expect(await visitor.ask(...action({}, JSON.stringify({ ...JSON.parse(pause), preview: true })))).toMatchObject({ status: 200 });
});

describe('refused', () => {
  const cases: readonly [string, () => [string, Ask], number][] = [
    ['a name that somebody’s DNS points here', () => ['/', { headers: { host: `evil.example:${port}` } }], 403],
    ['the same with the token', () => ['/api/history', { headers: { host: `evil.example:${port}` } }], 403],
    ['a name that only begins like ours', () => ['/', { headers: { host: `localhost.evil.example:${port}` } }], 403],
    ['another port', () => ['/', { headers: { host: `127.0.0.1:${port + 1}` } }], 403],
    ['no port', () => ['/', { headers: { host: '127.0.0.1' } }], 403],
    ['another address of the loopback', () => ['/', { headers: { host: `127.0.0.2:${port}` } }], 403],
    ['another page’s request', () => action({ origin: 'https://evil.example' }), 403],
    ['another port’s page', () => action({ origin: `http://127.0.0.1:${port + 1}` }), 403],
    ['our own page under another name', () => action({ origin: `http://localhost:${port}` }), 403],
    ['https in place of http', () => action({ origin: `https://127.0.0.1:${port}` }), 403],
    ['a sandboxed page', () => action({ origin: 'null' }), 403],
    ['a POST without Origin', () => action({ origin: null }), 403],
    ['a GET with another Origin', () => ['/api/history', { headers: { origin: 'https://evil.example' } }], 403],
    ['cross-site by the browser’s word', () => ['/', { headers: { 'sec-fetch-site': 'cross-site' } }], 403],
    ['same-site: another port of this machine', () => ['/api/history', { headers: { 'sec-fetch-site': 'same-site' } }], 403],
    ['no token', () => ['/api/history', { headers: { authorization: null } }], 401],
    ['no token for events', () => ['/api/events', { headers: { authorization: null } }], 401],
    ['no token for an action', () => action({ authorization: null }), 401],
    ['the token of another dashboard', () => ['/api/history', { headers: { authorization: `Bearer ${visitorOf(other.url).token}` } }], 401],
    ['part of the token', () => ['/api/history', { headers: { authorization: `Bearer ${visitor.token.slice(0, -1)}` } }], 401],
    ['more than the token', () => ['/api/history', { headers: { authorization: `Bearer ${visitor.token}A` } }], 401],
    ['the token in the query', () => [`/api/history?token=${visitor.token}`, { headers: { authorization: null } }], 401],
    ['the token in a cookie', () => ['/api/history', { headers: { authorization: null, cookie: `token=${visitor.token}` } }], 401],
    ['the path in capitals', () => ['/API/history', { headers: { authorization: null } }], 401],
    ['the path encoded', () => ['/%61pi/history', { headers: { authorization: null } }], 401],
    ['the path with two slashes', () => ['//api/history', { headers: { authorization: null } }], 401],
    ['GET of an action', () => ['/api/actions', {}], 404],
    ['a preflight', () => ['/api/actions', { method: 'OPTIONS', headers: { origin: 'https://evil.example' } }], 405],
    ['PUT', () => ['/api/actions', { method: 'PUT', headers: { origin: visitor.origin }, body: pause }], 405],
    ['a body of another type', () => action({ 'content-type': 'text/plain' }), 400],
    ['no JSON', () => action({}, '{'), 400],
    ['an oversized body', () => action({}, JSON.stringify({ verb: 'pause', more: 'x'.repeat(20_000) })), 413],
    ['nothing there', () => ['/api/nothing', {}], 404],
  ];
  test.each(cases)('%s', async (_, ask, status) => {
    const before = bed.cluster.writes().filter((write) => write.startsWith('PATCH'));
    const answer = await visitor.ask(...ask());
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({ code: expect.any(String), message: expect.any(String) });
    expect(answer.body).not.toContain(visitor.token);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(bed.cluster.writes().filter((write) => write.startsWith('PATCH'))).toEqual(before);
  });
});

test('every answer says that nothing foreign runs in it, frames it or keeps it, and sets no cookie', async () => {
  for (const [path, ask] of [
    ['/', {}],
    ['/api/history', {}],
    ['/', { headers: { host: 'evil.example' } }],
  ] satisfies [string, Ask][]) {
    const { headers } = await visitor.ask(path, ask);
    const policy = headers['content-security-policy'];
    for (const directive of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
    ])
      expect(policy).toContain(directive);
    expect(policy).not.toMatch(/unsafe|http:|\*/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers).not.toHaveProperty('set-cookie');
    expect(headers).not.toHaveProperty('x-powered-by');
  }
});

test('a tab too many is told so, and is let in once another is closed', async () => {
  const streams = await Promise.all(Array.from({ length: MAX_STREAMS }, () => visitor.events()));
  const refused = await visitor.ask('/api/events');
  expect([refused.status, JSON.parse(refused.body).code]).toEqual([503, 'TooMany']);
  for (const stream of streams) stream.close();
  // The server hears of it a moment later.
  let again: ReadStream | undefined;
  for (let tries = 0; again === undefined && tries < 1_000; tries += 1) again = await visitor.events().catch(() => undefined);
  again?.close();
  expect(again).toBeDefined();
});

test('it listens on the loopback alone', async () => {
  const foreign = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal);
  for (const host of ['127.0.0.2', ...(foreign === undefined ? [] : [foreign.address])]) {
    const socket = connect({ host, port });
    const [error] = await Promise.race([once(socket, 'error'), once(socket, 'connect').then(() => [undefined])]);
    socket.destroy();
    expect({ host, code: (error as NodeJS.ErrnoException | undefined)?.code }).toEqual({ host, code: 'ECONNREFUSED' });
  }
});

test('the token is 256 bits, in the fragment, and of this dashboard alone', () => {
  const url = new URL(dashboard.url);
  expect([url.hostname, url.search, url.username]).toEqual(['127.0.0.1', '', '']);
  expect(Buffer.from(visitor.token, 'base64url')).toHaveLength(32);
  expect(visitorOf(other.url).token).not.toBe(visitor.token);
});

test('browsers leave out the port of http', () => {
  expect([...hostsOf(80)]).toEqual(expect.arrayContaining(['localhost', '127.0.0.1', '[::1]', 'localhost:80']));
  expect([...hostsOf(8480)]).toEqual(['127.0.0.1:8480', 'localhost:8480', '[::1]:8480']);
});

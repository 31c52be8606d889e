import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../kube/clock.ts';
import { FakeApiServer } from '../kube/testing/fake-api-server.ts';
import { eventually } from '../kube/testing/fake-clock.ts';
import { recordingLogger, testClient, testCredentials } from '../kube/testing/fixtures.ts';
import { ApiServers, fallbackCredentials } from './api-servers.ts';
import { HostUnreachable } from './host-errors.ts';

let service: FakeApiServer;
let direct: FakeApiServer;
let ending: AbortController;
const path = '/apis/lockkeeper.dev/v1alpha1/nodehosts/a';

beforeEach(async () => {
  service = new FakeApiServer();
  direct = new FakeApiServer();
  ending = new AbortController();
  for (const server of [service, direct]) {
    await server.start();
    server.put('a');
  }
});
afterEach(async () => {
  ending.abort();
  await service.stop();
  await direct.stop();
});

function servers(findFallback = async () => testClient(direct) as ReturnType<typeof testClient> | undefined) {
  let sought = 0;
  const both = new ApiServers(
    {
      primary: testClient(service),
      findFallback: () => {
        sought += 1;
        return findFallback();
      },
      clock: systemClock,
      logger: recordingLogger(),
      probeMs: 20,
    },
    ending.signal,
  );
  return { both, sought: () => sought };
}
const cut = () => 'cut' as const;
const fails = (asked: Promise<unknown>) => expect(asked).rejects.toMatchObject({ name: 'ApiUnreachableError' });

test('two failures in a row lead to the fallback, and the service address is used again as soon as it answers', async () => {
  const { both } = servers();
  await both.get(path);
  service.fault = cut;
  await fails(both.get(path));
  await fails(both.get(path));
  expect(both.usesFallback).toBe(true);
  await both.get(path);
  await both.mergePatch(path, { status: {} });
  expect(direct.requests.map(({ method }) => method)).toEqual(['GET', 'PATCH']);
  const watch = both.watch('/apis/lockkeeper.dev/v1alpha1/nodehosts', {}, ending.signal);
  expect((await watch.next()).value).toMatchObject({ type: 'ADDED' });
  // Even a refusal is an answer.
  service.fault = ({ path: asked }) => (asked === '/version' ? { status: 403 } : undefined);
  await eventually(() => !both.usesFallback, 'the way back');
  await expect(watch.next()).rejects.toMatchObject({ name: 'ApiUnreachableError' });
  await eventually(() => direct.watches === 0, 'the end of the watch');
  await both.get(path);
  expect(service.requests.at(-1)?.path).toBe(path);
});

test('a watch that cannot be opened counts, too', async () => {
  const { both } = servers();
  service.fault = cut;
  for (let tries = 0; tries < 2; tries += 1) await fails(both.watch('/apis/x/v1/ys', {}, ending.signal).next());
  expect(both.usesFallback).toBe(true);
});

describe('no fallback', () => {
  test('where the server answers, whatever it says', async () => {
    const { both, sought } = servers();
    service.fault = () => ({ status: 500 });
    for (let tries = 0; tries < 3; tries += 1) await expect(both.get(path)).rejects.toMatchObject({ status: 500 });
    expect(sought()).toBe(0);
  });

  test('where the host names none, or cannot be asked', async () => {
    const answers = [async () => undefined, () => Promise.reject(new HostUnreachable('gone', { sent: false }))];
    const { both, sought } = servers(() => (answers.shift() ?? (async () => undefined))());
    service.fault = cut;
    for (let tries = 0; tries < 4; tries += 1) await fails(both.get(path));
    expect(sought()).toBe(2);
    expect(both.usesFallback).toBe(false);
  });
});

test('where the fallback fails as well, it goes back', async () => {
  const { both } = servers();
  service.fault = cut;
  await fails(both.get(path));
  await fails(both.get(path));
  direct.fault = cut;
  await fails(both.get(path));
  await fails(both.get(path));
  expect(both.usesFallback).toBe(false);
});

test("the host's settings make credentials only where they are an address and a certificate", async () => {
  const credentials = testCredentials(new URL('https://10.96.0.1'));
  credentials.token = 'Bearer t';
  const pem = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n';
  const certificate = Buffer.from(pem).toString('base64');
  const found = fallbackCredentials(credentials, { server: 'https://api.example:6443', certificate });
  expect(found?.server.host).toBe('api.example:6443');
  expect(await found?.tls()).toEqual({ ca: pem });
  expect(await found?.authorization()).toBe('Bearer t');
  found?.refresh();
  expect(credentials.refreshed).toBe(1);
  expect(fallbackCredentials(credentials, { server: 'http://api.example', certificate })).toBeUndefined();
  expect(fallbackCredentials(credentials, { server: 'api.example', certificate })).toBeUndefined();
  expect(fallbackCredentials(credentials, { server: 'https://api.example', certificate: 'xxxx' })).toBeUndefined();
});

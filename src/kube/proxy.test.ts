import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { KubeClient } from './client.ts';
import { ApiUnreachableError } from './errors.ts';
import { testCertificate } from './testing/certificate.ts';
import { FakeApiServer } from './testing/fake-api-server.ts';
import { testCredentials } from './testing/fixtures.ts';

let server: FakeApiServer;
let proxy: http.Server;
let proxyURL: string;
const tunnels: string[] = [];
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = new FakeApiServer({ tls: testCertificate });
  await server.start();
  proxy = http.createServer();
  proxy.on('connect', ({ url = '' }: http.IncomingMessage, socket: Socket) => {
    tunnels.push(url);
    const to = connect(Number(url.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      to.pipe(socket).pipe(to);
    });
    for (const each of [socket, to]) {
      sockets.add(each);
      each.on('error', () => {});
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  proxyURL = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  proxy.close();
  await server.stop();
});

/** The fake server under a name that this machine does not know, so that only the proxy finds it. */
function client(env: Record<string, string>): KubeClient {
  const url = new URL(server.url);
  url.hostname = 'api.fake';
  const credentials = { ...testCredentials(url), proxy: env, tls: async () => ({ ca: testCertificate.cert }) };
  return new KubeClient({ credentials, userAgent: 'test' });
}

test('requests and watches go through the tunnel of a proxy, and TLS ends at the server', async () => {
  const through = client({ HTTPS_PROXY: proxyURL });
  await through.get('/api/v1/things');
  const stop = new AbortController();
  const watching = through.watch('/api/v1/things', { resourceVersion: '100' }, stop.signal, { onOpen: () => stop.abort() });
  for await (const _ of watching) break;
  through.close();
  const { port } = new URL(server.url);
  expect(tunnels).toEqual([`api.fake:${port}`, `api.fake:${port}`]);
});

test('NO_PROXY is passed by', async () => {
  tunnels.length = 0;
  const past = client({ HTTPS_PROXY: proxyURL, NO_PROXY: '.fake' });
  await expect(past.get('/api/v1/things')).rejects.toThrow(ApiUnreachableError);
  past.close();
  expect(tunnels).toEqual([]);
});

test('a proxy that is not there is said', async () => {
  const lost = client({ HTTPS_PROXY: 'http://127.0.0.1:1' });
  await expect(lost.get('/api/v1/things')).rejects.toThrow(ApiUnreachableError);
  lost.close();
});

test('requests count as whoever is named', async () => {
  const credentials = {
    ...testCredentials(server.url),
    tls: async () => ({ ca: testCertificate.cert }),
    impersonate: { user: 'jane', groups: ['a', 'b'], uid: '7' },
  };
  const as = new KubeClient({ credentials, userAgent: 'test' });
  await as.get('/api/v1/things');
  as.close();
  expect(server.requests[0]?.headers).toMatchObject({ 'impersonate-user': 'jane', 'impersonate-group': 'a, b', 'impersonate-uid': '7' });
});

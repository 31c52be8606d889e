import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeClient } from './client.ts';
import { ApiUnreachableError } from './errors.ts';
import { isPassedBy } from './person-proxy.ts';
import { socksDial } from './socks.ts';
import { testCertificate } from './testing/certificate.ts';
import { FakeApiServer } from './testing/fake-api-server.ts';
import { testCredentials } from './testing/fixtures.ts';
import { serveSocks } from './testing/socks-server.ts';

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

describe('a SOCKS5 proxy', () => {
  let socks: Server;
  /** What it was asked to connect to, and by whom. */
  const asked: { host: string; user: string }[] = [];
  beforeEach(async () => {
    asked.length = 0;
    socks = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      void serveSocks(socket, (host, port, user) => {
        asked.push({ host, user });
        if (host !== 'api.fake') return undefined;
        const to = connect(port, '127.0.0.1');
        sockets.add(to);
        return to.on('error', () => {});
      });
    });
    socks.listen(0, '127.0.0.1');
    await once(socks, 'listening');
  });
  afterEach(() => {
    socks.close();
  });

  /** The server under a name that only the proxy knows, plain or with TLS. */
  function behind(proxyOf: string, name = 'api.fake', target = server): KubeClient {
    const url = new URL(target.url);
    url.hostname = name;
    const dial = socksDial(new URL(proxyOf.replace('PORT', String((socks.address() as AddressInfo).port))));
    const credentials = { ...testCredentials(url), dial, tls: async () => ({ ca: testCertificate.cert }) };
    return new KubeClient({ credentials, userAgent: 'test' });
  }

  test('looks up the name itself; TLS ends at the server, connections are kept, watches have their own', async () => {
    const through = behind('socks5://PORT'.replace('PORT', '127.0.0.1:PORT'));
    await through.get('/api/v1/things');
    await through.get('/api/v1/things');
    const stop = new AbortController();
    const watching = through.watch('/api/v1/things', { resourceVersion: '100' }, stop.signal, { onOpen: () => stop.abort() });
    for await (const _ of watching) break;
    through.close();
    expect(asked).toEqual([
      { host: 'api.fake', user: '' },
      { host: 'api.fake', user: '' },
    ]);
  });

  test('is told a user and a password', async () => {
    const plain = new FakeApiServer();
    await plain.start();
    const through = behind('socks5://j%40ne:pa%3Ass@127.0.0.1:PORT', 'api.fake', plain);
    await through.get('/api/v1/things');
    through.close();
    await plain.stop();
    expect(asked).toEqual([{ host: 'api.fake', user: 'j@ne:pa:ss' }]);
  });

  test.each([
    ['that knows no such host', 'socks5://127.0.0.1:PORT', /HostUnreachable/],
    ['that is not there', 'socks5://127.0.0.1:1', /ECONNREFUSED/],
  ])('%s is said', async (_, proxyOf, words) => {
    const lost = behind(proxyOf, 'elsewhere.fake');
    await expect(lost.get('/api/v1/things')).rejects.toThrow(words);
    lost.close();
  });
});

test.each([
  ['https://api.example.com', '', false],
  ['https://api.example.com', 'other.com,example.com', true],
  ['https://api.example.com', '.example.com', true],
  ['https://api.example.com', '*.example.com', true],
  ['https://myexample.com', 'example.com', false],
  ['https://api.example.com:6443', 'api.example.com:6443', true],
  ['https://api.example.com:6443', 'api.example.com:443', false],
  ['https://api.example.com', 'api.example.com:443', true],
  ['https://10.1.2.3', '10.0.0.0/8', true],
  ['https://11.1.2.3', '10.0.0.0/8', false],
  ['https://10.1.2.3', 'nonsense/8', false],
  ['https://[fd00::1]:6443', 'fd00::/16', true],
  ['https://[fd00::1]:6443', '[fd00::1]:6443', true],
  ['https://[fd00::1]:6443', 'fd00::1', true],
  ['https://[fd00::1]:6443', 'fd00::2', false],
  ['https://api.example.com', ' * ', true],
])('%s is passed by NO_PROXY=%j: %s', (url, list, passed) => {
  expect(isPassedBy(new URL(url), list)).toBe(passed);
});

test('requests count as whoever is named', async () => {
  const credentials = {
    ...testCredentials(server.url),
    tls: async () => ({ ca: testCertificate.cert }),
    impersonate: { user: 'jane', groups: ['a', 'b'], uid: '7', extra: { 'ex/am%ple': ['x', 'y'] } },
  };
  const as = new KubeClient({ credentials, userAgent: 'test' });
  await as.get('/api/v1/things');
  as.close();
  expect(server.requests[0]?.headers).toMatchObject({
    'impersonate-user': 'jane',
    'impersonate-group': 'a, b',
    'impersonate-uid': '7',
    'impersonate-extra-ex%2fam%25ple': 'x, y',
  });
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Gate, openGate } from './gate.ts';

let server: Server;
let gate: Gate;
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  gate = await openGate({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
});
afterEach(async () => {
  await gate.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
  await once(server, 'close');
});

async function client(): Promise<Socket> {
  const socket = connect(gate.port, gate.host);
  sockets.add(socket);
  socket.setEncoding('utf8');
  await once(socket, 'connect');
  return socket;
}

async function echo(socket: Socket, text: string): Promise<unknown> {
  socket.write(text);
  const [answer] = await once(socket, 'data');
  return answer;
}

test('passes both ways, and an end too', async () => {
  const socket = await client();
  expect(await echo(socket, 'hello')).toBe('hello');
  socket.end();
  await once(socket, 'end');
});

test('a great deal in one piece, past every buffer', async () => {
  const socket = await client();
  const size = 20_000_000;
  let got = 0;
  socket.on('data', (text) => {
    got += text.length;
    if (got === size) socket.end();
  });
  socket.write('x'.repeat(size));
  await once(socket, 'end');
  expect(got).toBe(size);
});

test('refuses: resets what is open and what comes', async () => {
  const before = await client();
  await echo(before, 'hello');
  gate.set('refuse');
  expect(await once(before, 'error')).toMatchObject([{ code: 'ECONNRESET' }]);
  const after = connect(gate.port, gate.host);
  expect(await once(after, 'error')).toMatchObject([{ code: 'ECONNRESET' }]);
  gate.set('open');
  expect(await echo(await client(), 'again')).toBe('again');
});

test('silent: what was sent meanwhile arrives when it opens', async () => {
  const before = await client();
  await echo(before, 'hello');
  gate.set('silent');
  const after = await client();
  const heard: string[] = [];
  for (const socket of [before, after]) socket.on('data', (text) => heard.push(String(text)));
  before.write('one');
  after.write('two');
  // Many round trips beside the gate: time enough for anything that it would pass.
  const beside = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.add(beside);
  for (let round = 0; round < 50; round++) await echo(beside, 'beside');
  expect(heard).toEqual([]);
  gate.set('open');
  while (heard.length < 2) await Promise.race([once(before, 'data'), once(after, 'data')]);
  expect(heard.sort()).toEqual(['one', 'two']);
});

test('counts what passes, each way', async () => {
  const socket = await client();
  expect(await echo(socket, 'twelve bytes')).toBe('twelve bytes');
  expect(gate.passed).toEqual({ toServer: 12, fromServer: 12 });
});

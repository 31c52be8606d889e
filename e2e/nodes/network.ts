import { once } from 'node:events';
import { Agent, type ClientRequestArgs, request } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../bed/command.ts';
import type { PlaneNetwork } from '../bed/control-plane.ts';
import { eventually } from '../bed/eventually.ts';
import type { Home } from '../bed/home.ts';
import { freePort } from '../bed/ports.ts';
import { gatewayAddress } from './addresses.ts';
import { systemPath } from './requirements.ts';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The network of one bed: the bridge that its machines hang on, apart from every other network of this machine. */
export interface BedNetwork extends PlaneNetwork {
  /** Reaches an address there from here; the connection is paused until it is read or piped. @throws NotReached */
  dial(address: string, port: number): Promise<Socket>;
  /** What stands before the command of a program that is counted as the bed's, in no network of its own. */
  readonly counted: readonly string[];
  /** Gets a URL there from here; on a new connection, unless an agent is given. @throws NotReached, or what broke the connection off */
  get(url: string, options?: { readonly agent?: Agent; readonly timeoutMs?: number }): Promise<{ status: number; body: string }>;
  /** An agent whose connections begin there. */
  agent(): Agent;
  /** Runs a program there. @throws CommandError */
  run(command: string, ...args: string[]): Promise<string>;
  close(): void;
}

/** Nobody answers there now; a retry may help. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
}

/** Makes the network, held by a process of its own: it is gone when that and what runs there is gone. */
export async function openNetwork(home: Home, { node, procs }: { readonly node: string; readonly procs: string }): Promise<BedNetwork> {
  const socketPath = path.join(home.scratch, 'gateway.sock');
  const counted = ['/bin/sh', file('enter.sh'), procs, '--'] as const;
  const gateway = await home.children.spawn({
    name: 'gateway',
    command: counted[0],
    args: [...counted.slice(1), 'unshare', '--net', '--', node, file('gateway.ts'), socketPath],
    env: { PATH: systemPath.join(':') },
    log: home.log('gateway'),
  });
  const given = new AbortController();
  void gateway.ended.then(() => given.abort(new Error(`the bed's network could not be made; see ${gateway.log}`)));
  await eventually(() => reaches(socketPath), { signal: given.signal });

  const enter = [...counted, 'nsenter', `--net=/proc/${gateway.pid}/ns/net`, '--'];
  const servers = new Set<Server>();
  const open = new Set<Socket>();

  async function dial(address: string, port: number): Promise<Socket> {
    const socket = connect({ path: socketPath, allowHalfOpen: false });
    try {
      socket.write(`${address} ${port}\n`);
      const answer = await firstLine(socket);
      if (answer !== 'ok') throw new NotReached(`${address}:${port}: ${answer}`);
    } catch (error) {
      socket.destroy();
      throw error instanceof NotReached ? error : new NotReached(`${address}:${port}`, { cause: error });
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    return socket;
  }

  function agentOver(): Agent {
    const agent = new Agent({ keepAlive: true });
    agent.createConnection = (options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void) => {
      dial(options.host ?? '', Number(options.port)).then(
        (socket) => {
          callback?.(null, socket);
          socket.resume();
        },
        (error: Error) => callback?.(error, undefined as never),
      );
      return undefined as never;
    };
    return agent;
  }

  return {
    enter,
    counted,
    address: gatewayAddress,
    dial,
    agent: agentOver,
    async openPort() {
      for (;;) {
        const port = await freePort();
        const server = createServer((from) => lead(from, port));
        server.listen(port, '127.0.0.1');
        const listening = await Promise.race([once(server, 'listening').then(() => true), once(server, 'error').then(() => false)]);
        if (!listening) continue;
        server.unref();
        servers.add(server);
        return port;
      }
    },
    async accepts(port) {
      const socket = await dial('127.0.0.1', port).catch(() => undefined);
      socket?.destroy();
      return socket !== undefined;
    },
    async get(url, { agent, timeoutMs = 5000 } = {}) {
      const own = agent ?? agentOver();
      try {
        return await get(url, own, timeoutMs);
      } finally {
        if (agent === undefined) own.destroy();
      }
    },
    run: (command, ...args) => {
      const [shell = '', ...before] = enter;
      return runCommand(shell, [...before, command, ...args], { cwd: '/', env: { PATH: systemPath.join(':') }, timeoutMs: 30_000 });
    },
    close() {
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
    },
  };

  function lead(from: Socket, port: number): void {
    open.add(from);
    from.once('close', () => open.delete(from));
    from.on('error', () => from.destroy());
    dial('127.0.0.1', port).then(
      (to) => {
        to.on('error', () => from.destroy());
        to.once('close', () => from.destroy());
        from.once('close', () => to.destroy());
        from.pipe(to).pipe(from);
      },
      () => from.destroy(),
    );
  }
}

function get(url: string, agent: Agent, timeoutMs: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }));
    });
    call.once('timeout', () => call.destroy(new Error(`${url}: no answer within ${timeoutMs} ms`)));
    call.once('error', reject);
    call.end();
  });
}

function reaches(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Reads up to the first newline, and leaves the rest unread. */
function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0);
    const done = (error?: Error) => {
      socket.off('data', more);
      socket.off('error', done);
      socket.off('close', closed);
      socket.pause();
      if (error !== undefined) return reject(error);
      const end = read.indexOf('\n');
      if (end + 1 < read.length) socket.unshift(read.subarray(end + 1));
      resolve(read.toString('latin1', 0, end));
    };
    const closed = () => done(new Error('the gateway closed the connection'));
    const more = (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      if (read.includes('\n')) done();
    };
    socket.on('data', more);
    socket.once('error', done);
    socket.once('close', closed);
  });
}

import type { Socket } from 'node:net';

/**
 * Serves one connection of a SOCKS5 proxy (RFC 1928, 1929) with every name and password; `open` connects, or knows no such host.
 * `user` is what it was told, as `name:password`.
 */
export async function serveSocks(client: Socket, open: (host: string, port: number, user: string) => Socket | undefined): Promise<void> {
  const { read, rest } = reader(client);
  try {
    const [, methods = 0] = await read(2);
    const offered = await read(methods);
    const byPassword = offered.includes(2);
    client.write(Buffer.from([5, byPassword ? 2 : 0]));
    const user = byPassword ? await readUser(client, read) : '';
    const [, , , kind] = await read(4);
    // 1: an IPv4 address, 3: a name; ours are asked for nothing else.
    const host = kind === 1 ? [...(await read(4))].join('.') : (await read((await read(1))[0] ?? 0)).toString();
    const port = (await read(2)).readUInt16BE();
    const to = open(host, port, user);
    client.write(Buffer.from([5, to === undefined ? 4 : 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    if (to === undefined) return;
    to.write(rest());
    to.pipe(client).pipe(to);
  } catch {
    client.destroy();
  }
}

async function readUser(client: Socket, read: (bytes: number) => Promise<Buffer>): Promise<string> {
  const [, length = 0] = await read(2);
  const name = await read(length);
  const password = await read((await read(1))[0] ?? 0);
  client.write(Buffer.from([1, 0]));
  return `${name}:${password}`;
}

/** Reads so many bytes at a time, and leaves the rest. */
function reader(socket: Socket): { read: (bytes: number) => Promise<Buffer>; rest: () => Buffer } {
  let pending = Buffer.alloc(0);
  let more = Promise.withResolvers<void>();
  const take = (chunk: Buffer): void => {
    pending = Buffer.concat([pending, chunk]);
    more.resolve();
  };
  socket.on('data', take);
  socket.on('close', () => more.reject(new Error('closed')));
  more.promise.catch(() => {});
  return {
    async read(bytes) {
      while (pending.length < bytes) {
        await more.promise;
        more = Promise.withResolvers<void>();
        more.promise.catch(() => {});
      }
      const part = pending.subarray(0, bytes);
      pending = pending.subarray(bytes);
      return part;
    },
    rest() {
      socket.off('data', take);
      return pending;
    },
  };
}

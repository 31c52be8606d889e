import type { Socket } from 'node:net';
import { SocksClient } from 'socks';
import type { Dial } from './credentials.ts';

/** A proxy that does not answer is given up; a request has its own deadline besides. */
const HANDSHAKE_MS = 10_000;

/** Connects through a SOCKS5 proxy, which resolves the names of hosts itself. The URL may carry a user and a password. */
export function socksDial(proxy: URL): Dial {
  const { hostname, port, username, password } = proxy;
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return async (to): Promise<Socket> => {
    const { socket } = await SocksClient.createConnection({
      proxy: {
        host,
        port: port === '' ? 1080 : Number(port),
        type: 5,
        ...(username !== '' && { userId: decodeURIComponent(username), password: decodeURIComponent(password) }),
      },
      command: 'connect',
      destination: to,
      timeout: HANDSHAKE_MS,
    });
    return socket;
  };
}

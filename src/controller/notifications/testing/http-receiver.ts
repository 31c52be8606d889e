import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

/** One request that a receiver got. */
export interface Got {
  path: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** A server on this machine that keeps what it gets, and answers as it is told; 200 unless told. */
export interface HttpReceiver {
  readonly url: string;
  readonly got: readonly Got[];
  answer: (response: http.ServerResponse, got: Got) => void;
  close(): Promise<void>;
}

/** Starts such a server; with a key and a certificate it speaks TLS. */
export async function startReceiver(tls?: { key: string; cert: string }): Promise<HttpReceiver> {
  const got: Got[] = [];
  const listener: http.RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const one = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
    got.push(one);
    receiver.answer(response, one);
  };
  const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: HttpReceiver = {
    url: `http${tls === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    answer: (response) => response.end('ok'),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return receiver;
}

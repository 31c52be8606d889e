import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import type { Dial, ProxyEnvironment, TlsOptions } from './credentials.ts';
import { ApiProtocolError, ApiUnreachableError } from './errors.ts';

/** One HTTP request, ready to be sent. */
export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | undefined;
  readonly tls: TlsOptions;
}

/** A request on its way. */
export interface Exchange {
  /** Resolves with the response's head; rejects with ApiUnreachableError or with what `destroy` was given. */
  readonly response: Promise<http.IncomingMessage>;
  /** True where nobody can have acted on the request: the connection was an idle one that the server had closed already. */
  staleConnection(): boolean;
  /** Cuts the connection; the response and its body end with `error`. */
  destroy(error: Error): void;
  /** We are done with it: the connection goes back to the pool when the answer was read to its end, and is cut otherwise. */
  release(): void;
}

/** Keep-alive connections, pooled. */
export interface Transport {
  send(outgoing: Outgoing): Exchange;
  /** Drops the connections that nobody uses: after a timeout the others are likely to be dead, too. */
  dropIdle(): void;
  /** Cuts all of them. */
  close(): void;
}

// Under the API server's own 90 s, so that it is we who close.
const idleMs = 60_000;
const tcpKeepAliveMs = 20_000;
/** Kept open after a burst: the next one need not shake hands anew. */
const mostIdle = 32;

/** Opens the pool for one server, through a proxy or by a dial where one is given. `maxSockets` bounds its connections; further requests queue. */
export function createTransport(
  server: URL,
  maxSockets: number,
  { proxy, dial }: { proxy?: ProxyEnvironment | undefined; dial?: Dial | undefined } = {},
): Transport {
  const options = {
    keepAlive: true,
    keepAliveMsecs: tcpKeepAliveMs,
    maxSockets,
    maxFreeSockets: Math.min(maxSockets, mostIdle),
    timeout: idleMs,
    scheduling: 'lifo' as const,
    ...(proxy !== undefined && dial === undefined && { proxyEnv: proxy }),
  };
  const secure = server.protocol === 'https:';
  const agent = secure ? new https.Agent(options) : new http.Agent(options);
  if (dial !== undefined) dialBy(agent, secure, dial);
  return {
    send: (outgoing) => startExchange(outgoing, secure, agent),
    dropIdle() {
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    },
    close: () => agent.destroy(),
  };
}

/** Has an agent open its connections by a dial; TLS is spoken over them where it is wanted. */
function dialBy(agent: http.Agent, secure: boolean, dial: Dial): void {
  const overSocket = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    dial({ host: String(options.host), port: Number(options.port) }).then(
      (socket) => callback?.(null, secure ? (overSocket({ ...options, socket } as typeof options) as Duplex) : socket),
      (error) => callback?.(error, undefined as unknown as Duplex),
    );
    return undefined;
  };
}

function startExchange({ method, url, headers, body, tls }: Outgoing, secure: boolean, agent: http.Agent): Exchange {
  let failure: Error | undefined;
  let response: http.IncomingMessage | undefined;
  const allHeaders = body === undefined ? headers : { ...headers, 'content-length': String(body.length) };
  const request = (secure ? https : http).request(url, { method, headers: allHeaders, agent, ...(secure ? tls : {}) });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', (incoming) => {
      response = incoming;
      // Without a listener an error after the body was given up would end the process.
      incoming.on('error', () => {});
      resolve(incoming);
    });
    // Stays for good: a socket may fail again after the response.
    request.on('error', (cause) => reject(failure ?? new ApiUnreachableError(`${method} ${url.pathname}: ${cause.message}`, { cause })));
  });
  // libuv probes every second from then on and gives up after ten: a dead peer is found within 30 s.
  request.once('socket', (socket) => socket.setKeepAlive(true, tcpKeepAliveMs));
  // Who gave up waiting for the head must not be told of by an unhandled rejection.
  answered.catch(() => {});
  request.end(body);
  return {
    response: answered,
    staleConnection: () => request.reusedSocket && response === undefined && failure === undefined,
    destroy(error) {
      failure ??= error;
      response?.destroy(error);
      request.destroy(error);
    },
    release() {
      if (!response?.complete) request.destroy();
    },
  };
}

/** Reads a body to its end. Rejects with ApiProtocolError beyond `maxBytes`, with ApiUnreachableError when it is cut. */
export async function readBody(response: http.IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bodyOf(response)) {
    length += chunk.length;
    if (length > maxBytes) {
      response.destroy();
      throw new ApiProtocolError(`the answer is longer than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** Splits a body at its line feeds; the lines come without them, empty ones are left out. An unfinished last line is an error. */
export async function* readLines(response: http.IncomingMessage, maxLineBytes: number): AsyncGenerator<string> {
  // Bytes are joined before they are decoded: a chunk may end in the middle of a character.
  let pending: Buffer[] = [];
  let length = 0;
  for await (const chunk of bodyOf(response)) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      const part = chunk.subarray(start, end);
      start = end + 1;
      length += part.length;
      if (length > maxLineBytes) break;
      const line = pending.length === 0 ? part.toString('utf8') : Buffer.concat([...pending, part]).toString('utf8');
      pending = [];
      length = 0;
      if (line.trim() !== '') yield line;
    }
    if (start < chunk.length && length <= maxLineBytes) {
      pending.push(chunk.subarray(start));
      length += chunk.length - start;
    }
    if (length > maxLineBytes) throw new ApiProtocolError(`a line of the watch is longer than ${maxLineBytes} bytes`);
  }
  if (length > 0) throw new ApiUnreachableError('the watch ended in the middle of a line');
}

async function* bodyOf(response: http.IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (cause) {
    if (cause instanceof ApiUnreachableError || cause instanceof ApiProtocolError) throw cause;
    throw new ApiUnreachableError('the connection was cut in the middle of an answer', { cause });
  }
}

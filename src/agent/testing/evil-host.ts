import { connect, createServer, type Server, type Socket } from 'node:net';

/** What is done with a connection once its request has come. */
export type Evil = (socket: Socket) => void;

const head = (status: string, headers: string): string => `HTTP/1.1 ${status}\r\n${headers}\r\n\r\n`;

/** A whole answer with that body. */
export const answer =
  (body: string | Buffer, status = '200 OK', headers = 'content-type: application/json'): Evil =>
  (socket) => {
    const bytes = Buffer.from(body);
    socket.write(head(status, `${headers}\r\ncontent-length: ${bytes.length}\r\nconnection: close`));
    socket.end(bytes);
  };

/** Bytes that are no answer, and the end. */
export const bytes =
  (text: string | Buffer): Evil =>
  (socket) =>
    socket.end(text);

/** Bytes, and then nothing, for ever. */
export const bytesAndSilence =
  (text: string): Evil =>
  (socket) =>
    socket.write(text);

/** `first`, and then `again` for as long as somebody reads. */
export const endless =
  (first: string, again: string): Evil =>
  (socket) => {
    const block = Buffer.from(again.repeat(Math.ceil(65_536 / again.length)));
    const pump = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', pump);
    socket.write(first);
    pump();
  };

/** A body of unknown length that never ends. */
export const endlessBody = endless(head('200 OK', 'transfer-encoding: chunked'), '4\r\n[[1,\r\n');
/** A header that never ends. */
export const endlessHeader = endless('HTTP/1.1 200 OK\r\nx: ', 'y');

/** A server on a Unix socket that passes connections on to a better one, but for requests that it was told to answer in a way of its own. */
export class EvilHost {
  readonly #evils = new Map<string, Evil>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #upstream: string | undefined;
  /** Requests so far, as `GET /os`. */
  readonly heard: string[] = [];

  constructor(upstream?: string) {
    this.#upstream = upstream;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  start(socketPath: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(socketPath, resolve));
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** How `GET /os` is answered from now on, or with `*` everything else; undefined: as the better server does. */
  answer(request: string, evil: Evil | undefined): void {
    if (evil === undefined) this.#evils.delete(request);
    else this.#evils.set(request, evil);
  }

  #serve(socket: Socket): void {
    this.#keep(socket);
    socket.once('data', (data) => {
      const request = /^\S+ [^\s?]+/.exec(data.toString('latin1'))?.[0] ?? '';
      this.heard.push(request);
      const evil = this.#evils.get(request) ?? this.#evils.get('*');
      if (evil !== undefined) return evil(socket);
      if (this.#upstream === undefined) return socket.destroy();
      const better = this.#keep(connect(this.#upstream));
      better.write(data);
      socket.pipe(better).pipe(socket);
    });
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket));
  }
}

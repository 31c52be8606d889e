import { chmodSync, linkSync, renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';
import type { Faults } from './faults.ts';
import { readJsonBody } from './json-body.ts';

/** A request with its body read, as far as the route takes one. */
export interface ApiRequest {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  body: string;
}

/** What was asked of a host. `path` includes the query. */
export interface RequestRecord {
  method: string;
  path: string;
  at: Date;
}

interface Parts {
  socketPath: string;
  clientTimeoutMs: number;
  faults: Faults;
  now: () => Date;
  answer: (request: ApiRequest) => Answer | Promise<Answer>;
  onRequest: (record: RequestRecord) => void;
  onAnswer: (record: RequestRecord, status: number | undefined) => void;
}

/** The HTTP server on the host's socket, with the limits and timeouts of the real one. One worker: answers are made one at a time. */
export class ApiServer {
  readonly #parts: Parts;
  #server: Server | undefined;
  #deadInode = false;
  #worker: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes the path over from whatever lies there, as the real server does. */
  async listen(): Promise<void> {
    const { socketPath, clientTimeoutMs } = this.#parts;
    rmSync(socketPath, { force: true });
    this.#worker = undefined;
    const server = createServer(
      {
        headersTimeout: clientTimeoutMs,
        requestTimeout: 0,
        keepAliveTimeout: clientTimeoutMs,
        keepAliveTimeoutBuffer: 0,
        connectionsCheckingInterval: Math.max(10, clientTimeoutMs / 5),
      },
      (request, response) => {
        this.#serve(request, response).catch(() => response.destroy());
      },
    );
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.once('close', resolve);
      server.listen(socketPath, resolve);
    });
    if (server.listening) chmodSync(socketPath, 0o660);
  }

  /** Ends every connection. The path is gone as soon as this is called; the promise waits for the connections. */
  async close(): Promise<void> {
    if (this.#deadInode) rmSync(this.#parts.socketPath, { force: true });
    this.#deadInode = false;
    await this.#closeServer();
  }

  /** The same, but the path stays and refuses connections. */
  async die(): Promise<void> {
    if (this.#server === undefined) return;
    const { socketPath } = this.#parts;
    const kept = `${socketPath}.dead`;
    linkSync(socketPath, kept);
    const closed = this.#closeServer();
    renameSync(kept, socketPath);
    this.#deadInode = true;
    await closed;
  }

  /** Keeps the only worker busy: every other request waits. */
  occupy(work: Promise<void>): Promise<void> {
    this.#worker = work;
    return work;
  }

  #closeServer(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return Promise.resolve();
    this.#server = undefined;
    return new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? '';
    const url = request.url ?? '';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    const record = { method, path: url, at: this.#parts.now() };
    this.#parts.onRequest(record);

    const takesJson = method === 'PATCH' && path === '/settings';
    const body = takesJson ? await readJsonBody(request) : { text: '' };
    while (this.#worker !== undefined) {
      const busy = this.#worker;
      await busy;
      if (this.#worker === busy) this.#worker = undefined;
    }
    const answer = 'refusal' in body ? body.refusal : await this.#parts.answer({ method, path, query, body: body.text });
    const sent = this.#spoiled(answer);
    this.#parts.onAnswer(record, sent.dropped ? undefined : sent.status);
    this.#send(response, sent);
  }

  #send(response: ServerResponse, answer: Answer): void {
    const { socket } = response;
    const gone = socket === null || socket.destroyed;
    if (answer.afterwards && gone) answer.afterwards();
    else if (answer.afterwards) response.once('close', answer.afterwards);
    if (gone || answer.dropped) {
      socket?.destroy();
      return;
    }
    const text = answer.json === undefined ? (answer.text ?? '') : JSON.stringify(answer.json);
    const contentType = answer.json === undefined ? answer.contentType : 'application/json';
    // Node announces its keep-alive in a header; the real server closes idle connections without a word.
    response.removeHeader('connection');
    if (contentType !== undefined) response.setHeader('content-type', contentType);
    if (answer.status !== 204) response.setHeader('content-length', Buffer.byteLength(text));
    response.writeHead(answer.status);
    if (answer.stray !== undefined) response.once('finish', () => socket.write(answer.stray ?? ''));
    if (answer.closes) response.once('finish', () => socket.destroy());
    if (answer.cutOff) {
      response.write(text.slice(0, text.length / 2), () => socket.destroy());
      return;
    }
    response.end(answer.status === 204 ? undefined : text);
  }

  #spoiled(answer: Answer): Answer {
    const { faults } = this.#parts;
    const spoil = (text: string, contentType: string): Answer => ({ ...answer, status: 200, json: undefined, text, contentType });
    if (faults.take('garbage')) return spoil('<html><body>502 Bad Gateway</body></html>', 'text/html');
    if (faults.take('wrongShape')) return spoil('{"update_state":"Lost","available_updates":7,"version_id":[]}', 'application/json');
    if (faults.take('hugeAnswer')) return spoil(' '.repeat(16 * 1024 * 1024), 'application/json');
    if (answer.status === 200 && faults.take('cutOff')) return { ...answer, cutOff: true };
    return answer;
  }
}

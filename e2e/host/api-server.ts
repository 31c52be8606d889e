import { chmodSync, linkSync, renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';
import type { Faults } from './faults.ts';

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
  answer: (request: ApiRequest) => Answer | Promise<Answer>;
  onRequest: (record: RequestRecord) => void;
  onAnswer: (record: RequestRecord, status: number) => void;
}

/** The largest JSON body that the server reads, in bytes. */
export const bodyLimit = 2_097_152;

const frameworkText = 'text/plain; charset=utf-8';

/** The HTTP server on the host's socket, with the limits and timeouts of the real one. One worker: answers are made one at a time. */
export class ApiServer {
  readonly #parts: Parts;
  #server: Server | undefined;
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
      server.listen(socketPath, resolve);
    });
    chmodSync(socketPath, 0o660);
  }

  /** Ends every connection. The path is gone when this returns, or holds a dead inode where `leaveInode` says so. */
  close({ leaveInode = false } = {}): void {
    const { socketPath } = this.#parts;
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const kept = `${socketPath}.dead`;
    if (leaveInode) linkSync(socketPath, kept);
    server.close();
    server.closeAllConnections();
    if (leaveInode) renameSync(kept, socketPath);
    else rmSync(socketPath, { force: true });
  }

  /** Keeps the only worker busy: every other request waits. */
  occupy(work: Promise<void>): Promise<void> {
    this.#worker = work;
    return work;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? '';
    const url = request.url ?? '';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    const record = { method, path: url, at: new Date() };
    this.#parts.onRequest(record);

    const takesJson = method === 'PATCH' && path === '/settings';
    const body = takesJson ? await readJson(request) : { text: '' };
    while (this.#worker !== undefined) {
      const busy = this.#worker;
      await busy;
      if (this.#worker === busy) this.#worker = undefined;
    }
    const answer = 'status' in body ? body : await this.#parts.answer({ method, path, query, body: body.text });
    this.#send(response, this.#spoiled(answer));
    this.#parts.onAnswer(record, answer.status);
  }

  #send(response: ServerResponse, answer: Answer): void {
    const { socket } = response;
    if (answer.afterwards) response.once(answer.dropped ? 'close' : 'finish', answer.afterwards);
    if (answer.dropped) {
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
    if (answer.stray !== undefined) response.once('finish', () => socket?.write(answer.stray ?? ''));
    response.end(answer.status === 204 ? undefined : text);
  }

  #spoiled(answer: Answer): Answer {
    const { faults } = this.#parts;
    const spoil = (text: string, contentType: string): Answer => ({ ...answer, status: 200, json: undefined, text, contentType });
    if (faults.take('garbage')) return spoil('<html><body>502 Bad Gateway</body></html>', 'text/html');
    if (faults.take('wrongShape')) return spoil('{"update_state":"Lost","available_updates":7,"version_id":[]}', 'application/json');
    if (faults.take('hugeAnswer')) return spoil(' '.repeat(16 * 1024 * 1024), 'application/json');
    return answer;
  }
}

async function readJson(request: IncomingMessage): Promise<{ text: string } | Answer> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json' && !type?.endsWith('+json'))
    return { status: 400, text: 'Content type error', contentType: frameworkText };
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > bodyLimit) {
    const text = `JSON payload (${length} bytes) is larger than allowed (limit: ${bodyLimit} bytes).`;
    return { status: 413, text, contentType: frameworkText };
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimit) return { status: 413, text: `JSON payload has exceeded limit (${bodyLimit} bytes).`, contentType: frameworkText };
    chunks.push(chunk);
  }
  return { text: Buffer.concat(chunks).toString('utf8') };
}

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** An object as it lies in the fake server. */
export interface FakeObject {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; [field: string]: unknown };
  [field: string]: unknown;
}

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
}

/** What a test wants done with a request instead of an answer; undefined: answer it. */
export type Fault =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  /** Cut the connection. */
  | 'cut'
  /** Do it, and cut the connection instead of answering. */
  | 'cut-after'
  /** Never answer. */
  | 'hang'
  /** Do it, and answer only then. */
  | { readonly answerAfter: Promise<void> }
  | undefined;

interface OpenWatch {
  readonly response: ServerResponse;
  readonly request: FakeRequest;
  readonly matches: (object: FakeObject) => boolean;
}

interface HistoryEvent {
  readonly type: string;
  readonly object: FakeObject;
}

export interface FakeApiServerOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Whether a watch from an unset resourceVersion marks the end of its initial events, as servers of 1.34 and later do. */
  readonly initialBookmark?: boolean;
}

/** A small API server in this process: one collection of objects (whatever the path's resource), lists, watches, writes, and faults on demand. */
export class FakeApiServer {
  readonly objects = new Map<string, FakeObject>();
  readonly requests: FakeRequest[] = [];
  fault: (request: FakeRequest) => Fault = () => undefined;
  /** The Date header; undefined: the machine's own. */
  date: (() => number) | undefined;
  resourceVersion = 100;
  connections = 0;
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<OpenWatch>();
  readonly #options: FakeApiServerOptions;
  #history: HistoryEvent[] = [];
  #compacted = 0;
  #uids = 0;
  /** Lists in parts, by token. */
  readonly #continued = new Map<string, { rest: FakeObject[]; resourceVersion: string }>();

  constructor(options: FakeApiServerOptions = {}) {
    this.#options = options;
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch(() => response.destroy());
    };
    this.#server = options.tls ? https.createServer(options.tls, answer) : http.createServer(answer);
    this.#server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  async start(): Promise<URL> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this.url;
  }

  get url(): URL {
    return new URL(`${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  get watches(): number {
    return this.#watches.size;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutConnections();
    await closed;
  }

  /** Creates or changes an object. */
  put(name: string, fields: Record<string, unknown> = {}, namespace?: string): FakeObject {
    const key = keyOf(namespace, name);
    const known = this.objects.get(key);
    const uid = known?.metadata.uid ?? `uid-${++this.#uids}`;
    const metadata = {
      ...(fields['metadata'] as object),
      name,
      ...(namespace !== undefined && { namespace }),
      uid,
      resourceVersion: this.#next(),
    };
    const object: FakeObject = { ...fields, metadata };
    this.objects.set(key, object);
    this.#publish({ type: known ? 'MODIFIED' : 'ADDED', object });
    return object;
  }

  remove(name: string, namespace?: string): void {
    const key = keyOf(namespace, name);
    const known = this.objects.get(key);
    if (!known) throw new Error(`there is no ${key}`);
    this.objects.delete(key);
    this.#publish({ type: 'DELETED', object: { ...known, metadata: { ...known.metadata, resourceVersion: this.#next() } } });
  }

  /** Forgets the history: a watch from, or a list continued from, before now is answered with 410. */
  compact(): void {
    this.#compacted = this.resourceVersion;
    this.#history = [];
    this.#continued.clear();
  }

  bookmark(): void {
    this.#next();
    this.sendLine(this.#bookmarkLine());
  }

  /** Sends a line to all open watches. */
  sendLine(line: string): void {
    this.sendBytes(Buffer.from(`${line}\n`));
  }

  sendBytes(bytes: Buffer): void {
    for (const { response } of this.#watches) response.write(bytes);
  }

  /** Ends all watches as a server does whose time is up. */
  closeWatches(): void {
    for (const { response } of this.#watches) response.end();
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The requests of one kind so far. */
  count(kind: 'list' | 'watch' | 'get' | 'write'): number {
    return this.requests.filter((request) => kindOf(request) === kind).length;
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://fake');
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const request: FakeRequest = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    this.requests.push(request);
    if (this.date) response.setHeader('date', new Date(this.date()).toUTCString());
    const fault = this.fault(request);
    if (fault === 'hang') return;
    if (fault === 'cut') {
      response.destroy();
    } else if (fault === 'cut-after') {
      this.#handle(request);
      response.destroy();
    } else if (fault !== undefined && 'answerAfter' in fault) {
      const { code, body } = this.#handle(request);
      await fault.answerAfter;
      send(response, code, body);
    } else if (fault !== undefined) {
      send(response, fault.status, fault.body ?? status(fault.status, 'Fault'), fault.headers);
    } else if (request.query.get('watch') === 'true') {
      this.#watch(request, response);
    } else {
      const { code, body } = this.#handle(request);
      send(response, code, body);
    }
  }

  #handle(request: FakeRequest): { code: number; body: unknown } {
    const { method, path, body } = request;
    const { collection, namespace, name } = split(path);
    const key = keyOf(namespace, name ?? '');
    const known = this.objects.get(key);
    if (method === 'GET' && name === undefined) return this.#list(request);
    if (method === 'POST') {
      const fields = body as FakeObject;
      if (this.objects.has(keyOf(namespace, fields.metadata.name))) return { code: 409, body: status(409, 'AlreadyExists') };
      return { code: 201, body: this.put(fields.metadata.name, fields, namespace) };
    }
    if (!known) return { code: 404, body: status(404, 'NotFound', `${collection} "${name}" not found`) };
    if (method === 'GET') return { code: 200, body: known };
    if (method === 'DELETE') {
      this.remove(name ?? '', namespace);
      return { code: 200, body: { kind: 'Status', status: 'Success' } };
    }
    const patch = body as { metadata?: { resourceVersion?: string } };
    const wanted = patch.metadata?.resourceVersion;
    if (wanted !== undefined && wanted !== known.metadata.resourceVersion) return { code: 409, body: status(409, 'Conflict') };
    return { code: 200, body: this.put(name ?? '', merge(known, patch) as Record<string, unknown>, namespace) };
  }

  #list(request: FakeRequest): { code: number; body: unknown } {
    const token = request.query.get('continue');
    const limit = Number(request.query.get('limit') ?? 0) || Number.POSITIVE_INFINITY;
    const part =
      token === null ? { rest: this.#matching(request), resourceVersion: String(this.resourceVersion) } : this.#continued.get(token);
    if (!part) return { code: 410, body: status(410, 'Expired') };
    const items = part.rest.slice(0, limit);
    const rest = part.rest.slice(limit);
    const next = rest.length > 0 ? `token-${this.#continued.size + 1}` : '';
    if (next !== '') this.#continued.set(next, { rest, resourceVersion: part.resourceVersion });
    return { code: 200, body: { kind: 'List', metadata: { resourceVersion: part.resourceVersion, continue: next }, items } };
  }

  #watch(request: FakeRequest, response: ServerResponse): void {
    const from = request.query.get('resourceVersion');
    if (from !== null && Number(from) < this.#compacted) {
      send(response, 410, status(410, 'Expired'));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const watch = { response, request, matches: matcher(request) };
    if (from === null) {
      for (const object of this.#matching(request)) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
      if (this.#options.initialBookmark) response.write(`${this.#bookmarkLine()}\n`);
    } else {
      for (const event of this.#history) if (Number(event.object.metadata.resourceVersion) > Number(from)) deliver(watch, event);
    }
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }

  #matching(request: FakeRequest): FakeObject[] {
    return [...this.objects.values()].filter(matcher(request));
  }

  #publish(event: HistoryEvent): void {
    this.#history.push(event);
    for (const watch of this.#watches) deliver(watch, event);
  }

  #bookmarkLine(): string {
    return JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.resourceVersion) } } });
  }

  #next(): string {
    this.resourceVersion += 1;
    return String(this.resourceVersion);
  }
}

export function kindOf(request: FakeRequest): 'list' | 'watch' | 'get' | 'write' {
  if (request.method !== 'GET') return 'write';
  if (request.query.get('watch') === 'true') return 'watch';
  return split(request.path).name === undefined ? 'list' : 'get';
}

/** A Status as the API server answers it. */
export function status(code: number, reason: string, message = reason): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}

function deliver(watch: OpenWatch, event: HistoryEvent): void {
  if (watch.matches(event.object)) watch.response.write(`${JSON.stringify(event)}\n`);
}

function send(response: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function matcher(request: FakeRequest): (object: FakeObject) => boolean {
  const { namespace } = split(request.path);
  const name = /metadata\.name=([^,]+)/.exec(request.query.get('fieldSelector') ?? '')?.[1];
  return ({ metadata }) => (namespace === undefined || metadata.namespace === namespace) && (name === undefined || metadata.name === name);
}

function split(path: string): { collection: string; namespace: string | undefined; name: string | undefined } {
  const parts = path.split('/').filter(Boolean);
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const namespaced = rest[0] === 'namespaces' && rest.length > 2;
  const [collection = '', name] = namespaced ? rest.slice(2) : rest;
  return { collection, namespace: namespaced ? rest[1] : undefined, name };
}

function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = { ...(typeof target === 'object' ? target : {}) };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else merged[field] = merge(merged[field], value);
  }
  return merged;
}

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** An object as it lies in the cluster. */
export interface Stored {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; [field: string]: unknown };
  [field: string]: unknown;
}

/** A request that was made. `path` is without the query. */
export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every kind
  body: any;
}

/** What a test wants answered in place of the cluster's own answer; `hang` never answers. */
export type Fault = { status: number; reason?: string; message?: string } | 'hang' | undefined;

interface Place {
  collection: string;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

interface Watch {
  collection: string;
  query: URLSearchParams;
  namespace: string | undefined;
  response: ServerResponse;
}

/**
 * An API server in this process, as far as the controller can tell: collections apart, status apart from spec, resourceVersions,
 * uid preconditions, selectors, watches, evictions. Nothing in it moves by itself.
 */
export class FakeCluster {
  readonly asked: Asked[] = [];
  fault: (asked: Asked) => Fault = () => undefined;
  /** Whether whoever asks has a right, where they ask for it. */
  allows: (right: { verb: string; group: string; resource: string; subresource?: string; namespace?: string }) => boolean = () => true;
  /** Called after each write, with the object as it is now: where agents, kubelets and others have their say. */
  onWrite: (collection: string, object: Stored, asked: Asked) => void = () => {};
  readonly #collections = new Map<string, Map<string, Stored>>();
  readonly #history: { collection: string; type: string; object: Stored }[] = [];
  readonly #watches = new Set<Watch>();
  readonly #sockets = new Set<Socket>();
  readonly #server = http.createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy());
  });
  #resourceVersion = 100;
  #uids = 0;

  async start(): Promise<URL> {
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Puts an object into a collection such as `nodes`; what it does not say of its metadata is kept or made up. */
  put(
    collection: string,
    object: { metadata: { name: string; namespace?: string; [field: string]: unknown }; [field: string]: unknown },
  ): Stored {
    const objects = this.#of(collection);
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const known = objects.get(key);
    this.#uids += 1;
    const uid = object.metadata['uid'] ?? known?.metadata.uid ?? `uid-${this.#uids}`;
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: this.#next() } } as Stored;
    objects.set(key, stored);
    this.#publish(collection, known === undefined ? 'ADDED' : 'MODIFIED', stored);
    return stored;
  }

  /** Merges a patch into an object, as somebody else would. */
  patch(collection: string, name: string, patch: object, namespace?: string): Stored {
    const known = this.get(collection, name, namespace);
    if (known === undefined) throw new Error(`there is no ${collection} ${name}`);
    return this.put(collection, merge(known, patch) as Stored);
  }

  remove(collection: string, name: string, namespace?: string): void {
    const objects = this.#of(collection);
    const known = objects.get(keyOf(namespace, name));
    if (known === undefined) return;
    objects.delete(keyOf(namespace, name));
    this.#publish(collection, 'DELETED', { ...known, metadata: { ...known.metadata, resourceVersion: this.#next() } });
  }

  get(collection: string, name: string, namespace?: string): Stored | undefined {
    return this.#of(collection).get(keyOf(namespace, name));
  }

  all(collection: string): Stored[] {
    return [...this.#of(collection).values()];
  }

  /** The writes so far, as `PATCH nodes/a` or `POST pods/web-1/eviction`; those of the Lease and of Events are left out. */
  writes(): string[] {
    return this.asked.filter(isWrite).map(describe);
  }

  /** The bodies of the writes that `describe` so. */
  bodies(what: string): Asked['body'][] {
    return this.asked.filter((asked) => describe(asked) === what).map(({ body }) => body);
  }

  /** How many watches are open on a collection. */
  watches(collection: string): number {
    return [...this.#watches].filter((watch) => watch.collection === collection).length;
  }

  /** Ends all watches, as a server does whose time is up. */
  closeWatches(): void {
    for (const { response } of this.#watches) response.end();
    this.#watches.clear();
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://fake');
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const asked: Asked = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      body: text === '' ? undefined : JSON.parse(text),
    };
    this.asked.push(asked);
    const fault = this.fault(asked);
    if (fault === 'hang') return;
    if (fault !== undefined) return send(response, fault.status, status(fault.status, fault.reason ?? 'Fault', fault.message));
    if (asked.path === '/version') return send(response, 200, { major: '1', minor: '36', gitVersion: 'v1.36.3' });
    if (asked.path.endsWith(REVIEWS))
      return send(response, 201, { ...asked.body, status: { allowed: this.allows(asked.body.spec.resourceAttributes) } });
    const place = placeOf(asked.path);
    if (asked.query.get('watch') === 'true') return this.#watch(place, asked.query, response);
    const [code, body] = this.#handle(place, asked);
    send(response, code, body);
  }

  #handle(place: Place, asked: Asked): [number, unknown] {
    const { collection, namespace, name, subresource } = place;
    if (asked.method === 'GET' && name === undefined) {
      const items = this.all(collection).filter((object) => isSelected(object, namespace, asked.query));
      return [200, { metadata: { resourceVersion: String(this.#resourceVersion) }, items }];
    }
    if (asked.method === 'POST' && subresource === undefined) {
      const { metadata } = asked.body;
      if (this.get(collection, metadata.name, namespace)) return [409, status(409, 'AlreadyExists', `${metadata.name} already exists`)];
      return [201, this.#wrote(collection, this.put(collection, withNamespace(asked.body, namespace)), asked)];
    }
    const known = this.get(collection, name ?? '', namespace);
    if (known === undefined) return [404, status(404, 'NotFound', `${collection} "${name}" not found`)];
    const uid = (asked.body?.deleteOptions ?? asked.body)?.preconditions?.uid;
    if (uid !== undefined && uid !== known.metadata.uid) return [409, status(409, 'Conflict', 'another uid')];
    switch (asked.method) {
      case 'GET':
        return [200, known];
      case 'POST':
      case 'DELETE':
        this.remove(collection, known.metadata.name, namespace);
        this.#wrote(collection, known, asked);
        return [asked.method === 'POST' ? 201 : 200, { kind: 'Status', status: 'Success' }];
      default:
        return this.#patched(place, known, asked);
    }
  }

  #patched({ collection, subresource }: Place, known: Stored, asked: Asked): [number, unknown] {
    const wanted = asked.body.metadata?.resourceVersion;
    if (wanted !== undefined && wanted !== known.metadata.resourceVersion)
      return [409, status(409, 'Conflict', 'the object has been modified')];
    const merged = merge(known, asked.body) as Stored;
    const apart = collection.startsWith('node') || collection === 'updatepolicies';
    const next =
      subresource === 'status'
        ? { ...known, ...('status' in merged && { status: merged['status'] }) }
        : { ...merged, ...(apart && 'status' in known && { status: known['status'] }) };
    const { resourceVersion: _, ...metadata } = next.metadata;
    if (JSON.stringify({ ...next, metadata }) === JSON.stringify({ ...known, metadata: { ...known.metadata, resourceVersion: undefined } }))
      return [200, known];
    return [200, this.#wrote(collection, this.put(collection, next), asked)];
  }

  #wrote(collection: string, object: Stored, asked: Asked): Stored {
    this.onWrite(collection, object, asked);
    return object;
  }

  #watch({ collection, namespace }: Place, query: URLSearchParams, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const watch = { collection, namespace, query, response };
    const from = query.get('resourceVersion');
    const past =
      from === null
        ? this.all(collection).map((object) => ({ collection, type: 'ADDED', object }))
        : this.#history.filter(({ object }) => Number(object.metadata.resourceVersion) > Number(from));
    for (const event of past) deliver(watch, event);
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }

  #publish(collection: string, type: string, object: Stored): void {
    const event = { collection, type, object };
    this.#history.push(event);
    for (const watch of this.#watches) deliver(watch, event);
  }

  #of(collection: string): Map<string, Stored> {
    const known = this.#collections.get(collection);
    if (known !== undefined) return known;
    const made = new Map<string, Stored>();
    this.#collections.set(collection, made);
    return made;
  }

  #next(): string {
    this.#resourceVersion += 1;
    return String(this.#resourceVersion);
  }
}

function deliver({ collection, namespace, query, response }: Watch, event: { collection: string; type: string; object: Stored }): void {
  if (event.collection !== collection || !isSelected(event.object, namespace, query)) return;
  response.write(`${JSON.stringify({ type: event.type, object: event.object })}\n`);
}

function isSelected(object: Stored, namespace: string | undefined, query: URLSearchParams): boolean {
  const fields = query.get('fieldSelector') ?? '';
  const name = /metadata\.name=([^,]+)/.exec(fields)?.[1];
  const node = /spec\.nodeName=([^,]+)/.exec(fields)?.[1];
  const wanted = (query.get('labelSelector') ?? '').split(',').filter((term) => term !== '');
  const labels = object.metadata['labels'] as Record<string, string> | undefined;
  return (
    (namespace === undefined || object.metadata.namespace === namespace) &&
    (name === undefined || object.metadata.name === name) &&
    (node === undefined || (object['spec'] as { nodeName?: string } | undefined)?.nodeName === node) &&
    wanted.every((term) => {
      const [key = '', value] = term.split('=');
      return labels?.[key] === value;
    })
  );
}

const REVIEWS = '/selfsubjectaccessreviews';

const isWrite = ({ method, path }: Asked): boolean =>
  method !== 'GET' && !path.endsWith('/events') && !path.includes('/leases') && !path.endsWith(REVIEWS);

function describe({ method, path }: Asked): string {
  const { collection, name, subresource } = placeOf(path);
  return `${method} ${[collection, name, subresource].filter((part) => part !== undefined).join('/')}`;
}

function placeOf(path: string): Place {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const namespaced = rest[0] === 'namespaces' && rest.length > 2;
  const [collection = '', name, subresource] = namespaced ? rest.slice(2) : rest;
  return { collection, namespace: namespaced ? rest[1] : undefined, name, subresource };
}

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;

const withNamespace = (body: Stored, namespace: string | undefined): Stored =>
  namespace === undefined ? body : { ...body, metadata: { ...body.metadata, namespace } };

const status = (code: number, reason: string, message = reason): object => ({ kind: 'Status', status: 'Failure', code, reason, message });

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = { ...(typeof target === 'object' && !Array.isArray(target) ? target : {}) };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else merged[field] = merge(merged[field], value);
  }
  return merged;
}

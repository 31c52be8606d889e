import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { addAbortSignal } from 'node:stream';

/** How one user reaches one API server. */
export interface ApiAccess {
  readonly server: string;
  readonly ca?: string | undefined;
  readonly token?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean }[];
}

/** Any object of the API; what lies outside `metadata` is the caller's to type. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** An answer of the API server other than success. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly body: unknown;
  constructor(status: number, reason: string, message: string, body: unknown) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.body = body;
  }
  /** Whether the same request may succeed later. */
  get canRetry(): boolean {
    return this.status === 409 || this.status === 429 || this.status >= 500;
  }
}

/** No answer at all: refused, reset, timed out. A retry may help. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable';
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;
export type PatchType = 'merge' | 'json' | 'strategic' | 'apply';

export interface RequestOptionsOfApi {
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Acts as somebody else for this one request. */
  readonly token?: string;
  readonly timeoutMs?: number;
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

/** A thin client for tests and for the bed's own parts: it shares nothing with the product's, so that it can judge it. */
export interface Api {
  readonly access: ApiAccess;
  /** @throws ApiError, ApiUnreachable */
  request<T = unknown>(method: string, path: string, options?: RequestOptionsOfApi): Promise<T>;
  get<T = KubeObject>(path: string, query?: Query): Promise<T>;
  /** Undefined where there is none. */
  find<T = KubeObject>(path: string): Promise<T | undefined>;
  list<T = KubeObject>(path: string, query?: Query): Promise<T[]>;
  create<T = KubeObject>(path: string, object: unknown): Promise<T>;
  replace<T = KubeObject>(path: string, object: unknown): Promise<T>;
  patch<T = KubeObject>(path: string, body: unknown, type?: PatchType): Promise<T>;
  /** True where there was something to delete. */
  delete(path: string, body?: unknown): Promise<boolean>;
  /** Creates or changes any objects by server-side apply, in the order given. */
  apply(...objects: readonly unknown[]): Promise<KubeObject[]>;
  /** Yields events until the server ends the watch or `signal` does. */
  watch<T = KubeObject>(path: string, query: Query, signal: AbortSignal): AsyncGenerator<WatchEvent<T>>;
  as(change: { readonly userAgent?: string; readonly token?: string }): Api;
  /** Ends the connections that are kept alive. */
  close(): void;
}

const patchTypes: Record<PatchType, string> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export function createApi(access: ApiAccess, userAgent = 'bed-test'): Api {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 64,
    ...(access.ca === undefined ? {} : { ca: access.ca }),
    ...(access.certificate === undefined ? {} : { cert: access.certificate }),
    ...(access.key === undefined ? {} : { key: access.key }),
  });
  return apiOver(agent, access, userAgent);
}

function apiOver(agent: Agent, access: ApiAccess, userAgent: string): Api {
  const server = new URL(access.server);
  const plurals = new Map<string, Promise<readonly ResourceName[]>>();

  const options = (method: string, path: string, query: Query, token: string | undefined): RequestOptions => ({
    agent,
    method,
    hostname: server.hostname,
    port: server.port,
    path: `${path}${queryString(query)}`,
    headers: { accept: 'application/json', 'user-agent': userAgent, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
  });

  const send = <T>(method: string, path: string, asked: RequestOptionsOfApi = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      const { query = {}, body, contentType = 'application/json', token = access.token, timeoutMs = 30_000 } = asked;
      const text = body === undefined ? undefined : JSON.stringify(body);
      const call = httpsRequest({ ...options(method, path, query, token), timeout: timeoutMs }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', (cause) => reject(new ApiUnreachable(`${method} ${path}: the answer broke off`, { cause })));
        response.once('end', () => {
          const answer = parse(Buffer.concat(chunks).toString('utf8'));
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(answer as T);
          else reject(refusal(status, `${method} ${path}`, answer));
        });
      });
      call.once('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      call.once('error', (cause) => reject(new ApiUnreachable(`${method} ${path}: ${cause.message}`, { cause })));
      if (text !== undefined) {
        call.setHeader('content-type', contentType);
        call.setHeader('content-length', Buffer.byteLength(text));
      }
      call.end(text);
    });

  const api: Api = {
    access,
    request: send,
    get: (path, query = {}) => send('GET', path, { query }),
    async find<T>(path: string) {
      try {
        return await send<T>('GET', path);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      }
    },
    async list<T>(path: string, query: Query = {}) {
      const { items } = await send<{ items: T[] }>('GET', path, { query });
      return items;
    },
    create: (path, body) => send('POST', path, { body }),
    replace: (path, body) => send('PUT', path, { body }),
    patch: (path, body, type = 'merge') => send('PATCH', path, { body, contentType: patchTypes[type] }),
    async delete(path, body) {
      try {
        await send('DELETE', path, { body });
        return true;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return false;
        throw error;
      }
    },
    async apply(...objects) {
      const applied: KubeObject[] = [];
      for (const object of objects as readonly KubeObject[]) {
        const path = await pathOf(object);
        const query = { fieldManager: userAgent, force: true };
        applied.push(await send('PATCH', path, { body: object, query, contentType: patchTypes.apply }));
      }
      return applied;
    },
    async *watch<T>(path: string, query: Query, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
      const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
        const call = httpsRequest({ ...options('GET', path, { watch: true, ...query }, access.token), signal }, resolve);
        call.once('error', (cause) => reject(new ApiUnreachable(`watch ${path}: ${cause.message}`, { cause })));
        call.end();
      });
      addAbortSignal(signal, response);
      if (response.statusCode !== 200) {
        const chunks = await response.toArray();
        throw refusal(response.statusCode ?? 0, `watch ${path}`, parse(Buffer.concat(chunks).toString('utf8')));
      }
      try {
        let rest = '';
        response.setEncoding('utf8');
        for await (const chunk of response) {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent<T>;
        }
      } catch (cause) {
        if (!signal.aborted) throw new ApiUnreachable(`watch ${path}: broken off`, { cause });
      }
    },
    as: (change) =>
      apiOver(agent, { ...access, ...(change.token === undefined ? {} : { token: change.token }) }, change.userAgent ?? userAgent),
    close: () => agent.destroy(),
  };
  return api;

  async function pathOf(object: KubeObject): Promise<string> {
    const { apiVersion = '', kind = '', metadata } = object;
    const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    let known = plurals.get(group);
    if (known === undefined) {
      known = send<{ resources: ResourceName[] }>('GET', group).then((answer) => answer.resources);
      plurals.set(group, known);
      known.catch(() => plurals.delete(group));
    }
    const resource = (await known).find((one) => one.kind === kind && !one.name.includes('/'));
    if (resource === undefined) {
      plurals.delete(group);
      throw new ApiError(404, 'NotFound', `the API server knows no ${kind} in ${apiVersion}`, undefined);
    }
    const namespace = resource.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
    return `${group}${namespace}/${resource.name}/${metadata.name}`;
  }
}

interface ResourceName {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

function refusal(status: number, what: string, answer: unknown): ApiError {
  const { reason = '', message = '' } = (answer ?? {}) as { reason?: string; message?: string };
  return new ApiError(status, reason, `${what}: ${status} ${reason} ${message}`.trim(), answer);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function queryString(query: Query): string {
  const pairs = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

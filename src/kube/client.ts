import type { IncomingMessage } from 'node:http';
import * as z from 'zod/mini';
import { type Clock, delay, onAbort, systemClock } from './clock.ts';
import type { Credentials } from './credentials.ts';
import { ApiError, ApiProtocolError, ApiUnreachableError, apiErrorFrom, isGone } from './errors.ts';
import type { Logger } from './logger.ts';
import { type Query, requestUrl, resourceOf } from './paths.ts';
import { createTransport, type Exchange, readBody, readLines, type Transport } from './transport.ts';

export interface RequestOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the server's root, segments encoded: `/api/v1/nodes/a`. */
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For the whole request with its repetitions, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** Send it again when the server is busy (429 or 503 with Retry-After), within the timeout. Default: yes. */
  readonly repeatWhenBusy?: boolean | undefined;
}

/** One exchange with the API server, for metrics and tests. */
export interface RequestReport {
  readonly method: string;
  /** `pods/eviction`, `nodes`, … */
  readonly resource: string;
  readonly watch: boolean;
  /** undefined: no answer. */
  readonly status: number | undefined;
  /** Until the answer's end; for a watch until its head. */
  readonly durationMs: number;
}

export interface KubeClientOptions {
  readonly credentials: Credentials;
  readonly userAgent: string;
  readonly requestTimeoutMs?: number;
  readonly maxBodyBytes?: number;
  /** Longest line of a watch, that is, the biggest object. */
  readonly maxLineBytes?: number;
  /** Connections for requests; watches have their own. */
  readonly maxSockets?: number;
  readonly onRequest?: (report: RequestReport) => void;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** A part of a list. `page` counts from 0, and starts at 0 again when the server forgot the list midway: drop the pages held so far. */
export interface ListPage {
  readonly items: unknown[];
  readonly resourceVersion: string;
  readonly page: number;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.optional(z.string()) }),
  items: z.nullable(z.array(z.unknown())),
});
const watchEventSchema = z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']), object: z.unknown() });

const mergePatchType = 'application/merge-patch+json';
const applyPatchType = 'application/apply-patch+yaml';
const maxErrorBytes = 256 * 1024;
const maxListRestarts = 3;
const maxBusyRepeats = 5;
const longestBusyWaitMs = 10_000;
const clockToleranceMs = 1_500;

/** The Kubernetes API over pooled HTTP/1.1. Every failure is an ApiError, an ApiUnreachableError or an ApiProtocolError, or the reason of an aborted signal. */
export class KubeClient {
  readonly #credentials: Credentials;
  readonly #requests: Transport;
  readonly #watches: Transport;
  readonly #clock: Clock;
  readonly #options: KubeClientOptions;
  readonly #timeoutMs: number;
  readonly #maxBodyBytes: number;
  #clockOffsetMs = 0;

  constructor(options: KubeClientOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
    this.#clock = options.clock ?? systemClock;
    this.#timeoutMs = options.requestTimeoutMs ?? 15_000;
    this.#maxBodyBytes = options.maxBodyBytes ?? 64 * 1024 * 1024;
    this.#requests = createTransport(options.credentials.server, options.maxSockets ?? 16);
    this.#watches = createTransport(options.credentials.server, 1_024);
  }

  /** The API server's clock minus ours, in milliseconds, from its answers' Date; moves only when they differ by more than 1.5 s. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  /** Sends one request and resolves with the answer's JSON (undefined where it has no body). */
  async request<T = unknown>(options: RequestOptions): Promise<T> {
    const deadline = this.#clock.monotonic() + (options.timeoutMs ?? this.#timeoutMs);
    for (let repeats = 0; ; repeats += 1) {
      try {
        return await this.#withFreshCredentials(() => this.#requestOnce<T>(options, deadline));
      } catch (error) {
        if (!(error instanceof ApiError) || options.repeatWhenBusy === false || repeats >= maxBusyRepeats) throw error;
        const waitMs = busyWaitMs(error);
        if (waitMs === undefined || this.#clock.monotonic() + waitMs >= deadline) throw error;
        await delay(this.#clock, waitMs, options.signal);
        options.signal?.throwIfAborted();
      }
    }
  }

  get<T = unknown>(path: string, options: { query?: Query; signal?: AbortSignal } = {}): Promise<T> {
    return this.request<T>({ method: 'GET', path, ...options });
  }

  create<T = unknown>(path: string, body: unknown, options: { query?: Query; signal?: AbortSignal } = {}): Promise<T> {
    return this.request<T>({ method: 'POST', path, body, ...options });
  }

  /** Put `metadata.resourceVersion` into `patch` where the decision depends on what was read. */
  mergePatch<T = unknown>(path: string, patch: unknown, options: { query?: Query; signal?: AbortSignal } = {}): Promise<T> {
    return this.request<T>({ method: 'PATCH', path, body: patch, contentType: mergePatchType, ...options });
  }

  /** Server-side apply; conflicts are errors unless `force`. */
  applyPatch<T = unknown>(
    path: string,
    body: unknown,
    options: { fieldManager: string; force?: boolean; signal?: AbortSignal },
  ): Promise<T> {
    const { fieldManager, force, signal } = options;
    return this.request<T>({ method: 'PATCH', path, body, contentType: applyPatchType, query: { fieldManager, force }, signal });
  }

  delete<T = unknown>(path: string, body?: unknown, options: { query?: Query; signal?: AbortSignal } = {}): Promise<T> {
    return this.request<T>({ method: 'DELETE', path, body, ...options });
  }

  /** Posts a policy/v1 Eviction. A 429 is not repeated here: the caller tells a budget (cause `DisruptionBudget`) from a busy server. */
  evict(namespace: string, name: string, body: object, options: { signal?: AbortSignal } = {}): Promise<unknown> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/eviction`;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name }, ...body };
    return this.request({ method: 'POST', path, body: eviction, repeatWhenBusy: false, ...options });
  }

  /** A list, page by page. When the server forgets it midway (410) it starts again, three times at most. */
  async *listPages(path: string, query: Query = {}, limit = 500, signal?: AbortSignal): AsyncGenerator<ListPage> {
    let token: string | undefined;
    let page = 0;
    for (let restarts = 0; ; ) {
      let answer: unknown;
      try {
        answer = await this.request({ method: 'GET', path, query: { ...query, limit, continue: token }, signal });
      } catch (error) {
        if (!isGone(error) || token === undefined || restarts >= maxListRestarts) throw error;
        restarts += 1;
        token = undefined;
        page = 0;
        continue;
      }
      const list = listSchema.safeParse(answer);
      if (!list.success) throw new ApiProtocolError(`GET ${path}: the answer is no list`, { cause: list.error });
      yield { items: list.data.items ?? [], resourceVersion: list.data.metadata.resourceVersion, page };
      token = list.data.metadata.continue || undefined;
      if (token === undefined) return;
      page += 1;
    }
  }

  /** The events of one watch, until the server ends it or `signal` is aborted (both end the iteration) or it is cut (an error). */
  async *watch(path: string, query: Query, signal: AbortSignal, options: { onOpen?: () => void } = {}): AsyncGenerator<WatchEvent> {
    if (signal.aborted) return;
    let open: OpenExchange | undefined;
    try {
      const request: RequestOptions = { method: 'GET', path, query: { ...query, watch: true }, signal };
      const deadline = this.#clock.monotonic() + this.#timeoutMs;
      open = await this.#withFreshCredentials(() => this.#open(request, deadline, this.#watches));
      open.headIsEnough();
      options.onOpen?.();
      for await (const line of readLines(open.response, this.#options.maxLineBytes ?? 8 * 1024 * 1024)) {
        if (signal.aborted) return;
        yield parseWatchEvent(path, line);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      open?.close();
    }
  }

  /** Cuts every connection. */
  close(): void {
    this.#requests.close();
    this.#watches.close();
  }

  async #withFreshCredentials<R>(send: () => Promise<R>): Promise<R> {
    const before = await this.#credentials.authorization();
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof ApiError) || ![401, 403, 422].includes(error.status)) throw error;
      this.#credentials.refresh();
      // 403 and 422 are mostly what they say; only another token is worth a second try.
      if ((await this.#credentials.authorization()) === before) throw error;
      return send();
    }
  }

  async #requestOnce<T>(options: RequestOptions, deadline: number): Promise<T> {
    const started = this.#clock.monotonic();
    let open: OpenExchange | undefined;
    try {
      open = await this.#open(options, deadline, this.#requests);
      const body = await readBody(open.response, this.#maxBodyBytes);
      this.#report(options, open.response.statusCode, started, false);
      return parseBody(options, body) as T;
    } catch (error) {
      throw open?.failure() ?? error;
    } finally {
      open?.close();
    }
  }

  /** Sends the request; resolves with a head that says 2xx. Everything until `headIsEnough` or `close` is under the deadline. */
  async #open(options: RequestOptions, deadline: number, transport: Transport): Promise<OpenExchange> {
    options.signal?.throwIfAborted();
    const watch = transport === this.#watches;
    const what = `${options.method} ${options.path}`;
    const [tls, authorization] = await Promise.all([this.#credentials.tls(), this.#credentials.authorization()]);
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#options.userAgent };
    if (authorization !== undefined) headers['authorization'] = authorization;
    let body: Buffer | undefined;
    if (options.body !== undefined) {
      body = Buffer.from(JSON.stringify(options.body));
      headers['content-type'] = options.contentType ?? 'application/json';
    }
    const url = requestUrl(this.#credentials.server, options.path, options.query);
    for (let attempt = 0; ; attempt += 1) {
      const started = this.#clock.monotonic();
      const sentAt = this.#clock.now();
      const exchange = transport.send({ method: options.method, url, headers, body, tls });
      const open = openExchange(exchange, this.#clock, deadline, what, options.signal);
      let response: IncomingMessage;
      try {
        response = await exchange.response;
      } catch (error) {
        const stale = exchange.staleConnection();
        open.close();
        // A POST may have been carried out, and there is no telling; all else may be sent twice.
        if (stale && attempt === 0 && options.method !== 'POST') continue;
        this.#report(options, undefined, started, watch);
        const failure = open.failure() ?? error;
        if (failure instanceof ApiUnreachableError) transport.dropIdle();
        throw failure;
      }
      this.#compareClocks(response, sentAt);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) {
        if (watch) this.#report(options, status, started, true);
        return { ...open, response };
      }
      try {
        const text = (await readBody(response, maxErrorBytes).catch(() => Buffer.alloc(0))).toString('utf8');
        const retryAfterHeader = response.headers['retry-after'];
        this.#report(options, status, started, watch);
        throw open.failure() ?? apiErrorFrom(status, jsonOr(text), { what, retryAfterHeader });
      } finally {
        open.close();
      }
    }
  }

  #compareClocks(response: IncomingMessage, sentAt: number): void {
    const server = Date.parse(response.headers.date ?? '');
    if (Number.isNaN(server)) return;
    const receivedAt = this.#clock.now();
    // The header is cut to whole seconds; the server wrote it some time between our sending and now.
    const serverNow = server + 500;
    const ours = Math.min(Math.max(serverNow - this.#clockOffsetMs, sentAt), receivedAt);
    if (Math.abs(serverNow - this.#clockOffsetMs - ours) <= clockToleranceMs) return;
    this.#clockOffsetMs = Math.round(serverNow - (sentAt + receivedAt) / 2);
    this.#options.logger?.warn({ clockOffsetMs: this.#clockOffsetMs }, "the API server's clock differs from ours");
  }

  #report(options: RequestOptions, status: number | undefined, started: number, watch: boolean): void {
    const { method, path } = options;
    this.#options.onRequest?.({ method, resource: resourceOf(path), watch, status, durationMs: this.#clock.monotonic() - started });
  }
}

interface PendingExchange {
  /** Why we cut it, if we did. */
  failure(): Error | undefined;
  /** The deadline holds no longer; the signal does. */
  headIsEnough(): void;
  close(): void;
}
interface OpenExchange extends PendingExchange {
  readonly response: IncomingMessage;
}

function openExchange(exchange: Exchange, clock: Clock, deadline: number, what: string, signal: AbortSignal | undefined): PendingExchange {
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    exchange.destroy(failure);
  };
  const cancelTimer = clock.setTimeout(
    () => fail(new ApiUnreachableError(`${what}: no answer in time`, { timedOut: true })),
    deadline - clock.monotonic(),
  );
  const unlink = onAbort(signal, () => fail(reasonOf(signal)));
  return {
    failure: () => failure,
    headIsEnough: cancelTimer,
    close() {
      cancelTimer();
      unlink();
      exchange.release();
    },
  };
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}

function busyWaitMs(error: ApiError): number | undefined {
  if ((error.status !== 429 && error.status !== 503) || error.retryAfterMs === undefined) return undefined;
  return error.retryAfterMs <= longestBusyWaitMs ? error.retryAfterMs : undefined;
}

function parseBody(options: RequestOptions, body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new ApiProtocolError(`${options.method} ${options.path}: the answer is no JSON`, { cause });
  }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function parseWatchEvent(path: string, line: string): WatchEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new ApiProtocolError(`watch of ${path}: a line is no JSON`, { cause });
  }
  const event = watchEventSchema.safeParse(value);
  if (!event.success) throw new ApiProtocolError(`watch of ${path}: a line is no event`, { cause: event.error });
  return event.data;
}

import * as z from 'zod/mini';
import { type Clock, delay, systemClock } from './clock.ts';
import { Connection, type OpenExchange, type RequestReport } from './connection.ts';
import type { Credentials } from './credentials.ts';
import { ApiError, ApiProtocolError, isGone } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Query } from './paths.ts';
import { readBody, readLines } from './transport.ts';

export type { RequestReport } from './connection.ts';

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
const strategicPatchType = 'application/strategic-merge-patch+json';
const applyPatchType = 'application/apply-patch+yaml';
const maxListRestarts = 3;
const maxBusyRepeats = 5;
const longestBusyWaitMs = 10_000;
/** An admission webhook may take 30 s, and the server's answer says whose it was. */
const evictionTimeoutMs = 32_000;

/** The Kubernetes API over pooled HTTP/1.1. Every failure is an ApiError, an ApiUnreachableError or an ApiProtocolError, or the reason of an aborted signal. */
export class KubeClient {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #maxBodyBytes: number;
  readonly #maxLineBytes: number;

  constructor({ credentials, userAgent, onRequest, logger, ...options }: KubeClientOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#timeoutMs = options.requestTimeoutMs ?? 15_000;
    this.#maxBodyBytes = options.maxBodyBytes ?? 64 * 1024 * 1024;
    this.#maxLineBytes = options.maxLineBytes ?? 8 * 1024 * 1024;
    const maxSockets = options.maxSockets ?? 16;
    this.#connection = new Connection({ credentials, userAgent, maxSockets, clock: this.#clock, onRequest, logger });
  }

  /** The API server's clock minus ours, in milliseconds, from its answers' Date; moves only when they differ by more than 1.5 s. */
  get clockOffsetMs(): number {
    return this.#connection.clockOffsetMs;
  }

  /** Sends one request and resolves with the answer's JSON (undefined where it has no body). */
  async request<T = unknown>(options: RequestOptions): Promise<T> {
    const deadline = this.#clock.monotonic() + (options.timeoutMs ?? this.#timeoutMs);
    for (let repeats = 0; ; repeats += 1) {
      try {
        return await this.#requestOnce<T>(options, deadline);
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

  /** A strategic merge patch, by which lists are merged by their keys; only the server's own kinds know it. */
  strategicPatch<T = unknown>(path: string, patch: unknown, options: { query?: Query; signal?: AbortSignal } = {}): Promise<T> {
    return this.request<T>({ method: 'PATCH', path, body: patch, contentType: strategicPatchType, ...options });
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
    return this.request({ method: 'POST', path, body: eviction, repeatWhenBusy: false, timeoutMs: evictionTimeoutMs, ...options });
  }

  /** A list, page by page (with a limit of 0: all of it as one). When the server forgets it midway (410) it starts again, three times at most. */
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
      const deadline = this.#clock.monotonic() + this.#timeoutMs;
      open = await this.#connection.open({ method: 'GET', path, query: { ...query, watch: true }, signal, deadline, watch: true });
      open.headIsEnough();
      options.onOpen?.();
      for await (const line of readLines(open.response, this.#maxLineBytes)) {
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
    this.#connection.close();
  }

  async #requestOnce<T>(options: RequestOptions, deadline: number): Promise<T> {
    let open: OpenExchange | undefined;
    try {
      open = await this.#connection.open({ ...options, deadline, watch: false });
      return parseBody(options, await readBody(open.response, this.#maxBodyBytes)) as T;
    } catch (error) {
      throw open?.failure() ?? error;
    } finally {
      open?.close();
    }
  }
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

/** One line of a watch. Throws an ApiProtocolError where it is no event. */
export function parseWatchEvent(path: string, line: string): WatchEvent {
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

import type { IncomingMessage } from 'node:http';
import { type Clock, onAbort } from './clock.ts';
import type { Credentials, Impersonation, TlsOptions } from './credentials.ts';
import { ApiError, ApiUnreachableError, apiErrorFrom } from './errors.ts';
import type { Logger } from './logger.ts';
import { type Query, requestUrl, resourceOf } from './paths.ts';
import { createTransport, type Exchange, readBody, type Transport } from './transport.ts';

/** One exchange with the API server, for metrics and tests. */
export interface RequestReport {
  readonly method: string;
  /** `pods/eviction`, `nodes`, … */
  readonly resource: string;
  readonly watch: boolean;
  /** undefined: no answer. */
  readonly status: number | undefined;
  /** Until the answer's head, in milliseconds. */
  readonly durationMs: number;
}

export interface ConnectionOptions {
  readonly credentials: Credentials;
  readonly userAgent: string;
  readonly maxSockets: number;
  readonly clock: Clock;
  readonly onRequest?: ((report: RequestReport) => void) | undefined;
  readonly logger?: Logger | undefined;
}

/** A request as it is to be sent. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** On the monotonic clock: the exchange is cut then, unless `headIsEnough` was called. */
  readonly deadline: number;
  readonly watch: boolean;
}

/** An exchange whose head said 2xx. */
export interface OpenExchange {
  readonly response: IncomingMessage;
  /** Why we cut it, if we did: the deadline, or the signal's reason. */
  failure(): Error | undefined;
  /** The deadline holds no longer; the signal does. */
  headIsEnough(): void;
  /** To be called in the end, whatever happened. */
  close(): void;
}

interface Access {
  readonly tls: TlsOptions;
  readonly authorization: string | undefined;
}

const maxErrorBytes = 256 * 1024;
const clockToleranceMs = 1_500;

/** Sends requests with our credentials, and turns whatever goes wrong into the errors of this room. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #requests: Transport;
  /** Watches keep their connections for hours, and must not take those of requests. */
  readonly #watches: Transport;
  #clockOffsetMs = 0;

  constructor(options: ConnectionOptions) {
    const { server, proxy, dial } = options.credentials;
    this.#options = options;
    this.#requests = createTransport(server, options.maxSockets, { proxy, dial });
    this.#watches = createTransport(server, 1_024, { proxy, dial });
  }

  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  close(): void {
    this.#requests.close();
    this.#watches.close();
  }

  /** Resolves with a head that says 2xx. After a refusal it tries once more if there is another token. */
  async open(call: Call): Promise<OpenExchange> {
    const { credentials } = this.#options;
    const access = await this.#access(call);
    try {
      return await this.#send(call, access);
    } catch (error) {
      if (!(error instanceof ApiError) || ![401, 403, 422].includes(error.status)) throw error;
      credentials.refresh();
      const fresh = await this.#access(call);
      // A 403 or a 422 is mostly what it says, and a 401 too where the token is the same.
      if (fresh.authorization === access.authorization) throw error;
      return this.#send(call, fresh);
    }
  }

  /** A plug-in may take its time, or all of it. */
  async #access({ method, path, deadline, signal }: Call): Promise<Access> {
    const { clock, credentials } = this.#options;
    signal?.throwIfAborted();
    const over = Promise.withResolvers<never>();
    const late = new ApiUnreachableError(`${method} ${path}: no credentials in time`, { timedOut: true });
    const cancel = clock.setTimeout(() => over.reject(late), deadline - clock.monotonic());
    const unlink = onAbort(signal, () => over.reject(reasonOf(signal)));
    try {
      const both = Promise.all([credentials.tls(), credentials.authorization()]);
      const [tls, authorization] = await Promise.race([both, over.promise]);
      return { tls, authorization };
    } finally {
      cancel();
      unlink();
    }
  }

  async #send(call: Call, { tls, authorization }: Access): Promise<OpenExchange> {
    const { credentials, userAgent } = this.#options;
    const headers: Record<string, string | string[]> = {
      accept: 'application/json',
      'user-agent': userAgent,
      ...impersonationHeaders(credentials.impersonate),
    };
    if (authorization !== undefined) headers['authorization'] = authorization;
    if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const url = requestUrl(credentials.server, call.path, call.query);
    const transport = call.watch ? this.#watches : this.#requests;
    const start = (): Exchange => transport.send({ method: call.method, url, headers, body, tls });
    const first = await this.#exchange(call, start, transport);
    // A POST may have been carried out, and there is no telling; all else may be sent twice.
    return (
      first ??
      (await this.#exchange(call, start, transport)) ??
      Promise.reject(new ApiUnreachableError(`${call.method} ${call.path}: cut twice`))
    );
  }

  /** undefined: it went over an idle connection that the server was closing. */
  async #exchange(call: Call, start: () => Exchange, transport: Transport): Promise<OpenExchange | undefined> {
    const { clock } = this.#options;
    const what = `${call.method} ${call.path}`;
    const startedAt = clock.monotonic();
    const sentAt = clock.now();
    const exchange = start();
    const pending = guard(exchange, call, clock);
    let response: IncomingMessage;
    try {
      response = await exchange.response;
    } catch (error) {
      const stale = exchange.staleConnection();
      pending.close();
      if (stale && call.method !== 'POST') {
        // Its neighbours are no better.
        transport.dropIdle();
        return undefined;
      }
      this.#report(call, undefined, startedAt);
      const failure = pending.failure() ?? error;
      if (failure instanceof ApiUnreachableError) transport.dropIdle();
      throw failure;
    }
    const status = response.statusCode ?? 0;
    this.#compareClocks(response, sentAt);
    this.#report(call, status, startedAt);
    if (status >= 200 && status < 300) return { ...pending, response };
    try {
      const text = (await readBody(response, maxErrorBytes).catch(() => Buffer.alloc(0))).toString('utf8');
      throw pending.failure() ?? apiErrorFrom(status, jsonOr(text), { what, retryAfterHeader: response.headers['retry-after'] });
    } finally {
      pending.close();
    }
  }

  #compareClocks(response: IncomingMessage, sentAt: number): void {
    const server = Date.parse(response.headers.date ?? '');
    if (Number.isNaN(server)) return;
    const receivedAt = this.#options.clock.now();
    // The header is cut to whole seconds; the server wrote it some time between our sending and now.
    const serverNow = server + 500;
    const ours = Math.min(Math.max(serverNow - this.#clockOffsetMs, sentAt), receivedAt);
    if (Math.abs(serverNow - this.#clockOffsetMs - ours) <= clockToleranceMs) return;
    this.#clockOffsetMs = Math.round(serverNow - (sentAt + receivedAt) / 2);
    this.#options.logger?.warn({ clockOffsetMs: this.#clockOffsetMs }, "the API server's clock differs from ours");
  }

  #report({ method, path, watch }: Call, status: number | undefined, startedAt: number): void {
    const durationMs = this.#options.clock.monotonic() - startedAt;
    this.#options.onRequest?.({ method, resource: resourceOf(path), watch, status, durationMs });
  }
}

function impersonationHeaders(who: Impersonation | undefined): Record<string, string | string[]> {
  if (who === undefined) return {};
  const { user, groups = [], uid, extra = {} } = who;
  return {
    'impersonate-user': user,
    ...(groups.length > 0 && { 'impersonate-group': [...groups] }),
    ...(uid !== undefined && { 'impersonate-uid': uid }),
    ...Object.fromEntries(Object.entries(extra).map(([key, values]) => [`impersonate-extra-${headerKey(key)}`, [...values]])),
  };
}

/** As Kubernetes' own client escapes what may not stand in a header's name. */
const headerKey = (key: string): string =>
  [...Buffer.from(key)]
    .map((byte) => String.fromCharCode(byte))
    .map((char) => (/[A-Za-z0-9!#$&'*+.^_`|~-]/.test(char) ? char : `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`))
    .join('');

/** Cuts the exchange at its deadline, or when its signal is aborted. */
function guard(exchange: Exchange, call: Call, clock: Clock): Omit<OpenExchange, 'response'> {
  const { method, path, deadline, signal } = call;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    exchange.destroy(failure);
  };
  const late = (): void => fail(new ApiUnreachableError(`${method} ${path}: no answer in time`, { timedOut: true }));
  const cancelTimer = clock.setTimeout(late, deadline - clock.monotonic());
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

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

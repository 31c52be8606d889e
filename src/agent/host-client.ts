import http from 'node:http';
import { type Clock, delay, onAbort } from '../kube/clock.ts';
import {
  AnswerShapeError,
  type ApiServerSettings,
  type HostOS,
  parseApiServerSettings,
  parseOS,
  parseUpdateSettings,
  parseUpdateStatus,
  type UpdateSettings,
  type UpdateStatus,
  updateSettingsBody,
} from './host-answers.ts';
import {
  HostBusy,
  type HostError,
  HostNotFound,
  HostNothingPending,
  HostProtocol,
  HostRefused,
  HostServerError,
  HostSocketDead,
  HostUnreachable,
} from './host-errors.ts';
import { plainWords } from './words.ts';

/** The update actions of the host's API. */
export type UpdateAction = 'refresh' | 'prepare' | 'activate' | 'deactivate';

export interface HostClientOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  /** How long a host that does not answer is tried before the call fails. Default 30 s. */
  readonly patienceMs?: number;
  /** How long a socket may refuse connections before it counts as dead. Default 30 s. */
  readonly deadSocketMs?: number;
  /** Between two tries. Default 500 ms. */
  readonly retryMs?: number;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly timeoutMs?: number;
}
interface Answer {
  readonly status: number;
  readonly body: string;
}

const maxBodyBytes = 1024 * 1024;
/** Each costs some hundred bytes, however short it is. */
const maxPieces = 4_096;
const requestTimeoutMs = 15_000;
/** One worker thread serves all: a commit that renders, or a reboot, holds up whatever comes next. */
const slowRequestTimeoutMs = 60_000;

const actionPaths: Readonly<Record<UpdateAction, string>> = {
  refresh: '/actions/refresh-updates',
  prepare: '/actions/prepare-update',
  activate: '/actions/activate-update',
  deactivate: '/actions/deactivate-update',
};

/**
 * The host's API over its Unix socket. A call rejects with a HostError, or with the signal's reason. What cannot have
 * reached the host, and every GET, is tried again for 30 s; nothing else is ever sent twice.
 */
export class HostClient {
  readonly #options: HostClientOptions;
  readonly #clock: Clock;
  /** Since when every connection has been refused. */
  #refusedSince: number | undefined;

  constructor(options: HostClientOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  async os(signal: AbortSignal): Promise<HostOS> {
    return this.#json({ method: 'GET', path: '/os', timeoutMs: slowRequestTimeoutMs }, parseOS, signal);
  }

  /** undefined: no action has run since the boot. HostBusy while one runs. */
  async updateStatus(signal: AbortSignal): Promise<UpdateStatus | undefined> {
    try {
      return await this.#json({ method: 'GET', path: '/updates/status' }, parseUpdateStatus, signal);
    } catch (error) {
      if (error instanceof HostNotFound) return undefined;
      throw error;
    }
  }

  /** Starts an action; it goes on after the host has answered. */
  async start(action: UpdateAction, signal: AbortSignal): Promise<void> {
    await this.#send({ method: 'POST', path: actionPaths[action] }, signal);
  }

  /** Asks for the reboot. Resolves also where the connection just ends: that is how a rebooting host answers. HostServerError: it may reboot all the same. */
  async reboot(signal: AbortSignal): Promise<void> {
    try {
      await this.#send({ method: 'POST', path: '/actions/reboot', timeoutMs: slowRequestTimeoutMs }, signal);
    } catch (error) {
      if (!(error instanceof HostUnreachable && error.sent)) throw error;
    }
  }

  async updateSettings(signal: AbortSignal): Promise<UpdateSettings> {
    return this.#json({ method: 'GET', path: '/settings', query: { prefix: 'updates' } }, parseUpdateSettings, signal);
  }

  /** The update settings that lie in a transaction, uncommitted. */
  async pendingSettings(transaction: string, signal: AbortSignal): Promise<UpdateSettings> {
    return this.#json({ method: 'GET', path: '/tx', query: { tx: transaction } }, parseUpdateSettings, signal);
  }

  async patchSettings(transaction: string, settings: UpdateSettings, signal: AbortSignal): Promise<void> {
    await this.#send({ method: 'PATCH', path: '/settings', query: { tx: transaction }, body: updateSettingsBody(settings) }, signal);
  }

  /** HostServerError: it has committed all the same, and nobody renders it. */
  async commitAndApply(transaction: string, signal: AbortSignal): Promise<void> {
    const call = { method: 'POST', path: '/tx/commit_and_apply', query: { tx: transaction }, timeoutMs: slowRequestTimeoutMs } as const;
    await this.#send(call, signal);
  }

  async deleteTransaction(transaction: string, signal: AbortSignal): Promise<void> {
    await this.#send({ method: 'DELETE', path: '/tx', query: { tx: transaction } }, signal);
  }

  async apiServer(signal: AbortSignal): Promise<ApiServerSettings | undefined> {
    return this.#json({ method: 'GET', path: '/settings', query: { prefix: 'kubernetes' } }, parseApiServerSettings, signal);
  }

  async #json<T>(call: Call, parse: (raw: unknown) => T, signal: AbortSignal): Promise<T> {
    const { body } = await this.#send(call, signal);
    try {
      return parse(JSON.parse(body));
    } catch (cause) {
      const why = cause instanceof AnswerShapeError ? cause.message : 'no JSON';
      throw new HostProtocol(`${nameOf(call)}: cannot read the answer: ${plainWords(why)}`, { cause });
    }
  }

  /** Resolves with a 2xx. */
  async #send(call: Call, signal: AbortSignal): Promise<Answer> {
    const giveUpAt = this.#clock.monotonic() + (this.#options.patienceMs ?? 30_000);
    for (;;) {
      signal.throwIfAborted();
      try {
        const answer = await this.#exchange(call, signal);
        this.#refusedSince = undefined;
        if (answer.status >= 200 && answer.status < 300) return answer;
        throw errorOf(call, answer);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof HostUnreachable)) throw error;
        this.#watchForDeadSocket(error);
        const mayRepeat = call.method === 'GET' || !error.sent;
        if (!mayRepeat || this.#clock.monotonic() >= giveUpAt) throw error;
        await delay(this.#clock, this.#options.retryMs ?? 500, signal);
      }
    }
  }

  #watchForDeadSocket(error: HostUnreachable): void {
    if (codeOf(error.cause) !== 'ECONNREFUSED') {
      this.#refusedSince = undefined;
      return;
    }
    const now = this.#clock.monotonic();
    this.#refusedSince ??= now;
    if (now - this.#refusedSince >= (this.#options.deadSocketMs ?? 30_000)) throw new HostSocketDead(error.message, { cause: error.cause });
  }

  /** One request on a connection of its own: the server drops idle ones after 5 s, and a Unix socket costs nothing to open. */
  #exchange(call: Call, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let connected = false;
      let failure: Error | undefined;
      const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
      const query = call.query === undefined ? '' : `?${new URLSearchParams(call.query)}`;
      const request = http.request({
        socketPath: this.#options.socketPath,
        method: call.method,
        path: call.path + query,
        agent: false,
        headers: {
          host: 'localhost',
          connection: 'close',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(body === undefined && call.method === 'GET' ? {} : { 'content-length': String(body?.length ?? 0) }),
        },
      });
      const fail = (error: Error): void => {
        failure ??= error;
        request.destroy(failure);
      };
      const cancelTimer = this.#clock.setTimeout(
        () => fail(new HostUnreachable(`${nameOf(call)}: no answer in time`, { sent: true })),
        call.timeoutMs ?? requestTimeoutMs,
      );
      const unlink = onAbort(signal, () => fail(new HostUnreachable(`${nameOf(call)}: given up`, { sent: true })));
      const end = (): void => {
        cancelTimer();
        unlink();
      };
      const cut = (cause: Error): void => {
        end();
        reject(failure ?? new HostUnreachable(`${nameOf(call)}: ${cause.message}`, { sent: connected, cause }));
      };
      request.once('socket', (socket) => socket.once('connect', () => (connected = true)));
      request.on('error', cut);
      request.once('upgrade', (_response, socket) => {
        socket.destroy();
        end();
        reject(new HostProtocol(`${nameOf(call)}: the host wants to speak another protocol`));
      });
      request.once('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('error', cut);
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          chunks.push(chunk);
          if (length > maxBodyBytes || chunks.length > maxPieces)
            fail(new HostProtocol(`${nameOf(call)}: an answer of more than ${maxBodyBytes} bytes or ${maxPieces} pieces`));
        });
        response.once('end', () => {
          end();
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
        });
      });
      request.end(body);
    });
  }
}

const nameOf = ({ method, path }: Call): string => `${method} ${path}`;

function codeOf(cause: unknown): unknown {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}

function errorOf(call: Call, { status, body }: Answer): HostError {
  const name = nameOf(call);
  switch (status) {
    case 404:
      // A text says what is missing; an empty body says that there is no such call.
      return body.trim() === '' ? new HostProtocol(`${name}: 404: the host's API has no such call`) : new HostNotFound(name, status, body);
    case 408:
      // Sent when the server saw no whole request in time: nobody has acted on it.
      return new HostUnreachable(`${name}: 408 ${plainWords(body)}`, { sent: false });
    case 409:
      return new HostRefused(name, status, body);
    case 422:
      return new HostNothingPending(name, status, body);
    case 423:
      return new HostBusy(name, status, body);
    default:
      return status >= 500 ? new HostServerError(name, status, body) : new HostProtocol(`${name}: ${status} ${plainWords(body)}`);
  }
}

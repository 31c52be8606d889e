import type { KubeClient } from '../kube/client.ts';
import { type Clock, delay } from '../kube/clock.ts';
import type { Credentials } from '../kube/credentials.ts';
import { ApiUnreachableError } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';
import type { ApiServerSettings } from './host-answers.ts';
import { HostError } from './host-errors.ts';
import type { LetterboxClient } from './letterbox.ts';

/** A client of one API server. */
export type ServerClient = Pick<KubeClient, 'get' | 'mergePatch' | 'listPages' | 'watch' | 'close' | 'clockOffsetMs'>;

export interface ApiServersOptions {
  /** Through the service address. */
  readonly primary: ServerClient;
  /** Where the host's own kubelet finds the API server; undefined: it does not say. */
  readonly findFallback: (signal: AbortSignal) => Promise<ServerClient | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How often the primary is tried while it is not used. Default 1 minute. */
  readonly probeMs?: number;
}

/** Failures in a row after which the other server is asked. */
const patience = 2;

/**
 * One client over two ways to the API server: where the service address cannot be reached (its routes are the CNI's and
 * kube-proxy's work), the one that the host's settings name is used, until the service address answers again.
 */
export class ApiServers implements LetterboxClient {
  readonly #options: ApiServersOptions;
  readonly #signal: AbortSignal;
  #fallback: ServerClient | undefined;
  #unreachable = 0;
  #probing = false;

  /** `signal` ends what goes on by itself. */
  constructor(options: ApiServersOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Whether the fallback is in use. */
  get usesFallback(): boolean {
    return this.#fallback !== undefined;
  }

  /** What is to be added to our clock so that it tells the API server's time. */
  get clockOffsetMs(): number {
    return this.#current.clockOffsetMs;
  }

  get: LetterboxClient['get'] = (path, options) => this.#tell(this.#current.get(path, options));

  mergePatch: LetterboxClient['mergePatch'] = (path, patch, options) => this.#tell(this.#current.mergePatch(path, patch, options));

  listPages: LetterboxClient['listPages'] = (...args) => this.#tellEach(this.#current.listPages(...args));

  watch: LetterboxClient['watch'] = (...args) => this.#tellEach(this.#current.watch(...args));

  get #current(): ServerClient {
    return this.#fallback ?? this.#options.primary;
  }

  async #tell<T>(answer: Promise<T>): Promise<T> {
    try {
      const value = await answer;
      this.#unreachable = 0;
      return value;
    } catch (error) {
      await this.#failed(error);
      throw error;
    }
  }

  async *#tellEach<T>(values: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      for await (const value of values) {
        this.#unreachable = 0;
        yield value;
      }
    } catch (error) {
      await this.#failed(error);
      throw error;
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (!(error instanceof ApiUnreachableError)) {
      this.#unreachable = 0;
      return;
    }
    this.#unreachable += 1;
    if (this.#unreachable < patience) return;
    this.#unreachable = 0;
    if (this.#fallback === undefined) await this.#useFallback();
    else this.#usePrimary('the fallback cannot be reached either');
  }

  async #useFallback(): Promise<void> {
    try {
      this.#fallback ??= await this.#options.findFallback(this.#signal);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#options.logger.warn({ error }, 'the host does not say where its API server is');
    }
    if (this.#fallback === undefined || this.#probing) return;
    this.#options.logger.warn({}, "the service address cannot be reached: using the API server of the host's own settings");
    this.#probing = true;
    this.#probe().then(
      () => {
        this.#probing = false;
      },
      (error: unknown) => this.#options.logger.error({ error }, 'no longer trying the service address'),
    );
  }

  async #probe(): Promise<void> {
    const { clock, primary, probeMs = 60_000 } = this.#options;
    while (this.#fallback !== undefined && !this.#signal.aborted) {
      await delay(clock, probeMs, this.#signal);
      if (this.#signal.aborted) return;
      try {
        await primary.get('/version', { signal: this.#signal });
      } catch (error) {
        // Whatever else it says, it can be reached.
        if (error instanceof ApiUnreachableError || this.#signal.aborted) continue;
      }
      this.#usePrimary('the service address answers again');
    }
  }

  #usePrimary(why: string): void {
    const { logger } = this.#options;
    const fallback = this.#fallback;
    if (fallback === undefined) return;
    this.#fallback = undefined;
    logger.info({}, why);
    // Its watch ends, and begins again at the primary.
    fallback.close();
  }
}

/** The same account at the API server that the host names; undefined where what it names is no address. */
export function fallbackCredentials(credentials: Credentials, { server, certificate }: ApiServerSettings): Credentials | undefined {
  const ca = Buffer.from(certificate, 'base64').toString('utf8');
  if (!URL.canParse(server) || !ca.includes('BEGIN CERTIFICATE')) return undefined;
  const url = new URL(server);
  if (url.protocol !== 'https:') return undefined;
  return {
    server: url,
    tls: async () => ({ ca }),
    authorization: () => credentials.authorization(),
    refresh: () => credentials.refresh(),
  };
}

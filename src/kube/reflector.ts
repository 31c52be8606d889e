import * as z from 'zod/mini';
import { type BackoffOptions, backoffMs } from './backoff.ts';
import type { KubeClient, WatchEvent } from './client.ts';
import { type Clock, delay, onAbort, systemClock } from './clock.ts';
import { ApiError, ApiProtocolError, apiErrorFrom, isGone } from './errors.ts';
import type { Logger } from './logger.ts';
import { type Change, ObjectStore, type Seen } from './object-store.ts';
import type { Query } from './paths.ts';
import { compareResourceVersions, isResourceVersion } from './resource-version.ts';
import { type Silence, watchGuard } from './watch-guard.ts';

export type { Change } from './object-store.ts';

export interface ReflectorOptions<T> {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  /** The collection: `/api/v1/nodes`. */
  readonly path: string;
  /** Selectors. */
  readonly query?: Query;
  /** What is kept of an object; undefined: it is left out. A throw leaves what was kept as it is. */
  readonly project: (raw: unknown) => T | undefined;
  /** Default: `namespace/name`, or the name alone where there is no namespace. */
  readonly key?: (raw: unknown) => string;
  /** `byWatch`: an event told it, not a list nor the answer to a request of ours. */
  readonly onChange?: (change: Change<T>, byWatch: boolean) => void;
  /** A watch has been opened: the first one, or again. */
  readonly onConnect?: () => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /**
   * `list` (default): a paged list, then a watch. `stream`: for one object by name; begins with a watch that tells
   * the object's state by itself, and lists only where that tells nothing (there is no such object).
   */
  readonly mode?: 'list' | 'stream';
  readonly pageSize?: number;
  /**
   * Where the first list comes from. `store` (default): it is as fresh as the API server's storage. `cache`: it is what the API server
   * holds in memory, which may be behind; the watch catches up. For a selector that only its memory has an index for: a list from storage
   * reads every object of the kind, however few are selected. Later lists are from the store.
   */
  readonly firstList?: 'store' | 'cache';
  /** The first request waits a random part of this, in milliseconds. Default 0. */
  readonly startJitterMs?: number;
  /** So does each reconnect. Default 1,000. */
  readonly reconnectJitterMs?: number;
  /** The waits after failures. Default: 1 s to 30 s, half of it random. */
  readonly retry?: BackoffOptions;
}

const metaSchema = z.object({
  metadata: z.object({
    name: z.optional(z.string()),
    namespace: z.optional(z.string()),
    uid: z.optional(z.string()),
    resourceVersion: z.string().check(z.refine(isResourceVersion)),
  }),
});

const retryBackoff = { baseMs: 1_000, maxMs: 30_000, jitter: 0.5 };
/** A server that closes a watch sooner than this, having told nothing, is failing. */
const healthyWatchMs = 5_000;
const maxProtocolErrors = 3;

/** `closed`: as it should be. `failing`: too soon. For the others see watchGuard. */
type WatchEnd = 'closed' | 'failing' | Silence;

/** Keeps a projection of all objects of a collection, by a list and a watch that it never ceases to renew. */
export class Reflector<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #clock: Clock;
  readonly #store: ObjectStore<T>;
  readonly #waiting = new Set<() => void>();
  /** undefined: list (or begin the stream) before the next watch. */
  #resumeFrom: string | undefined;
  #listNext: boolean;
  #synced = false;
  #takesEvent = false;
  #lastEventAt: number | undefined;
  #failures = 0;
  #protocolErrors = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#listNext = options.mode !== 'stream';
    this.#store = new ObjectStore((change) => this.#tell(change));
  }

  get items(): ReadonlyMap<string, T> {
    return this.#store.items;
  }

  /** The whole collection has been seen once; `items` is never emptied after that for want of a connection. */
  get synced(): boolean {
    return this.#synced;
  }

  /** When the server last told us anything (list, event or bookmark), in milliseconds since the epoch. */
  get lastEventAt(): number | undefined {
    return this.#lastEventAt;
  }

  /** Resolves once synced; rejects with the signal's reason. */
  waitForSync(signal: AbortSignal): Promise<void> {
    if (this.#synced) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#waiting.delete(finish);
        unlink();
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      this.#waiting.add(finish);
      const unlink = onAbort(signal, () => queueMicrotask(finish));
    });
  }

  /** Takes an object of this collection that a read or a write of ours was answered with, if it is newer than what is known. */
  observe(raw: unknown): void {
    const seen = this.#see(raw);
    if (seen) this.#store.observe(seen);
  }

  /** Lists and watches until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#pause((this.#options.startJitterMs ?? 0) * this.#options.random(), signal);
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await this.#round(signal);
      } catch (error) {
        if (signal.aborted) return;
        waitMs = this.#afterFailure(error);
      }
      await this.#pause(waitMs, signal);
    }
  }

  /** One list, where it is needed, and one watch to its end. Resolves with the wait before the next. */
  async #round(signal: AbortSignal): Promise<number> {
    const jitterMs = (this.#options.reconnectJitterMs ?? 1_000) * this.#options.random();
    if (this.#resumeFrom === undefined && this.#listNext) await this.#list(signal);
    const end = await this.#watch(signal);
    switch (end) {
      case 'nothing':
        this.#listNext = true;
        return 0;
      case 'closed':
        return jitterMs;
      case 'silent':
        this.#options.logger.warn({ path: this.#options.path }, 'a watch has been silent for too long: connecting again');
        return jitterMs;
      case 'failing':
        this.#failures += 1;
        return Math.max(jitterMs, this.#backoff());
    }
  }

  #afterFailure(error: unknown): number {
    const { logger, path, reconnectJitterMs = 1_000, random } = this.#options;
    this.#failures += 1;
    if (isGone(error) || (error instanceof ApiError && error.hasCause('ResourceVersionTooLarge'))) this.#relist();
    // An event that we cannot read would come again for ever; a list passes it by.
    this.#protocolErrors = error instanceof ApiProtocolError ? this.#protocolErrors + 1 : 0;
    if (this.#protocolErrors >= maxProtocolErrors) this.#relist();
    const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(this.#backoff(), askedMs, reconnectJitterMs * random());
    if (isGone(error)) logger.debug({ path }, 'the resource version is gone: listing again');
    else logger.warn({ path, error, failures: this.#failures, waitMs: Math.round(waitMs) }, 'cannot list or watch');
    return waitMs;
  }

  #relist(): void {
    this.#resumeFrom = undefined;
    this.#listNext = true;
  }

  #backoff(): number {
    return backoffMs(this.#options.retry ?? retryBackoff, this.#failures, this.#options.random);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, path, query = {}, pageSize = 500, firstList } = this.#options;
    const fromCache = firstList === 'cache' && !this.synced;
    let keys = new Set<string>();
    let resourceVersion: string | undefined;
    for await (const page of client.listPages(path, fromCache ? { ...query, resourceVersion: '0' } : query, pageSize, signal)) {
      if (page.page === 0) {
        keys = new Set();
        const { watermark } = this.#store;
        if (watermark !== undefined && compareResourceVersions(page.resourceVersion, watermark) < 0) this.#store.rewind();
      }
      for (const raw of page.items) {
        const seen = this.#see(raw);
        if (!seen) continue;
        keys.add(seen.key);
        this.#store.putListed(seen);
      }
      resourceVersion = page.resourceVersion;
      this.#touch();
    }
    if (resourceVersion === undefined || !isResourceVersion(resourceVersion))
      throw new ApiProtocolError(`GET ${path}: no resource version`);
    this.#store.endList(keys, resourceVersion);
    this.#resumeFrom = resourceVersion;
    this.#nowSynced();
  }

  async #watch(signal: AbortSignal): Promise<WatchEnd> {
    const { client, path, query = {} } = this.#options;
    const stream = this.#resumeFrom === undefined;
    const guard = watchGuard(this.#clock, signal, stream);
    const startedAt = this.#clock.monotonic();
    try {
      const onOpen = (): void => {
        guard.opened();
        this.#options.onConnect?.();
      };
      const asked = { ...query, allowWatchBookmarks: true, resourceVersion: this.#resumeFrom };
      for await (const event of client.watch(path, asked, guard.signal, { onOpen })) {
        this.#takesEvent = true;
        try {
          this.#take(event);
        } finally {
          this.#takesEvent = false;
        }
        guard.heard(event.type === 'BOOKMARK');
        this.#succeeded();
      }
    } finally {
      guard.stop();
    }
    const silence = guard.silence();
    if (silence) return silence;
    if (stream && this.#resumeFrom === undefined) return 'nothing';
    if (guard.heardAnything()) return 'closed';
    if (this.#clock.monotonic() - startedAt < healthyWatchMs) return 'failing';
    this.#succeeded();
    return 'closed';
  }

  #take({ type, object }: WatchEvent): void {
    if (type === 'ERROR') {
      const code = z.object({ code: z.number() }).safeParse(object);
      throw apiErrorFrom(code.success ? code.data.code : 500, object, { what: `watch of ${this.#options.path}` });
    }
    const meta = metaSchema.safeParse(object);
    if (!meta.success) throw new ApiProtocolError(`watch of ${this.#options.path}: an event without metadata`, { cause: meta.error });
    const { resourceVersion } = meta.data.metadata;
    if (type === 'BOOKMARK') {
      this.#store.advance(resourceVersion);
    } else if (type === 'DELETED') {
      this.#store.delete(this.#keyOf(object, meta.data.metadata), resourceVersion);
    } else {
      const seen = this.#see(object);
      if (seen) this.#store.put(seen);
      else this.#store.advance(resourceVersion);
    }
    this.#resumeFrom = resourceVersion;
    this.#touch();
    this.#nowSynced();
  }

  #see(raw: unknown): Seen<T> | undefined {
    const meta = metaSchema.safeParse(raw);
    if (!meta.success || meta.data.metadata.uid === undefined) return undefined;
    const { uid, resourceVersion } = meta.data.metadata;
    const key = this.#keyOf(raw, meta.data.metadata);
    let value: T | undefined;
    try {
      value = this.#options.project(raw);
    } catch (error) {
      this.#options.logger.error({ path: this.#options.path, key, error }, 'cannot project an object: its last known state stays');
      value = this.#store.valueOf(key, uid);
    }
    return { key, uid, resourceVersion, value };
  }

  #keyOf(raw: unknown, { namespace, name }: { namespace?: string | undefined; name?: string | undefined }): string {
    if (this.#options.key) return this.#options.key(raw);
    return namespace === undefined ? (name ?? '') : `${namespace}/${name}`;
  }

  #tell(change: Change<T>): void {
    try {
      this.#options.onChange?.(change, this.#takesEvent);
    } catch (error) {
      this.#options.logger.error({ path: this.#options.path, key: change.key, error }, 'a handler of changes failed');
    }
  }

  #touch(): void {
    this.#lastEventAt = this.#clock.now();
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#protocolErrors = 0;
  }

  #nowSynced(): void {
    this.#synced = true;
    for (const finish of [...this.#waiting]) finish();
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await delay(this.#clock, ms, signal);
  }
}

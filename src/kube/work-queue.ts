import { type BackoffOptions, backoffMs } from './backoff.ts';
import { type Cancel, type Clock, onAbort, systemClock } from './clock.ts';
import type { Logger } from './logger.ts';

/** What a worker may answer: look at this key again, at the latest after so many milliseconds. */
export interface Requeue {
  readonly requeueAfterMs: number;
}

export interface WorkQueueOptions<K extends string> {
  /** Works on one key. It may say when to look again; a rejection is tried again with backoff. */
  readonly worker: (key: K, signal: AbortSignal) => Promise<Requeue | undefined> | Promise<void>;
  readonly concurrency: number;
  readonly backoff: BackoffOptions;
  readonly random: () => number;
  readonly clock?: Clock;
  readonly logger: Logger;
}

interface Timer {
  readonly at: number;
  readonly cancel: Cancel;
}

/**
 * Keys that wait to be worked on; each is in it once. A key is never worked on twice at the same time, and one that is
 * added meanwhile is worked on again afterwards. It is level-triggered: many adds may become one run, but none is lost.
 */
export class WorkQueue<K extends string> {
  readonly #options: WorkQueueOptions<K>;
  readonly #clock: Clock;
  /** In the order in which they will be taken. */
  readonly #ready = new Set<K>();
  readonly #active = new Set<K>();
  readonly #addedWhileActive = new Set<K>();
  readonly #forgottenWhileActive = new Set<K>();
  readonly #later = new Map<K, Timer>();
  /** What the last run asked for: its backoff or its requeueAfterMs. The next run replaces it. */
  readonly #again = new Map<K, Timer>();
  readonly #failures = new Map<K, number>();
  #running: AbortSignal | undefined;
  #stop = new AbortController();
  #idle: (() => void) | undefined;

  constructor(options: WorkQueueOptions<K>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** How many keys wait for a free worker. */
  get size(): number {
    return this.#ready.size;
  }

  /** How many keys are being worked on. */
  get active(): number {
    return this.#active.size;
  }

  /** Has the key worked on as soon as a worker is free, a key in its backoff too. */
  add(key: K): void {
    if (this.#stop.signal.aborted) return;
    if (this.#active.has(key)) {
      this.#addedWhileActive.add(key);
      return;
    }
    cancelIn(this.#again, key);
    this.#ready.add(key);
    this.#dispatch();
  }

  /** Adds the key in `ms` milliseconds. Of several such calls the earliest counts: the work itself knows what comes next. */
  addAfter(key: K, ms: number): void {
    if (ms <= 0) this.add(key);
    else this.#arm(this.#later, key, ms, true);
  }

  /** Takes the key out, with its backoff. A run that has begun is not ended. */
  forget(key: K): void {
    this.#ready.delete(key);
    this.#addedWhileActive.delete(key);
    if (this.#active.has(key)) this.#forgottenWhileActive.add(key);
    cancelIn(this.#later, key);
    cancelIn(this.#again, key);
    this.#failures.delete(key);
  }

  /** Works until `signal` is aborted or `stop` is called; resolves when the last worker has come back. Once only. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new Error('a work queue runs once');
    this.#running = this.#stop.signal;
    const unlink = onAbort(signal, () => this.stop());
    this.#dispatch();
    if (!this.#stop.signal.aborted || this.#active.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    unlink();
  }

  /** Takes out all keys and aborts the workers' signal. */
  stop(): void {
    this.#stop.abort();
    for (const timers of [this.#later, this.#again]) for (const key of [...timers.keys()]) cancelIn(timers, key);
    this.#ready.clear();
    this.#addedWhileActive.clear();
    if (this.#active.size === 0) this.#idle?.();
  }

  #dispatch(): void {
    if (!this.#running || this.#stop.signal.aborted) return;
    for (const key of this.#ready) {
      if (this.#active.size >= this.#options.concurrency) return;
      this.#ready.delete(key);
      this.#active.add(key);
      this.#work(key, this.#running).catch((error) => this.#options.logger.error({ key, error }, 'the work queue itself failed'));
    }
  }

  async #work(key: K, signal: AbortSignal): Promise<void> {
    let again: number | undefined;
    try {
      const result = await this.#options.worker(key, signal);
      this.#failures.delete(key);
      again = typeof result === 'object' ? result.requeueAfterMs : undefined;
    } catch (error) {
      if (!signal.aborted) again = this.#failed(key, error);
    }
    this.#active.delete(key);
    if (this.#forgottenWhileActive.delete(key)) {
      this.#failures.delete(key);
      again = undefined;
    }
    if (this.#stop.signal.aborted) {
      if (this.#active.size === 0) this.#idle?.();
      return;
    }
    if (this.#addedWhileActive.delete(key)) this.#ready.add(key);
    else if (again !== undefined) this.#arm(this.#again, key, again, false);
    this.#dispatch();
  }

  #failed(key: K, error: unknown): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const waitMs = backoffMs(this.#options.backoff, failures, this.#options.random);
    this.#options.logger.warn({ key, error, failures, waitMs: Math.round(waitMs) }, 'work failed');
    return waitMs;
  }

  #arm(timers: Map<K, Timer>, key: K, ms: number, keepEarlier: boolean): void {
    if (this.#stop.signal.aborted) return;
    const at = this.#clock.monotonic() + ms;
    const armed = timers.get(key);
    if (armed && keepEarlier && armed.at <= at) return;
    armed?.cancel();
    const fire = (): void => {
      timers.delete(key);
      this.add(key);
    };
    timers.set(key, { at, cancel: this.#clock.setTimeout(fire, ms) });
  }
}

function cancelIn<K>(timers: Map<K, Timer>, key: K): void {
  timers.get(key)?.cancel();
  timers.delete(key);
}

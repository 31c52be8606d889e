import { backoffMs } from '../kube/backoff.ts';
import type { Clock } from '../kube/clock.ts';
import { ApiError } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';

/** What may pass by itself is tried more often than what a person must put right. */
const PASSING = { baseMs: 1_000, maxMs: 5_000, jitter: 0 };
const LASTING = { baseMs: 1_000, maxMs: 30_000, jitter: 0 };
const MAX_NAMED = 5;
const TOLD_EVERY_MS = 1_000;

/**
 * Nodes and policies whose writes the API server refuses, for other reasons than that the world has moved on: each waits for a
 * backoff of its own while all others go on, and the log says so once a second at most.
 */
export class Setbacks {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #setbacks = new Map<string, { failures: number; until: number }>();
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Who is to be left alone by a pass that begins now. */
  waiting(): Set<string> {
    const now = this.#clock.monotonic();
    return new Set([...this.#setbacks].filter(([, { until }]) => until > now).map(([name]) => name));
  }

  /** Takes notice of a pass: who was refused with which error, and who was left alone or failed; all others are well again. */
  note(refused: ReadonlyMap<string, unknown>, failed: ReadonlySet<string>): void {
    const now = this.#clock.monotonic();
    for (const name of this.#setbacks.keys()) if (!failed.has(name)) this.#setbacks.delete(name);
    for (const [name, error] of refused) {
      const failures = (this.#setbacks.get(name)?.failures ?? 0) + 1;
      const lasting = error instanceof ApiError && !error.retryable;
      // To whole seconds, so that those of one second are tried by one pass.
      const until = Math.ceil((now + backoffMs(lasting ? LASTING : PASSING, failures, () => 0)) / 1_000) * 1_000;
      this.#setbacks.set(name, { failures, until });
    }
    const [first] = refused;
    // What is left out now is told when it is tried again.
    if (first === undefined || now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = now;
    const [name, error] = first;
    const others = [...refused.keys()].slice(1, MAX_NAMED);
    this.#logger.warn({ name, error, others, failed: refused.size }, 'writes were refused; they are tried again');
  }

  /** How long it is until the first of them may be tried again, in milliseconds; undefined where nobody waits. */
  wait(): number | undefined {
    const now = this.#clock.monotonic();
    const waits = [...this.#setbacks.values()].map(({ until }) => until - now).filter((wait) => wait > 0);
    return waits.length === 0 ? undefined : Math.min(...waits);
  }
}

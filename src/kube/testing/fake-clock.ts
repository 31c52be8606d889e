import type { Cancel, Clock } from '../clock.ts';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #monotonic = 0;
  #epoch: number;
  readonly #timers = new Set<Timer>();

  constructor(epoch: number = Date.parse('2026-01-01T00:00:00Z')) {
    this.#epoch = epoch;
  }

  /** How many timers are armed. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#epoch + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimeout(fn: () => void, ms: number): Cancel {
    const timer = { at: this.#monotonic + Math.max(0, ms), fn };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Moves time and fires what is due, in order. What a timer wakes goes on only after the test awaits something. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    while (this.#fireNext(end));
    this.#monotonic = end;
  }

  /** Fires the first timer that is due, and no more: what it wakes may run before the next. False: none is due. */
  fireNext(): boolean {
    return this.#fireNext(this.#monotonic);
  }

  /** As `advance`, in steps; between them what was woken may run, network on this machine included. */
  async advanceGently(ms: number, stepMs = 100): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      await breathe(Math.min(stepMs, left));
    }
  }

  /** Moves time without firing anything: a process that was stopped and goes on. */
  freeze(ms: number): void {
    this.#monotonic += ms;
  }

  #fireNext(upTo: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (timer.at <= upTo && (next === undefined || timer.at < next.at)) next = timer;
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#monotonic = Math.max(this.#monotonic, next.at);
    next.fn();
    return true;
  }

  /** Somebody sets the machine's clock. */
  setWallClock(ms: number): void {
    this.#epoch = ms - this.#monotonic;
  }
}

/** Lets promises and the event loop go round a few times. */
export async function settle(rounds = 5): Promise<void> {
  for (let i = 0; i < rounds; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

let owedMs = 0;

/**
 * To be awaited after each step of fake time: lets the event loop go round, and real time pass, 1 ms for 500. On a busy machine
 * the kernel carries packets late even on loopback, and no timeout should run out meanwhile.
 */
export async function breathe(fakeMs: number): Promise<void> {
  await settle(3);
  owedMs += fakeMs;
  if (owedMs < 500) return;
  await new Promise((resolve) => setTimeout(resolve, Math.min(4, owedMs / 500)));
  owedMs = 0;
}

/** Waits until `condition` holds; throws when it does not within `withinMs` of real time. */
export async function eventually(condition: () => boolean, what = 'the condition', withinMs = 30_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

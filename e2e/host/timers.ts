/** Milliseconds, or a range from which each use draws anew. */
export type Delay = number | readonly [least: number, most: number];

/** How long the parts of a host take. All in milliseconds; all may be 0, and then happen before the answer is sent. */
export interface HostTimings {
  refreshMs: Delay;
  prepareMs: Delay;
  /** Activate and deactivate. */
  activateMs: Delay;
  /** How long the reboot command runs; it occupies the only worker thread. */
  rebootCommandMs: Delay;
  /** From the loss of the socket to its return. */
  bootMs: Delay;
  /** The same, under the fault `slowBoot`. */
  slowBootMs: Delay;
  /** From a commit to the updater's own configuration being rewritten. */
  renderMs: Delay;
  /** How long the server waits for the head of a first request (then 408), and for the next one on an idle connection. */
  clientTimeoutMs: number;
}

/** Short, but long enough that a careless client trips over each of them. Only the rendering and the client timeout are life-size. */
export const defaultTimings: HostTimings = {
  refreshMs: 40,
  prepareMs: 120,
  activateMs: 20,
  rebootCommandMs: 20,
  bootMs: 200,
  slowBootMs: 5_000,
  renderMs: [36, 88],
  clientTimeoutMs: 5_000,
};

/** Timers that end together: a host that loses power does nothing later. */
export class Timers {
  readonly #pending = new Set<NodeJS.Timeout>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Runs the action after the delay; at once, before returning, where the delay is 0. */
  after(delay: Delay, action: () => void): void {
    const wait = this.draw(delay);
    if (wait === 0) {
      action();
      return;
    }
    const timer = setTimeout(() => {
      this.#pending.delete(timer);
      action();
    }, wait);
    this.#pending.add(timer);
  }

  draw(delay: Delay): number {
    if (typeof delay === 'number') return delay;
    const [least, most] = delay;
    return least + this.#random() * (most - least);
  }

  clear(): void {
    for (const timer of this.#pending) clearTimeout(timer);
    this.#pending.clear();
  }
}

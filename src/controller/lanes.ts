import { type Clock, delay } from '../kube/clock.ts';

/** What is begun first where not all can be: acting comes before telling. */
export type LaneKind = 'act' | 'report';

/** Work on names, one piece of each at a time and a limited number in all, that may outlast whoever began it. */
export class Lanes {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #busy = new Set<string>();
  readonly #waiting: Record<LaneKind, (() => Promise<void>)[]> = { act: [], report: [] };
  #running = 0;
  #idle = Promise.withResolvers<void>();

  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#idle.resolve();
  }

  /** Names whose work waits or runs. */
  get busy(): ReadonlySet<string> {
    return this.#busy;
  }

  /** Begins the work, which never rejects, as soon as there is room; false where the name is busy. */
  start(kind: LaneKind, name: string, work: () => Promise<void>): boolean {
    if (this.#busy.has(name)) return false;
    if (this.#busy.size === 0) this.#idle = Promise.withResolvers();
    this.#busy.add(name);
    this.#waiting[kind].push(() => work().finally(() => this.#busy.delete(name)));
    this.#fill();
    return true;
  }

  /** Resolves when nobody is busy any more, or, where `withinMs` says so, after that time. */
  async settled(withinMs?: number): Promise<void> {
    if (this.#busy.size === 0) return;
    if (withinMs === undefined) return this.#idle.promise;
    const over = new AbortController();
    await Promise.race([this.#idle.promise, delay(this.#clock, withinMs, over.signal)]);
    over.abort();
  }

  #fill(): void {
    while (this.#running < this.#limit) {
      const next = this.#waiting.act.shift() ?? this.#waiting.report.shift();
      if (next === undefined) return;
      this.#running += 1;
      next().then(
        () => this.#ended(),
        () => this.#ended(),
      );
    }
  }

  #ended(): void {
    this.#running -= 1;
    this.#fill();
    if (this.#busy.size === 0) this.#idle.resolve();
  }
}

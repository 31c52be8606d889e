import type { Cancel, Clock } from '../kube/clock.ts';

/** Evictions at once on one node, and, all nodes together, before a node that has one under way must wait with its next. */
export interface TurnLimits {
  perNode: number;
  inAll: number;
}

/** Whose turn an eviction is: its node's, and that of the budget that covers its pod. */
export interface Lane {
  node: string;
  budget?: string | undefined;
}

interface Waiting {
  lane: Lane;
  start: () => void;
}

/** So long may one eviction keep the others of its budget waiting: somebody's webhook may hang. */
const BUDGET_TURN_MS = 1_000;

/**
 * Has evictions wait for their turn, first come, first served, but nobody behind somebody who waits for something else.
 * Of one budget one at a time: two that race for its status cost one of them half a second within the API server.
 * Of one node so many, and in all so many, but one of each node at least: what hangs on one node holds up no other.
 */
export class EvictionTurns {
  readonly #limits: TurnLimits;
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  readonly #nodes = new Map<string, number>();
  readonly #budgets = new Set<string>();
  #running = 0;

  constructor(limits: TurnLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Runs the work in its turn. What waits holds nothing that others need. */
  async run<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    if (!this.#free(lane)) await new Promise<void>((start) => this.#waiting.add({ lane, start }));
    else this.#take(lane);
    const leaveBudget = this.#keepBudget(lane.budget);
    try {
      return await work();
    } finally {
      this.#running -= 1;
      const onNode = (this.#nodes.get(lane.node) ?? 1) - 1;
      if (onNode === 0) this.#nodes.delete(lane.node);
      else this.#nodes.set(lane.node, onNode);
      leaveBudget();
      this.#next();
    }
  }

  #free({ node, budget }: Lane): boolean {
    const onNode = this.#nodes.get(node) ?? 0;
    if (onNode >= this.#limits.perNode || (onNode > 0 && this.#running >= this.#limits.inAll)) return false;
    return budget === undefined || !this.#budgets.has(budget);
  }

  #take({ node, budget }: Lane): void {
    this.#running += 1;
    this.#nodes.set(node, (this.#nodes.get(node) ?? 0) + 1);
    if (budget !== undefined) this.#budgets.add(budget);
  }

  /** The budget's turn ends with the work, or before it, where that takes too long. */
  #keepBudget(budget: string | undefined): Cancel {
    if (budget === undefined) return () => {};
    let kept = true;
    const leave = (): void => {
      cancel();
      if (kept) this.#budgets.delete(budget);
      kept = false;
    };
    const cancel = this.#clock.setTimeout(() => {
      leave();
      this.#next();
    }, BUDGET_TURN_MS);
    return leave;
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (!this.#free(waiting.lane)) continue;
      this.#waiting.delete(waiting);
      this.#take(waiting.lane);
      waiting.start();
    }
  }
}

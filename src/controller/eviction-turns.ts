import type { Cancel, Clock } from '../kube/clock.ts';

/** Evictions at once on one node, and on all nodes together. */
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

/** So long may one eviction keep those of other nodes waiting: somebody's webhook may hang. */
const TURN_MS = 1_000;

/**
 * Has evictions wait for their turn, but nobody behind somebody who waits for something else: the node's that has fewest under way,
 * and of one node first come, first served. Of one budget one at a time: two that race for its status cost one of them half a second
 * within the API server. Of one node so many, and of all together so many; but one that hangs counts for its own node alone after a
 * second.
 */
export class EvictionTurns {
  readonly #limits: TurnLimits;
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  readonly #nodes = new Map<string, number>();
  readonly #budgets = new Set<string>();
  #inAll = 0;

  constructor(limits: TurnLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Runs the work in its turn. What waits holds nothing that others need. */
  async run<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    if (!this.#free(lane)) await new Promise<void>((start) => this.#waiting.add({ lane, start }));
    else this.#take(lane);
    const endTurn = this.#beginTurn(lane.budget);
    try {
      return await work();
    } finally {
      const onNode = (this.#nodes.get(lane.node) ?? 1) - 1;
      if (onNode === 0) this.#nodes.delete(lane.node);
      else this.#nodes.set(lane.node, onNode);
      endTurn();
      this.#next();
    }
  }

  #free({ node, budget }: Lane): boolean {
    if (this.#inAll >= this.#limits.inAll || (this.#nodes.get(node) ?? 0) >= this.#limits.perNode) return false;
    return budget === undefined || !this.#budgets.has(budget);
  }

  #take({ node, budget }: Lane): void {
    this.#inAll += 1;
    this.#nodes.set(node, (this.#nodes.get(node) ?? 0) + 1);
    if (budget !== undefined) this.#budgets.add(budget);
  }

  /** What was taken of the budget and of the total is given back with the work's end, or before it, where that takes too long. */
  #beginTurn(budget: string | undefined): Cancel {
    let kept = true;
    const end = (): void => {
      cancel();
      if (!kept) return;
      kept = false;
      this.#inAll -= 1;
      if (budget !== undefined) this.#budgets.delete(budget);
    };
    const cancel = this.#clock.setTimeout(() => {
      end();
      this.#next();
    }, TURN_MS);
    return end;
  }

  #next(): void {
    while (this.#inAll < this.#limits.inAll) {
      const waiting = this.#first();
      if (waiting === undefined) return;
      this.#waiting.delete(waiting);
      this.#take(waiting.lane);
      waiting.start();
    }
  }

  #first(): Waiting | undefined {
    let first: Waiting | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting) {
      const onNode = this.#nodes.get(waiting.lane.node) ?? 0;
      if (onNode >= fewest || !this.#free(waiting.lane)) continue;
      if (onNode === 0) return waiting;
      first = waiting;
      fewest = onNode;
    }
    return first;
  }
}

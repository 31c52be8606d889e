import type { BlockedPod } from '../api/node-update.ts';
import { BudgetRoom } from './budget-room.ts';
import { EvictionTurns } from './eviction-turns.ts';
import { type DrainDeps, NodeDrain, type WantedDrain } from './node-drain.ts';

/** How drains evict. */
export interface DrainerDeps extends DrainDeps {
  /** Evictions at once on one node, and on all together: others want to talk to the API server, too. */
  concurrency?: number;
  totalConcurrency?: number;
}

const CONCURRENCY = 20;
/** More wait for each other within the API server, and keep everybody else waiting there: measured by `make bench-scale`. */
const TOTAL_CONCURRENCY = 8;

/** Evicts the pods of the nodes that are being drained, each node and each pod independent of the others. */
export class Drainer {
  readonly #deps: DrainerDeps;
  readonly #turns: EvictionTurns;
  readonly #room: BudgetRoom;
  readonly #drains = new Map<string, NodeDrain>();
  readonly #ending = new Set<Promise<void>>();

  constructor(deps: DrainerDeps) {
    this.#deps = deps;
    const limits = { perNode: deps.concurrency ?? CONCURRENCY, inAll: deps.totalConcurrency ?? TOTAL_CONCURRENCY };
    this.#turns = new EvictionTurns(limits, deps.clock);
    this.#room = new BudgetRoom(deps.budgets);
  }

  /** Drains these nodes as far as the decision says, and stops all other drains. */
  want(decisions: readonly WantedDrain[]): void {
    const wanted = new Map(decisions.map((decision) => [decision.node, decision]));
    for (const [node, drain] of this.#drains) {
      if (wanted.get(node)?.claim === drain.claim) continue;
      const ended: Promise<void> = drain.stop().then(() => {
        this.#ending.delete(ended);
      });
      this.#ending.add(ended);
      this.#drains.delete(node);
    }
    for (const [node, decision] of wanted) {
      let drain = this.#drains.get(node);
      if (drain === undefined) {
        drain = new NodeDrain(this.#deps, this.#turns, this.#room, decision);
        this.#drains.set(node, drain);
      }
      drain.update(decision);
    }
  }

  /** What could not be evicted yet, by node. */
  blocked(): Map<string, readonly BlockedPod[]> {
    return new Map([...this.#drains].map(([node, drain]) => [node, drain.blocked()]));
  }

  /** Budgets have changed: those that one blocked are tried at once, as many as it allows; all of them where none covers them now. */
  budgetChanged(namespace: string): void {
    const budgets = this.#deps.budgets().filter((budget) => budget.namespace === namespace);
    for (const budget of budgets) {
      let allowed = budget.disruptionsAllowed;
      for (const drain of this.#drains.values()) allowed -= drain.retryBlockedBy(budget, allowed);
    }
    for (const drain of this.#drains.values()) drain.retryUncovered(namespace, budgets);
  }

  /** Stops all drains; resolves when no request is under way. What was accepted by the API server goes on there. */
  async stop(): Promise<void> {
    this.want([]);
    await Promise.all(this.#ending);
  }
}

import type { Budget } from '../cluster/views.ts';
import type { PodView } from '../core/world.ts';
import { selects } from './eviction.ts';

/** Tells, without asking the API server, where it would refuse an eviction for a budget's sake. */
export class BudgetRoom {
  readonly #budgets: () => readonly Budget[];
  /** Evictions that were accepted under a budget as it was seen; one whose status was written since has counted them itself. */
  readonly #spent = new WeakMap<Budget, number>();

  constructor(budgets: () => readonly Budget[]) {
    this.#budgets = budgets;
  }

  /** The first budget that covers a pod. */
  covering(pod: PodView): Budget | undefined {
    return this.#budgets().find((budget) => selects(budget, pod));
  }

  /**
   * The budget that lets a pod go no more, by its last known status; undefined where there is a doubt that only the API server
   * can settle. It lets pods go that are not ready by rules of their own, refuses those of several budgets, and believes no status
   * that is older than its spec or could not be computed.
   */
  full(pod: PodView): Budget | undefined {
    if (!pod.ready) return undefined;
    const [budget, ...others] = this.#budgets().filter((one) => selects(one, pod));
    if (budget === undefined || others.length > 0 || !budget.observed || budget.syncFailed !== undefined) return undefined;
    return budget.disruptionsAllowed - (this.#spent.get(budget) ?? 0) > 0 ? undefined : budget;
  }

  /** An eviction was accepted that was asked for when its budget was seen as this one. */
  spend(budget: Budget): void {
    this.#spent.set(budget, (this.#spent.get(budget) ?? 0) + 1);
  }
}

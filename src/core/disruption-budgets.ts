import { matches } from './selector.ts';
import type { DisruptionBudget, DisruptionBudgets, PodView } from './world.ts';

/** Whether a budget covers a pod. */
export const covers = ({ namespace, selector }: Pick<DisruptionBudget, 'namespace' | 'selector'>, pod: PodView): boolean =>
  namespace === pod.namespace && selector !== undefined && matches(selector, pod.labels);

/**
 * Why a budget can never allow an eviction as things stand: even with every pod healthy, none is to spare, or it cannot be computed.
 * One that only has nothing to spare now, while a pod is not ready elsewhere, is none of these.
 */
export function neverAllows(budget: DisruptionBudget): string | undefined {
  const { observed, syncFailed, disruptionsAllowed, expectedPods, desiredHealthy } = budget;
  if (syncFailed !== undefined) return `it cannot be computed: ${syncFailed}`;
  if (!observed || disruptionsAllowed > 0 || expectedPods === 0 || expectedPods > desiredHealthy) return undefined;
  return `it wants ${desiredHealthy} healthy of ${expectedPods}`;
}

/** What of its budgets keeps a pod from ever being evicted as things stand, as the reason that groups it with others. */
export function barredBy(pod: PodView, budgets: DisruptionBudgets): string | undefined {
  // The API server asks no budget about a pod that has not begun.
  if (pod.phase === 'Pending') return undefined;
  const covering = (budgets.get(pod.namespace) ?? []).filter((budget) => covers(budget, pod));
  const [budget, second] = covering;
  if (budget === undefined) return undefined;
  if (second !== undefined)
    return `pods of more than one PodDisruptionBudget, which cannot be evicted at all (${covering.map(keyOf).join(', ')}: leave them to one)`;
  if (!pod.ready && goesUnready(budget)) return undefined;
  const never = neverAllows(budget);
  return never === undefined ? undefined : `pods whose PodDisruptionBudget ${keyOf(budget)} can never allow it as things stand (${never})`;
}

/** Whether a pod that is not ready may go without the budget's numbers, by its `unhealthyPodEvictionPolicy`. */
const goesUnready = ({ unhealthyPodEvictionPolicy, currentHealthy, desiredHealthy }: DisruptionBudget): boolean =>
  unhealthyPodEvictionPolicy === 'AlwaysAllow' || (desiredHealthy > 0 && currentHealthy >= desiredHealthy);

const keyOf = ({ namespace, name }: DisruptionBudget): string => `${namespace}/${name}`;

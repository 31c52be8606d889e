import type { BlockedPod } from '../api/node-update.ts';
import { podKey } from '../core/drain-plan.ts';
import { matches } from '../core/selector.ts';
import type { PodView } from '../core/world.ts';
import { ApiError } from '../kube/errors.ts';
import type { Budget } from './views.ts';

/** What the Eviction API's answer means for a pod. */
export type EvictionOutcome =
  /** Accepted, or the pod is gone, or another one stands under its name: only its end is waited for. */
  | { kind: 'accepted' | 'gone' }
  /** Refused for now: shown by name, and tried again. */
  | { kind: 'blocked'; blocked: BlockedPod; retryAfterMs?: number };

/** A server may ask for a pause as long as it likes; a drain has a deadline. */
const MAX_RETRY_AFTER_MS = 60_000;
const MAX_TEXT = 512;

/** Reads the failure of an eviction request (reference: the Eviction API's answers); undefined where it is no answer at all. */
export function outcomeOf(error: unknown, pod: PodView, budgets: readonly Budget[]): EvictionOutcome | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const blocked = (reason: string, message: string, budget?: string): EvictionOutcome => ({
    kind: 'blocked',
    blocked: {
      pod: podKey(pod),
      reason,
      message: message.slice(0, MAX_TEXT),
      ...(budget !== undefined && { budget: budget.slice(0, MAX_TEXT) }),
    },
    ...(error.retryAfterMs !== undefined && { retryAfterMs: Math.min(error.retryAfterMs, MAX_RETRY_AFTER_MS) }),
  });
  const selecting = budgets.filter((budget) => selects(budget, pod));
  switch (error.status) {
    case 404:
    case 409:
      return { kind: 'gone' };
    case 429: {
      if (!error.hasCause('DisruptionBudget')) return blocked('Throttled', error.message);
      const [budget] = selecting;
      return budget === undefined
        ? blocked('DisruptionBudget', error.message)
        : blocked('DisruptionBudget', `${describeBudget(budget)}; ${error.message}`, budgetKey(budget));
    }
    case 403:
      return blocked(error.hasCause('NamespaceTerminating') ? 'NamespaceTerminating' : 'Refused', error.message);
    default:
      if (error.status === 500 && selecting.length > 1) {
        return blocked(
          'MoreThanOneBudget',
          `no pod of several budgets can be evicted: leave it to one of them; ${error.message}`,
          selecting.map(budgetKey).join(', '),
        );
      }
      return blocked(error.status >= 500 ? 'ServerError' : 'Refused', error.message);
  }
}

/** Whether a budget covers a pod; an empty selector covers its whole namespace, none covers nothing. */
export function selects(budget: Budget, pod: PodView): boolean {
  if (budget.namespace !== pod.namespace || budget.selector === undefined) return false;
  const { matchLabels, matchExpressions } = budget.selector;
  return matches(
    {
      ...(matchLabels !== undefined && { matchLabels }),
      ...(matchExpressions !== undefined && { matchExpressions: matchExpressions.map(withValues) }),
    },
    pod.labels,
  );
}

type Expression = NonNullable<NonNullable<Budget['selector']>['matchExpressions']>[number];
const withValues = ({ key, operator, values }: Expression) => ({ key, operator, ...(values !== undefined && { values }) });

const budgetKey = ({ namespace, name }: Budget): string => `${namespace}/${name}`;

const describeBudget = ({ name, currentHealthy, desiredHealthy }: Budget): string =>
  `the budget ${name} allows no eviction now: ${currentHealthy} healthy, ${desiredHealthy} needed`;

import type { BlockedPod } from '../api/node-update.ts';
import type { Budget } from '../cluster/views.ts';
import { podKey } from '../core/drain-settings.ts';
import { matches } from '../core/selector.ts';
import type { PodView } from '../core/world.ts';
import { ApiError, ApiUnreachableError } from '../kube/errors.ts';
import type { EvictionWebhook } from './eviction-webhooks.ts';

/** What the Eviction API's answer means for a pod. */
export type EvictionOutcome =
  /** The API server has begun to end the pod, or its namespace's end will: only its end is waited for. */
  | { kind: 'accepted' | 'terminating' }
  /** The pod is no more, or another one stands under its name: the watch is about to tell. */
  | { kind: 'gone'; words: string }
  /** Refused for now: shown by name, and tried again. */
  | { kind: 'blocked'; blocked: BlockedPod; retryAfterMs?: number }
  /** No answer: it may or may not have been carried out. */
  | { kind: 'unanswered'; words: string };

/** A server may ask for a pause as long as it likes; a drain has a deadline. */
const MAX_RETRY_AFTER_MS = 60_000;
const MAX_TEXT = 512;
const MAX_NAMED = 3;

/**
 * Reads the failure of an eviction request. `webhooks` are those that are asked about evictions; they are needed only where
 * `mayBeAWebhooks` says so.
 * @throws the error itself where the API server did not give it
 */
export function outcomeOf(
  error: unknown,
  pod: PodView,
  budgets: readonly Budget[],
  webhooks: readonly EvictionWebhook[] = [],
): EvictionOutcome {
  if (error instanceof ApiUnreachableError) return { kind: 'unanswered', words: error.message.slice(0, MAX_TEXT) };
  if (!(error instanceof ApiError)) throw error;
  const blocked = (reason: string, message: string, budget?: string): EvictionOutcome => ({
    kind: 'blocked',
    blocked: blockedPod(pod, reason, message, budget),
    ...(error.retryAfterMs !== undefined && { retryAfterMs: Math.min(error.retryAfterMs, MAX_RETRY_AFTER_MS) }),
  });
  const refusing = mayBeAWebhooks(error) ? webhooks.filter(({ failsClosed }) => error.status < 500 || failsClosed) : [];
  if (refusing.length > 0) return blocked('BlockedByWebhook', `${error.words} (${asked(refusing)})`);

  const selecting = budgets.filter((budget) => selects(budget, pod));
  if (isBudgets(error)) {
    const words = error.causes.find(({ reason }) => reason === 'DisruptionBudget')?.message ?? error.words;
    const [budget] = selecting;
    if (budget === undefined) return blocked('DisruptionBudget', words);
    return blocked('DisruptionBudget', `${describeBudget(budget, pod)}; ${words}`, budgetKey(budget));
  }
  switch (error.status) {
    case 404:
    case 409:
      return { kind: 'gone', words: error.words.slice(0, MAX_TEXT) };
    case 429:
      return blocked('Throttled', error.words);
    case 403:
      if (!error.hasCause('NamespaceTerminating')) return blocked('Refused', error.words);
      return pod.terminating ? { kind: 'terminating' } : blocked('NamespaceTerminating', error.words);
    case 500:
      // The one refusal of the Eviction API's own that carries no reason at all.
      if (error.reason !== undefined || selecting.length < 2) return blocked('ServerError', error.words);
      return blocked(
        'MoreThanOneBudget',
        `no pod of several budgets can be evicted: leave it to one of them; ${error.words}`,
        selecting.map(budgetKey).join(', '),
      );
    default:
      return blocked(error.status >= 500 ? 'ServerError' : 'Refused', error.words);
  }
}

/** A pod that stays, as its node's status shows it. */
export const blockedPod = (pod: PodView, reason: string, message: string, budget?: string): BlockedPod => ({
  pod: podKey(pod),
  reason,
  message: message.slice(0, MAX_TEXT),
  ...(budget !== undefined && { budget: budget.slice(0, MAX_TEXT) }),
});

/**
 * Whether an admission webhook may have given this answer, or given none: the API server passes on a webhook's status as it comes,
 * without the kind of object that it names in refusals of its own, and wraps a call that failed as an internal error (ADR 0006).
 */
export function mayBeAWebhooks(error: unknown): boolean {
  if (!(error instanceof ApiError) || isBudgets(error)) return false;
  if (error.status >= 500) return error.reason === 'InternalError';
  // Whoever throttles says for how long; a pause that a webhook asks for is kept as well.
  if (error.status === 429) return error.retryAfterMs === undefined;
  return error.details.kind === undefined && error.status !== 401;
}

/** A refusal for a budget's sake: no disruption allowed now, or its status is out of order. */
const isBudgets = (error: ApiError): boolean =>
  (error.status === 429 && error.hasCause('DisruptionBudget')) || (error.status === 403 && error.details.kind === 'poddisruptionbudget');

function asked(webhooks: readonly EvictionWebhook[]): string {
  const named = webhooks.slice(0, MAX_NAMED).map(({ name, configuration }) => `${name} of ${configuration}`);
  const more = webhooks.length > MAX_NAMED ? ` and ${webhooks.length - MAX_NAMED} more` : '';
  return `${webhooks.length === 1 ? 'the webhook that is' : 'webhooks that are'} asked about evictions: ${named.join(', ')}${more}`;
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

/** How a budget is named to people. */
export const budgetKey = ({ namespace, name }: Budget): string => `${namespace}/${name}`;

/** Why a budget keeps a pod, by its last known status. */
export function describeBudget(
  { name, currentHealthy, desiredHealthy, syncFailed, unhealthyPodEvictionPolicy }: Budget,
  pod: PodView,
): string {
  if (syncFailed !== undefined) return `the budget ${name} allows no eviction: it cannot be computed (${syncFailed})`;
  const numbers = `the budget ${name} allows no eviction now: ${currentHealthy} healthy, ${desiredHealthy} needed`;
  if (pod.ready || unhealthyPodEvictionPolicy === 'AlwaysAllow') return numbers;
  const policy = unhealthyPodEvictionPolicy ?? 'IfHealthyBudget';
  return `${numbers}; the pod is not ready, and would go if the budget’s unhealthyPodEvictionPolicy were AlwaysAllow (it is ${policy})`;
}

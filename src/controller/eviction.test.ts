import { describe, expect, test } from '@jest/globals';
import { blockedPodSchema } from '../api/node-update.ts';
import { aPod } from '../core/testing/builders.ts';
import { ApiUnreachableError, apiErrorFrom } from '../kube/errors.ts';
import { outcomeOf, selects } from './eviction.ts';
import type { Budget } from './views.ts';

const pod = aPod('web-1', { labels: { app: 'web', tier: 'front' } });

const aBudget = (name: string, change: Partial<Budget> = {}): Budget => ({
  namespace: 'shop',
  name,
  selector: { matchLabels: { app: 'web' } },
  disruptionsAllowed: 0,
  currentHealthy: 2,
  desiredHealthy: 2,
  ...change,
});

const answer = (code: number, message: string, details: object = {}, retryAfterHeader?: string) =>
  apiErrorFrom(code, { kind: 'Status', code, message, details }, { retryAfterHeader });
const budgetSaysNo = {
  causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget web needs 2 healthy pods and has 2 currently' }],
};

describe('what the Eviction API answers', () => {
  test.each<[string, Error, string, RegExp | undefined]>([
    [
      '429 by a budget',
      answer(429, 'Cannot evict pod', budgetSaysNo),
      'DisruptionBudget',
      /web allows no eviction now: 2 healthy, 2 needed; .*Cannot evict/,
    ],
    ['429 that is not by a budget', answer(429, 'too many requests'), 'Throttled', /too many requests/],
    [
      '403 as the namespace ends',
      answer(403, 'forbidden', { causes: [{ reason: 'NamespaceTerminating', message: 'namespace shop is being terminated' }] }),
      'NamespaceTerminating',
      /forbidden/,
    ],
    ['403 for other reasons', answer(403, 'not for you'), 'Refused', /not for you/],
    ['400 of a webhook', answer(400, 'admission webhook "no" denied the request: not today'), 'Refused', /not today/],
    ['422 of an admission policy', answer(422, 'not so'), 'Refused', /not so/],
    ['500', answer(500, 'Internal error occurred: failed calling webhook "w"'), 'ServerError', /failed calling webhook/],
    ['503', answer(503, 'try later'), 'ServerError', /try later/],
  ])('%s: blocked, with its words', (_name, error, reason, message) => {
    const outcome = outcomeOf(error, pod, [aBudget('web')]);
    expect(outcome).toMatchObject({ kind: 'blocked', blocked: { pod: 'shop/web-1', reason } });
    expect(outcome?.kind === 'blocked' && outcome.blocked.message).toMatch(message!);
  });

  test.each([
    ['404', answer(404, 'pods "web-1" not found')],
    ['409, for another uid stands under the name', answer(409, 'the UID in the precondition does not match')],
  ])('%s: gone', (_name, error) => {
    expect(outcomeOf(error, pod, [])).toEqual({ kind: 'gone' });
  });

  test('a budget is named as namespace/name; one that is not known is not made up', () => {
    const error = answer(429, 'Cannot evict pod', budgetSaysNo);
    expect(outcomeOf(error, pod, [aBudget('other', { selector: {}, namespace: 'bank' }), aBudget('web')])).toMatchObject({
      blocked: { budget: 'shop/web' },
    });
    expect(outcomeOf(error, pod, [])).not.toHaveProperty('blocked.budget');
  });

  test('500 of a pod with two budgets names both, and is no crash', () => {
    const error = answer(500, 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
    expect(outcomeOf(error, pod, [aBudget('a'), aBudget('b')])).toMatchObject({
      kind: 'blocked',
      blocked: { reason: 'MoreThanOneBudget', budget: 'shop/a, shop/b' },
    });
  });

  test('another server error of a pod with two budgets is what it is', () => {
    expect(outcomeOf(answer(503, 'etcd has no leader'), pod, [aBudget('a'), aBudget('b')])).toMatchObject({
      blocked: { reason: 'ServerError' },
    });
  });

  test("the server's pause is kept, up to a minute", () => {
    expect(outcomeOf(answer(429, 'x', budgetSaysNo, '10'), pod, [])).toMatchObject({ retryAfterMs: 10_000 });
    expect(outcomeOf(answer(429, 'x', { retryAfterSeconds: 4 }), pod, [])).toMatchObject({ retryAfterMs: 4_000 });
    expect(outcomeOf(answer(429, 'x', {}, '86400'), pod, [])).toMatchObject({ retryAfterMs: 60_000 });
    expect(outcomeOf(answer(429, 'x'), pod, [])).not.toHaveProperty('retryAfterMs');
  });

  test('no answer at all is none', () => {
    expect(outcomeOf(new ApiUnreachableError('cut'), pod, [])).toBeUndefined();
    expect(outcomeOf(new TypeError('bug'), pod, [])).toBeUndefined();
  });

  test('what is told fits the status, however long the words are', () => {
    const budgets = Array.from({ length: 40 }, (_, index) => aBudget(`${index}-${'n'.repeat(60)}`));
    for (const error of [answer(500, 'w'.repeat(5_000)), answer(429, 'w'.repeat(5_000), budgetSaysNo)]) {
      const outcome = outcomeOf(error, pod, budgets);
      expect(blockedPodSchema.safeParse(outcome?.kind === 'blocked' && outcome.blocked).success).toBe(true);
    }
  });
});

describe('a budget selects', () => {
  test.each<[string, Partial<Budget>, boolean]>([
    ['by labels', {}, true],
    ['not in another namespace', { namespace: 'bank' }, false],
    ['nothing without a selector', { selector: undefined }, false],
    ['all with an empty one', { selector: {} }, true],
    ['not by other labels', { selector: { matchLabels: { app: 'api' } } }, false],
    ['by expressions', { selector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['front', 'back'] }] } }, true],
    ['not by expressions', { selector: { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] } }, false],
    ['only by both', { selector: { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'x', operator: 'Exists' }] } }, false],
  ])('%s', (_name, change, wanted) => expect(selects(aBudget('web', change), pod)).toBe(wanted));
});

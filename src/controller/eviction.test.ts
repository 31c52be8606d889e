import { describe, expect, test } from '@jest/globals';
import { blockedPodSchema } from '../api/node-update.ts';
import type { Budget } from '../cluster/views.ts';
import { aPod } from '../core/testing/builders.ts';
import type { PodView } from '../core/world.ts';
import { type ApiError, ApiUnreachableError, apiErrorFrom } from '../kube/errors.ts';
import { mayBeAWebhooks, outcomeOf, selects } from './eviction.ts';
import type { EvictionWebhook } from './eviction-webhooks.ts';

const pod = aPod('web-1', { labels: { app: 'web', tier: 'front' } });

const aBudget = (name: string, change: Partial<Budget> = {}): Budget => ({
  namespace: 'shop',
  name,
  selector: { matchLabels: { app: 'web' } },
  observed: true,
  expectedPods: 3,
  disruptionsAllowed: 0,
  currentHealthy: 2,
  desiredHealthy: 2,
  ...change,
});

/** What the API server answers; `fields` are its Status's other ones. */
const answer = (code: number, message: string, fields: object = {}, retryAfterHeader?: string) =>
  apiErrorFrom(code, { kind: 'Status', code, message, ...fields }, { what: 'POST /api/v1/…', retryAfterHeader });

const budgetSaysNo = {
  reason: 'TooManyRequests',
  details: { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget web needs 2 healthy pods and has 2 currently' }] },
};
/** The kind that the API server names in what it refuses itself. */
const own = (reason: string, kind = 'pods', more: object = {}) => ({ reason, details: { kind, name: 'web-1', ...more } });
const internal = (message: string) => ({ reason: 'InternalError', details: { causes: [{ message }] } });

const webhook: EvictionWebhook = { name: 'no.example.com', configuration: 'ValidatingWebhookConfiguration/no', failsClosed: true };
const open: EvictionWebhook = { ...webhook, name: 'open.example.com', failsClosed: false };

describe('what the Eviction API answers', () => {
  test.each<[string, ApiError, string, RegExp]>([
    [
      '429 by a budget',
      answer(429, 'Cannot evict pod', budgetSaysNo),
      'DisruptionBudget',
      /^the budget web allows no eviction now: 2 healthy, 2 needed; The disruption budget web needs 2 healthy pods/,
    ],
    [
      '403 by a budget whose status is out of order',
      answer(403, 'DisruptedPods map too big', own('Forbidden', 'poddisruptionbudget')),
      'DisruptionBudget',
      /map too big/,
    ],
    [
      '429 of a busy server',
      apiErrorFrom(429, 'Too many requests, please try again later.', { retryAfterHeader: '1' }),
      'Throttled',
      /^Too many/,
    ],
    [
      '429 that names a time',
      answer(429, 'slow down', { reason: 'TooManyRequests', details: { retryAfterSeconds: 4 } }),
      'Throttled',
      /slow/,
    ],
    [
      '403 as the namespace ends',
      answer(403, 'forbidden', own('Forbidden', 'pods', { causes: [{ reason: 'NamespaceTerminating' }] })),
      'NamespaceTerminating',
      /^forbidden$/,
    ],
    ['403 for want of a right', answer(403, 'not for you', own('Forbidden')), 'Refused', /^not for you$/],
    ['401', answer(401, 'Unauthorized', { reason: 'Unauthorized' }), 'Refused', /Unauthorized/],
    ['422 of an admission policy', answer(422, 'not so', own('Invalid')), 'Refused', /not so/],
    ['500 of the store', answer(500, 'etcdserver: request timed out'), 'ServerError', /etcdserver/],
    ['503', answer(503, 'try later', { reason: 'ServiceUnavailable' }), 'ServerError', /try later/],
    ['504', answer(504, 'too slow', { reason: 'Timeout', details: { retryAfterSeconds: 10 } }), 'ServerError', /too slow/],
  ])('%s: blocked, with its words, whatever webhooks there are', (_name, error, reason, message) => {
    for (const webhooks of [[], [webhook]]) {
      const outcome = outcomeOf(error, pod, [aBudget('web')], webhooks);
      expect(outcome).toMatchObject({ kind: 'blocked', blocked: { pod: 'shop/web-1', reason } });
      expect(outcome.kind === 'blocked' && outcome.blocked.message).toMatch(message);
    }
  });

  test.each<[string, ApiError, string]>([
    ['400, the default', answer(400, 'admission webhook "no.example.com" denied the request: not today'), 'Refused'],
    ['403 without a kind', answer(403, 'not today', { reason: 'Forbidden' }), 'Refused'],
    ['404', answer(404, 'not today'), 'gone'],
    ['409', answer(409, 'not today', { reason: 'Conflict' }), 'gone'],
    ['418', answer(418, 'not today'), 'Refused'],
    ['429 without a time', answer(429, 'not today'), 'Throttled'],
    ['500 while it is down', answer(500, 'failed calling webhook: not today', internal('failed calling webhook')), 'ServerError'],
  ])('a webhook’s %s: blocked by it, with its words, and said who is asked; without any webhook it is none', (_name, error, otherwise) => {
    expect(mayBeAWebhooks(error)).toBe(true);
    const outcome = outcomeOf(error, pod, [], [webhook]);
    expect(outcome).toMatchObject({ kind: 'blocked', blocked: { reason: 'BlockedByWebhook' } });
    expect(outcome.kind === 'blocked' && outcome.blocked.message).toMatch(
      /not today \(the webhook that is asked about evictions: no\.example\.com of ValidatingWebhookConfiguration\/no\)$/,
    );
    const without = outcomeOf(error, pod, []);
    expect(without.kind === 'blocked' ? without.blocked.reason : without.kind).toBe(otherwise);
  });

  test('an internal error is no fault of a webhook that fails open', () => {
    expect(outcomeOf(answer(500, 'x', internal('x')), pod, [], [open])).toMatchObject({ blocked: { reason: 'ServerError' } });
    expect(outcomeOf(answer(400, 'x'), pod, [], [open])).toMatchObject({ blocked: { reason: 'BlockedByWebhook' } });
  });

  test.each([
    ['404', answer(404, 'pods "web-1" not found', own('NotFound'))],
    ['409, for another uid stands under the name', answer(409, 'the UID in the precondition does not match', own('Conflict', 'Pod'))],
  ])('%s: gone, whatever webhooks there are', (_name, error) => {
    expect(outcomeOf(error, pod, [], [webhook])).toEqual({ kind: 'gone', words: error.words });
  });

  test('a pod that ends with its namespace is waited for', () => {
    const error = answer(403, 'forbidden', own('Forbidden', 'pods', { causes: [{ reason: 'NamespaceTerminating' }] }));
    expect(outcomeOf(error, { ...pod, terminating: true }, [])).toEqual({ kind: 'terminating' });
  });

  test('a budget is named as namespace/name; one that is not known is not made up', () => {
    const error = answer(429, 'Cannot evict pod', budgetSaysNo);
    expect(outcomeOf(error, pod, [aBudget('other', { selector: {}, namespace: 'bank' }), aBudget('web')])).toMatchObject({
      blocked: { budget: 'shop/web' },
    });
    expect(outcomeOf(error, pod, [])).not.toHaveProperty('blocked.budget');
  });

  test.each<[string, Partial<PodView>, Partial<Budget>, boolean]>([
    ['that is ready: not', {}, {}, false],
    ['that is not ready', { ready: false }, {}, true],
    ['that is not ready, by name', { ready: false }, { unhealthyPodEvictionPolicy: 'IfHealthyBudget' }, true],
    ['that may go although it is not ready: not', { ready: false }, { unhealthyPodEvictionPolicy: 'AlwaysAllow' }, false],
  ])('says what keeps a pod %s', (_name, change, budget, told) => {
    const outcome = outcomeOf(answer(429, 'no', budgetSaysNo), { ...pod, ...change }, [aBudget('web', budget)]);
    const message = outcome.kind === 'blocked' ? outcome.blocked.message : '';
    if (told) expect(message).toMatch(/unhealthyPodEvictionPolicy.*AlwaysAllow.*IfHealthyBudget/);
    else expect(message).not.toMatch(/unhealthyPodEvictionPolicy/);
  });

  test('says that a budget cannot be computed, and why, instead of numbers that mean nothing', () => {
    const outcome = outcomeOf(answer(429, 'no', budgetSaysNo), pod, [aBudget('web', { syncFailed: 'found no controllers' })]);
    expect(outcome).toMatchObject({
      blocked: { message: expect.stringMatching(/^the budget web allows no eviction: it cannot be computed \(found no controllers\);/) },
    });
  });

  test('500 of a pod with two budgets names both, and is no crash', () => {
    const error = answer(500, 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
    expect(outcomeOf(error, pod, [aBudget('a'), aBudget('b')], [webhook])).toMatchObject({
      kind: 'blocked',
      blocked: { reason: 'MoreThanOneBudget', budget: 'shop/a, shop/b' },
    });
  });

  test.each([
    ['503', answer(503, 'etcd has no leader', { reason: 'ServiceUnavailable' })],
    ['500 with a reason', answer(500, 'oops', internal('oops'))],
  ])('another server error of a pod with two budgets is what it is: %s', (_name, error) => {
    expect(outcomeOf(error, pod, [aBudget('a'), aBudget('b')])).toMatchObject({ blocked: { reason: 'ServerError' } });
  });

  test("the server's pause is kept, up to a minute", () => {
    expect(outcomeOf(answer(429, 'x', budgetSaysNo, '10'), pod, [])).toMatchObject({ retryAfterMs: 10_000 });
    expect(outcomeOf(answer(429, 'x', { details: { retryAfterSeconds: 4 } }), pod, [])).toMatchObject({ retryAfterMs: 4_000 });
    expect(outcomeOf(answer(429, 'x', {}, '86400'), pod, [])).toMatchObject({ retryAfterMs: 60_000 });
    expect(outcomeOf(answer(429, 'x'), pod, [])).not.toHaveProperty('retryAfterMs');
  });

  test('no answer is none, and what no server said is thrown', () => {
    expect(outcomeOf(new ApiUnreachableError('cut'), pod, [])).toEqual({ kind: 'unanswered', words: 'cut' });
    expect(() => outcomeOf(new TypeError('bug'), pod, [])).toThrow('bug');
    expect(mayBeAWebhooks(new ApiUnreachableError('cut'))).toBe(false);
  });

  test('what is told fits the status, however long the words are', () => {
    const budgets = Array.from({ length: 40 }, (_, index) => aBudget(`${index}-${'n'.repeat(60)}`));
    const webhooks = Array.from({ length: 40 }, (_, index) => ({ ...webhook, name: `${index}-${'n'.repeat(200)}` }));
    for (const error of [answer(500, 'w'.repeat(5_000)), answer(429, 'w'.repeat(5_000), budgetSaysNo), answer(400, 'w'.repeat(5_000))]) {
      const outcome = outcomeOf(error, pod, budgets, webhooks);
      expect(blockedPodSchema.safeParse(outcome.kind === 'blocked' && outcome.blocked).success).toBe(true);
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

import { afterEach, describe, expect, test } from '@jest/globals';
import type { Budget } from '../cluster/views.ts';
import { aPod } from '../core/testing/builders.ts';
import type { PodView } from '../core/world.ts';
import { NotLeadingError } from '../kube/elector.ts';
import { ApiError, ApiUnreachableError } from '../kube/errors.ts';
import { FakeClock, settle } from '../kube/testing/fake-clock.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { Drainer, type DrainerDeps } from './drainer.ts';
import type { EvictionWebhook } from './eviction-webhooks.ts';
import type { WantedDrain } from './node-drain.ts';

interface Asked {
  pod: string;
  body: { deleteOptions: { preconditions: { uid: string }; gracePeriodSeconds?: number } };
  signal: AbortSignal;
  answer: (error?: Error) => void;
}

/** A refusal as the API server writes its own: it names the kind. */
const ownNo = (status: number, causes: { reason: string }[] = []) =>
  new ApiError(status, 'refused', { reason: 'Refused', causes, details: { kind: 'pods', name: 'p1' } });
const byBudget = () => new ApiError(429, 'Cannot evict pod', { causes: [{ reason: 'DisruptionBudget' }] });

const drains: Drainer[] = [];
afterEach(async () => {
  await Promise.all(drains.splice(0).map((drain) => drain.stop()));
});

/** A drainer whose eviction requests are answered by the test; `instantly` answers them by a function instead. */
function bed(change: Partial<DrainerDeps> = {}) {
  const asked: Asked[] = [];
  const clock = new FakeClock();
  const logger = recordingLogger();
  const state = {
    asked,
    clock,
    logger,
    changes: 0,
    outcomes: [] as string[],
    most: 0,
    budgets: [] as Budget[],
    webhooks: [] as EvictionWebhook[],
    told: [] as string[],
    leading: true,
    deleted: [] as { path: string; body: unknown }[],
    deletion: undefined as (() => Error) | undefined,
    instantly: undefined as ((pod: string) => Error | undefined) | undefined,
    names: () => asked.map(({ pod }) => pod),
  };
  let open = 0;
  const drainer = new Drainer({
    client: {
      async delete(path, body) {
        state.deleted.push({ path, body });
        const error = state.deletion?.();
        if (error !== undefined) throw error;
      },
      evict(namespace, name, body, { signal } = {}) {
        open += 1;
        state.most = Math.max(state.most, open);
        const { promise, resolve, reject } = Promise.withResolvers<undefined>();
        const answer = (error?: Error): void => {
          open -= 1;
          if (error === undefined) resolve(undefined);
          else reject(error);
        };
        signal?.addEventListener('abort', () => answer(new Error('aborted')), { once: true });
        const pod = `${namespace}/${name}`;
        asked.push({ pod, body: body as Asked['body'], signal: signal!, answer });
        if (state.instantly !== undefined) answer(state.instantly(pod));
        return promise;
      },
    },
    clock,
    random: () => 0,
    logger,
    budgets: () => state.budgets,
    webhooks: async () => state.webhooks,
    onBlocked: (pod, { reason }) => state.told.push(`${pod.name} ${reason}`),
    assertLeading: () => {
      if (!state.leading) throw new NotLeadingError();
    },
    changed: () => {
      state.changes += 1;
    },
    onEviction: (outcome) => state.outcomes.push(outcome),
    ...change,
  });
  drains.push(drainer);
  return { drainer, ...state, state };
}

const aDrain = (node: string, evict: readonly PodView[], change: Partial<WantedDrain> = {}): WantedDrain => ({
  node,
  claim: `claim-${node}`,
  evict,
  ...change,
});

const aBudget = (name: string, change: Partial<Budget> = {}): Budget => ({
  namespace: 'shop',
  name,
  observed: true,
  selector: { matchLabels: { app: name } },
  disruptionsAllowed: 0,
  currentHealthy: 2,
  desiredHealthy: 2,
  expectedPods: 3,
  ...change,
});

const web = (name: string) => aPod(name, { labels: { app: 'web' } });

describe('a drain by force', () => {
  const p1 = web('p1');

  test('deletes at once what its budget has kept, by uid, with the grace period only where one is set', async () => {
    const { drainer, asked, state } = bed();
    drainer.want([aDrain('a', [p1])]);
    await settle();
    asked[0]!.answer(byBudget());
    await settle();
    drainer.want([aDrain('a', [p1], { force: true })]);
    await settle();
    expect(state.deleted).toEqual([{ path: '/api/v1/namespaces/shop/pods/p1', body: { preconditions: { uid: p1.uid } } }]);
    expect([asked.length, drainer.blocked().get('a')]).toEqual([1, []]);
    expect(state.logger.lines.at(-1)).toMatchObject({ fields: { action: 'Delete', pod: 'shop/p1' } });
    drainer.want([aDrain('b', [web('p2')], { force: true, gracePeriodSeconds: 3 })]);
    await settle();
    expect(state.deleted[1]!.body).toMatchObject({ gracePeriodSeconds: 3 });
  });

  test('says that the controller may not, and evicts again when the policy takes it back', async () => {
    const { drainer, asked, state } = bed();
    state.deletion = () => new ApiError(403, 'pods "p1" is forbidden');
    drainer.want([aDrain('a', [p1], { force: true })]);
    await settle();
    expect(drainer.blocked().get('a')).toMatchObject([{ pod: 'shop/p1', reason: 'DeleteForbidden' }]);
    drainer.want([aDrain('a', [p1])]);
    await settle();
    expect(asked).toHaveLength(1);
  });
});

describe('a drain', () => {
  test('asks for all pods at once, by uid, with the grace period only where one is set', async () => {
    const { drainer, asked, names } = bed();
    drainer.want([aDrain('a', [aPod('p1'), aPod('p2')]), aDrain('b', [aPod('p3')], { gracePeriodSeconds: 0 })]);
    await settle();
    expect(names()).toEqual(['shop/p1', 'shop/p2', 'shop/p3']);
    expect(asked[0]!.body).toEqual({ deleteOptions: { preconditions: { uid: 'uid-p1' } } });
    expect(asked[2]!.body).toEqual({ deleteOptions: { preconditions: { uid: 'uid-p3' }, gracePeriodSeconds: 0 } });
  });

  test('asks once, however often it is wanted', async () => {
    const { drainer, asked, names } = bed();
    for (let i = 0; i < 5; i += 1) drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    asked[0]!.answer();
    await settle();
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    expect(names()).toEqual(['shop/p1']);
  });

  test('keeps to its bound on one node, and to the one of all nodes', async () => {
    const one = bed({ concurrency: 3 });
    one.drainer.want([
      aDrain(
        'a',
        Array.from({ length: 10 }, (_, index) => aPod(`p${index}`)),
      ),
    ]);
    await settle();
    expect(one.asked).toHaveLength(3);

    const all = bed({ concurrency: 3, totalConcurrency: 5 });
    all.drainer.want(
      ['a', 'b', 'c'].map((node) =>
        aDrain(
          node,
          Array.from({ length: 10 }, (_, index) => aPod(`${node}${index}`)),
        ),
      ),
    );
    await settle();
    expect(all.asked).toHaveLength(5);
    for (let index = 0; index < all.asked.length; index += 1) {
      all.asked[index]!.answer();
      await settle(2);
    }
    expect(all.asked).toHaveLength(30);
    expect(all.state.most).toBe(5);
  });

  test('of which one pod is blocked goes on with the others', async () => {
    const { drainer, state, names } = bed({ concurrency: 1 });
    state.instantly = (pod) => (pod === 'shop/stuck' ? byBudget() : undefined);
    drainer.want([aDrain('a', [aPod('stuck'), ...Array.from({ length: 5 }, (_, index) => aPod(`p${index}`))])]);
    await settle(20);
    expect(names()).toEqual(['shop/stuck', 'shop/p0', 'shop/p1', 'shop/p2', 'shop/p3', 'shop/p4']);
    expect([...drainer.blocked().get('a')!].map(({ pod }) => pod)).toEqual(['shop/stuck']);
  });

  test('asks for the pods of one budget one after the other, on all nodes together, and for others meanwhile', async () => {
    const { drainer, state, asked, names } = bed();
    state.budgets = [aBudget('web', { disruptionsAllowed: 3 }), aBudget('web', { namespace: 'bank', disruptionsAllowed: 1 })];
    drainer.want([
      aDrain('a', [web('p1'), web('p2'), aPod('p3')]),
      aDrain('b', [web('p4'), aPod('p5', { namespace: 'bank', labels: { app: 'web' } })]),
    ]);
    await settle();
    expect(names()).toEqual(['shop/p1', 'shop/p3', 'bank/p5']);
    asked[0]!.answer(byBudget());
    await settle();
    expect(names().slice(3)).toEqual(['shop/p2']);
    asked[3]!.answer();
    await settle();
    expect(names().slice(4)).toEqual(['shop/p4']);
  });

  test('of many pods under one budget, the first of which hangs, goes on with those of others, and soon with its own', async () => {
    const { drainer, state, names, clock } = bed();
    state.budgets = [aBudget('web', { disruptionsAllowed: 50 })];
    drainer.want([aDrain('a', [...Array.from({ length: 100 }, (_, index) => web(`p${index}`)), aPod('other')])]);
    await settle();
    expect(names()).toEqual(['shop/p0', 'shop/other']);
    clock.advance(1_000);
    await settle();
    expect(names()).toEqual(['shop/p0', 'shop/other', 'shop/p1']);
  });

  test('of which all but one pod is refused, evicts that one at once; where all pods of many nodes hang, another node waits a second', async () => {
    const { drainer, state, names, clock } = bed();
    state.instantly = byBudget;
    const refused = Array.from({ length: 200 }, (_, index) => aPod(`refused${index}`));
    drainer.want([aDrain('a', [...refused, aPod('last')])]);
    await settle();
    expect(names()).toContain('shop/last');
    state.instantly = undefined;
    const hanging = ['a', 'b', 'c'].map((node) => Array.from({ length: 20 }, (_, index) => aPod(`${node}${index}`)));
    drainer.want([...hanging.map((pods, index) => aDrain(`hangs-${index}`, pods)), aDrain('d', [aPod('free')])]);
    await settle();
    expect(names()).not.toContain('shop/free');
    clock.advance(1_000);
    await settle();
    expect(names()).toContain('shop/free');
  });

  test('tries what was refused again, ever more seldom, and at the latest after 30 s', async () => {
    const { drainer, state, names, clock } = bed();
    state.instantly = byBudget;
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    for (const [index, waitMs] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
      clock.advance(waitMs - 1);
      await settle();
      expect(names()).toHaveLength(index + 1);
      clock.advance(1);
      await settle();
      expect(names()).toHaveLength(index + 2);
    }
  });

  test('waits as long as the server asks', async () => {
    const { drainer, state, names, clock } = bed();
    state.instantly = () => new ApiError(429, 'slow down', { retryAfterMs: 10_000 });
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    clock.advance(9_999);
    await settle();
    expect(names()).toHaveLength(1);
    clock.advance(1);
    await settle();
    expect(names()).toHaveLength(2);
  });

  test('gets over a server that does not answer', async () => {
    const { drainer, state, names, clock, outcomes } = bed();
    state.instantly = () => new ApiUnreachableError('cut');
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    state.instantly = () => undefined;
    clock.advance(1_000);
    await settle();
    expect(names()).toHaveLength(2);
    expect(outcomes).toEqual(['unanswered', 'accepted']);
    expect(drainer.blocked().get('a')).toEqual([]);
  });

  test.each<[string, Error, string, RegExp]>([
    ['is said to be gone', ownNo(404), 'Refused', /still listed/],
    ['is said to have another uid', ownNo(409), 'Refused', /still listed/],
    ['gets no answer', new ApiUnreachableError('no answer in time', { timedOut: true }), 'NoAnswer', /no answer in time/],
  ])(
    'asks again soon for a pod that %s, and shows it after three tries, should it still be listed',
    async (_name, error, reason, message) => {
      const { drainer, state, names, clock } = bed();
      state.instantly = () => error;
      drainer.want([aDrain('a', [aPod('p1')])]);
      await settle();
      for (const waitMs of [1_000, 2_000]) {
        expect(drainer.blocked().get('a')).toEqual([]);
        clock.advance(waitMs);
        await settle();
      }
      expect(names()).toHaveLength(3);
      expect(drainer.blocked().get('a')).toMatchObject([{ pod: 'shop/p1', reason, message: expect.stringMatching(message) }]);
      drainer.want([aDrain('a', [])]);
      await clock.advanceGently(60_000, 10_000);
      expect(names()).toHaveLength(3);
    },
  );

  test('waits for a pod that ends with its namespace, and tries one that does not end yet again, as it is by then', async () => {
    const { drainer, state, names, clock, asked } = bed();
    state.instantly = () => ownNo(403, [{ reason: 'NamespaceTerminating' }]);
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    expect(drainer.blocked().get('a')).toMatchObject([{ reason: 'NamespaceTerminating' }]);
    drainer.want([aDrain('a', [aPod('p1', { terminating: true })])]);
    clock.advance(1_000);
    await settle();
    expect(names()).toHaveLength(2);
    expect(drainer.blocked().get('a')).toEqual([]);
    expect(asked[1]!.body.deleteOptions.preconditions.uid).toBe('uid-p1');
  });

  test('names the webhook that refused; and asks who it was only where it may have been one', async () => {
    const { drainer, state } = bed();
    state.webhooks = [{ name: 'no.example.com', configuration: 'ValidatingWebhookConfiguration/no', failsClosed: true }];
    state.instantly = (pod) => (pod === 'shop/p1' ? new ApiError(403, 'not today') : byBudget());
    drainer.want([aDrain('a', [aPod('p1'), aPod('p2')])]);
    await settle();
    expect(drainer.blocked().get('a')).toMatchObject([
      { pod: 'shop/p1', reason: 'BlockedByWebhook', message: expect.stringMatching(/not today.*no\.example\.com/) },
      { pod: 'shop/p2', reason: 'DisruptionBudget' },
    ]);
  });

  test('has the owner told of what is refused again and again, not of what waits its turn', async () => {
    const { drainer, state, clock } = bed();
    state.instantly = byBudget;
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    clock.advance(1_000);
    await settle();
    expect(state.told).toEqual([]);
    clock.advance(2_000);
    await settle();
    expect(state.told).toEqual(['p1 DisruptionBudget']);
  });

  test('asks again after a minute for a pod whose eviction was accepted, should it still be there', async () => {
    const { drainer, state, names, clock } = bed();
    state.instantly = () => undefined;
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    clock.advance(59_999);
    await settle();
    expect(names()).toHaveLength(1);
    clock.advance(1);
    await settle();
    expect(names()).toHaveLength(2);
    drainer.want([aDrain('a', [])]);
    clock.advance(600_000);
    await settle();
    expect(names()).toHaveLength(2);
  });

  test('shows what is blocked with its budget, tells of each change of it once, and forgets what is gone', async () => {
    const { drainer, state, clock } = bed();
    state.budgets = [aBudget('web')];
    state.instantly = byBudget;
    drainer.want([aDrain('a', [web('p2'), web('p1')])]);
    await settle();
    expect(drainer.blocked().get('a')).toMatchObject([
      { pod: 'shop/p1', reason: 'DisruptionBudget', budget: 'shop/web' },
      { pod: 'shop/p2', reason: 'DisruptionBudget', budget: 'shop/web' },
    ]);
    expect(state.changes).toBe(2);
    state.budgets = [aBudget('web', { currentHealthy: 1 })];
    await clock.advanceGently(60_000, 1_000);
    expect(state.changes).toBe(2);
    expect(state.logger.lines.filter(({ level }) => level !== 'debug')).toHaveLength(2);
    drainer.want([aDrain('a', [web('p2')])]);
    expect(
      drainer
        .blocked()
        .get('a')
        ?.map(({ pod }) => pod),
    ).toEqual(['shop/p2']);
    state.instantly = () => undefined;
    await clock.advanceGently(30_000, 1_000);
    expect(drainer.blocked().get('a')).toEqual([]);
    expect(state.changes).toBe(3);
  });

  test('a refusal of a pod that went meanwhile blocks nothing', async () => {
    const { drainer, asked } = bed();
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    drainer.want([aDrain('a', [])]);
    asked[0]!.answer(byBudget());
    await settle();
    expect(drainer.blocked().get('a')).toEqual([]);
  });

  test('says who was evicted from where and why, once for each pod, also where the watch was faster than the answer', async () => {
    const { drainer, asked, clock, logger } = bed();
    drainer.want([aDrain('a', [aPod('p1')], { policy: 'default', from: '1.26.0', to: '1.26.1' }), aDrain('b', [aPod('p2')])]);
    await settle();
    drainer.want([aDrain('a', [], { policy: 'default', from: '1.26.0', to: '1.26.1' }), aDrain('b', [aPod('p2')])]);
    asked[0]!.answer();
    asked[1]!.answer();
    await settle();
    clock.advance(60_000);
    await settle();
    asked[2]!.answer();
    await settle();
    const lines = logger.lines.filter(({ level }) => level === 'info');
    expect(lines.map(({ fields }) => fields)).toEqual([
      expect.objectContaining({
        action: 'Evict',
        node: 'a',
        pod: 'shop/p1',
        claim: 'claim-a',
        policy: 'default',
        from: '1.26.0',
        to: '1.26.1',
        why: expect.stringMatching(/\w/),
      }),
      expect.objectContaining({ action: 'Evict', node: 'b', pod: 'shop/p2' }),
    ]);
  });
});

describe('a budget that is full', () => {
  const p1 = web('p1');

  test('is not asked for again and again: its pod is shown as blocked, and asked for once a minute all the same', async () => {
    const { drainer, state, names, clock, outcomes } = bed();
    state.budgets = [aBudget('web')];
    state.instantly = byBudget;
    drainer.want([aDrain('a', [p1])]);
    await settle();
    const [blocked] = drainer.blocked().get('a')!;
    expect(blocked).toMatchObject({ pod: 'shop/p1', reason: 'DisruptionBudget', budget: 'shop/web' });
    expect(blocked!.message).toBe('the budget web allows no eviction now: 2 healthy, 2 needed');
    await clock.advanceGently(59_000, 1_000);
    expect([names(), outcomes]).toEqual([[], []]);
    expect(state.told).not.toEqual([]);
    // The wait between two tries is at most 30 s.
    await clock.advanceGently(31_000, 1_000);
    expect(names()).toHaveLength(1);
    await clock.advanceGently(600_000, 1_000);
    expect(names().length).toBeGreaterThanOrEqual(6);
    expect(names().length).toBeLessThanOrEqual(11);
    expect(state.changes).toBe(1);
  });

  test('keeps the words that the API server found for it, while its numbers are the same', async () => {
    const { drainer, state, clock } = bed();
    const message = () => drainer.blocked().get('a')![0]!.message;
    state.instantly = byBudget;
    state.budgets = [aBudget('web', { disruptionsAllowed: 1 })];
    drainer.want([aDrain('a', [p1])]);
    await settle();
    const words = message();
    expect(words).toMatch(/2 healthy, 2 needed; Cannot evict pod/);
    state.budgets = [aBudget('web')];
    await clock.advanceGently(10_000, 1_000);
    expect(message()).toBe(words);
    state.budgets = [aBudget('web', { currentHealthy: 1 })];
    await clock.advanceGently(20_000, 1_000);
    expect(message()).toMatch(/1 healthy, 2 needed$/);
  });

  test.each<[string, Partial<PodView>, Budget[], Partial<WantedDrain>]>([
    ['the pod is not ready: it may go for all that', { ready: false }, [aBudget('web')], {}],
    ['the budget is newer than its status', {}, [aBudget('web', { observed: false })], {}],
    ['the budget cannot be computed', {}, [aBudget('web', { syncFailed: 'no scale' })], {}],
    ['two budgets cover the pod', {}, [aBudget('web'), aBudget('all', { selector: {} })], {}],
    ['no budget covers the pod', {}, [aBudget('other'), aBudget('web', { namespace: 'bank' })], {}],
    ['the budget has room', {}, [aBudget('web', { disruptionsAllowed: 1 })], {}],
  ])('is for the API server to judge where %s', async (_name, change, budgets, drain) => {
    const { drainer, state, names } = bed();
    state.budgets = budgets;
    drainer.want([aDrain('a', [{ ...p1, ...change }], drain)]);
    await settle();
    expect(names()).toEqual(['shop/p1']);
  });

  test('keeps nobody whom a drain by force deletes', async () => {
    const { drainer, state } = bed();
    state.budgets = [aBudget('web')];
    drainer.want([aDrain('a', [p1], { force: true })]);
    await settle();
    expect(state.deleted).toHaveLength(1);
  });

  test('by what was accepted since its status was written: the rest waits for the next one, which counts for itself', async () => {
    const { drainer, state, names, asked } = bed();
    state.budgets = [aBudget('web', { disruptionsAllowed: 1 })];
    const unready = { ...web('p0'), ready: false };
    drainer.want([aDrain('a', [unready, p1, web('p2'), web('p3'), web('p4')])]);
    for (const wanted of [['shop/p0'], ['shop/p0', 'shop/p1']]) {
      await settle();
      expect(names()).toEqual(wanted);
      asked.at(-1)!.answer();
    }
    await settle();
    // A pod that was not ready takes nothing of the budget, the second has taken all of it.
    expect(names()).toEqual(['shop/p0', 'shop/p1']);
    expect(
      drainer
        .blocked()
        .get('a')
        ?.map(({ pod }) => pod),
    ).toEqual(['shop/p2', 'shop/p3', 'shop/p4']);
    // Written before the answer comes: the one that was asked for meanwhile is in its numbers.
    state.budgets = [aBudget('web', { disruptionsAllowed: 1 })];
    drainer.budgetChanged('shop');
    await settle();
    state.budgets = [aBudget('web', { disruptionsAllowed: 1 })];
    asked.at(-1)!.answer();
    await settle();
    drainer.budgetChanged('shop');
    await settle();
    expect(names()).toEqual(['shop/p0', 'shop/p1', 'shop/p2', 'shop/p3']);
  });
});

describe('a budget that opens', () => {
  /** Three pods of `web` on two nodes, all blocked. */
  async function blockedBed() {
    const it = bed();
    it.state.budgets = [aBudget('web')];
    it.state.instantly = byBudget;
    it.drainer.want([aDrain('a', [web('p1'), web('p2')]), aDrain('b', [web('p3'), aPod('other', { labels: { app: 'other' } })])]);
    await settle();
    it.asked.length = 0;
    return it;
  }

  test.each([
    [0, []],
    [1, ['shop/p1']],
    [2, ['shop/p1', 'shop/p2']],
    [3, ['shop/p1', 'shop/p2', 'shop/p3']],
    [9, ['shop/p1', 'shop/p2', 'shop/p3']],
  ])('for %i has as many of its pods tried at once', async (disruptionsAllowed, wanted) => {
    const { drainer, state, names } = await blockedBed();
    state.budgets = [aBudget('web', { disruptionsAllowed }), aBudget('other'), aBudget('x', { namespace: 'bank', disruptionsAllowed: 5 })];
    drainer.budgetChanged('shop');
    await settle();
    expect(names()).toEqual(wanted);
  });

  test('again while a pod is being evicted does not evict it twice, but has a refused one tried again', async () => {
    const { drainer, state, asked } = await blockedBed();
    const ofFirst = () => asked.filter(({ pod }) => pod === 'shop/p1');
    state.budgets = [aBudget('web', { disruptionsAllowed: 1 })];
    state.instantly = undefined;
    drainer.budgetChanged('shop');
    await settle();
    drainer.budgetChanged('shop');
    ofFirst()[0]?.answer(byBudget());
    await settle();
    expect(ofFirst()).toHaveLength(2);
    drainer.budgetChanged('shop');
    ofFirst()[1]?.answer();
    await settle();
    expect(ofFirst()).toHaveLength(2);
  });

  test('in another namespace wakes nobody', async () => {
    const { drainer, state, names } = await blockedBed();
    state.budgets = [aBudget('web', { disruptionsAllowed: 5 })];
    drainer.budgetChanged('bank');
    await settle();
    expect(names()).toEqual([]);
  });

  test('by its removal has all tried that no other covers', async () => {
    const { drainer, state, names } = await blockedBed();
    state.budgets = [aBudget('other')];
    drainer.budgetChanged('shop');
    await settle();
    expect(names()).toEqual(['shop/p1', 'shop/p2', 'shop/p3']);
  });

  test('as the last of two has the pods tried that both covered', async () => {
    const { drainer, state, names } = bed();
    state.budgets = [aBudget('web'), aBudget('web2', { selector: {} })];
    state.instantly = () => new ApiError(500, 'more than one');
    drainer.want([aDrain('a', [web('p1')])]);
    await settle();
    drainer.budgetChanged('shop');
    await settle();
    expect(names()).toHaveLength(1);
    state.budgets = [aBudget('web', { disruptionsAllowed: 1 })];
    drainer.budgetChanged('shop');
    await settle();
    expect(names()).toHaveLength(2);
  });
});

describe('a drain that is over', () => {
  test('by another claim on the same node begins anew', async () => {
    const { drainer, asked, names } = bed();
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    drainer.want([aDrain('a', [aPod('p1')], { claim: 'claim-2' })]);
    await settle();
    expect(names()).toEqual(['shop/p1', 'shop/p1']);
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  test('asks no more, and shows nothing', async () => {
    const { drainer, state, names, clock } = bed();
    state.instantly = byBudget;
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    drainer.want([]);
    await clock.advanceGently(60_000, 10_000);
    drainer.budgetChanged('shop');
    await settle();
    expect(names()).toHaveLength(1);
    expect(drainer.blocked().size).toBe(0);
    expect(clock.timers).toBe(0);
  });

  test('as the term is: no request goes out any more', async () => {
    const { drainer, state, names, clock } = bed();
    state.leading = false;
    drainer.want([aDrain('a', [aPod('p1')])]);
    await clock.advanceGently(60_000, 10_000);
    expect(names()).toEqual([]);
  });

  test('as the term is, with requests that wait for their turn: they are not sent', async () => {
    const { drainer, state, asked, names } = bed({ totalConcurrency: 1 });
    drainer.want([aDrain('a', [aPod('p1'), aPod('p2')])]);
    await settle();
    state.leading = false;
    asked[0]!.answer();
    await settle();
    expect(names()).toEqual(['shop/p1']);
  });

  test('stops when its last request has come back', async () => {
    const { drainer, asked } = bed();
    drainer.want([aDrain('a', [aPod('p1')])]);
    await settle();
    await drainer.stop();
    expect(asked[0]!.signal.aborted).toBe(true);
  });
});

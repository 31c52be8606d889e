import { describe, expect, test } from '@jest/globals';
import { barredBy } from './disruption-budgets.ts';
import { aBudget, aPod } from './testing/builders.ts';
import type { DisruptionBudget, PodView } from './world.ts';

const web = aPod('a', { labels: { app: 'web' } });
const never = 'pods whose PodDisruptionBudget shop/web can never allow it as things stand';

describe('a budget', () => {
  test.each<[string, Partial<DisruptionBudget>, Partial<PodView>, string | undefined]>([
    ['allows one', { disruptionsAllowed: 1 }, {}, undefined],
    ['maxUnavailable 0', { desiredHealthy: 3 }, {}, `${never} (it wants 3 healthy of 3)`],
    ['minAvailable = replicas', { desiredHealthy: 3, currentHealthy: 3 }, {}, `${never} (it wants 3 healthy of 3)`],
    ['minAvailable = replicas, one of them not ready', { desiredHealthy: 3, currentHealthy: 2 }, {}, `${never} (it wants 3 healthy of 3)`],
    ['minAvailable above replicas', { desiredHealthy: 5 }, {}, `${never} (it wants 5 healthy of 3)`],
    ['not just now: a pod is not ready elsewhere', { desiredHealthy: 2, currentHealthy: 2 }, {}, undefined],
    ['not just now: its controller has not seen its spec', { desiredHealthy: 3, observed: false }, {}, undefined],
    ['not just now: its controller has counted no pod yet', { desiredHealthy: 1, expectedPods: 0 }, {}, undefined],
    [
      'SyncFailed',
      { disruptionsAllowed: 0, desiredHealthy: 0, syncFailed: 'no controller' },
      {},
      `${never} (it cannot be computed: no controller)`,
    ],
    ['of other labels', { desiredHealthy: 3, selector: { matchLabels: { app: 'db' } } }, {}, undefined],
    ['of another namespace', { desiredHealthy: 3 }, { namespace: 'other' }, undefined],
    ['without a selector covers nothing', { desiredHealthy: 3, selector: undefined }, {}, undefined],
    ['with an empty selector covers its namespace', { desiredHealthy: 3, selector: {} }, {}, `${never} (it wants 3 healthy of 3)`],
    ['asks nothing of a pod that has not begun', { desiredHealthy: 3 }, { phase: 'Pending', ready: false }, undefined],
    ['a crash-looping pod behind it', { desiredHealthy: 3, currentHealthy: 2 }, { ready: false }, `${never} (it wants 3 healthy of 3)`],
    ['a crash-looping pod, AlwaysAllow', { desiredHealthy: 3, unhealthyPodEvictionPolicy: 'AlwaysAllow' }, { ready: false }, undefined],
    [
      'a ready pod, AlwaysAllow',
      { desiredHealthy: 3, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
      {},
      `${never} (it wants 3 healthy of 3)`,
    ],
    ['a crash-looping pod while enough are healthy', { desiredHealthy: 3, currentHealthy: 3 }, { ready: false }, undefined],
  ])('%s', (_name, change, pod, expected) => {
    const budget = aBudget('web', change);
    expect(barredBy({ ...web, ...pod }, new Map([['shop', [budget]]]))).toBe(expected);
  });

  test('and another on the same pod', () => {
    const both = [aBudget('web', { disruptionsAllowed: 1 }), aBudget('all', { disruptionsAllowed: 1, selector: {} })];
    expect(barredBy(web, new Map([['shop', both]]))).toBe(
      'pods of more than one PodDisruptionBudget, which cannot be evicted at all (shop/web, shop/all: leave them to one)',
    );
    expect(barredBy({ ...web, phase: 'Pending' }, new Map([['shop', both]]))).toBeUndefined();
  });
});

import { describe, expect, test } from '@jest/globals';
import { aBudget, aCandidate, aNode, aPod, aPolicy, aWorld, NOW } from '../testing/builders.ts';
import type { DisruptionBudget, PodView } from '../world.ts';
import { preflight } from './preflight.ts';

const { controller: _, ...naked } = aPod('naked');
const own = aPod('lockkeeper-0', { namespace: 'lockkeeper', emptyDir: true });
const self = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'n1' };
const stateless = aPolicy({ spec: { drain: { mode: 'None' } } });
const strict = aPolicy({ spec: { drain: { deleteEmptyDirData: false } } });

const web = aPod('web', { labels: { app: 'web' } });
const shopBudgets = (change: Partial<DisruptionBudget>) => new Map([['shop', [aBudget('web', change)]]]);
const at = (pods: readonly PodView[] | undefined) => new Map(pods === undefined ? [] : [['n1', pods]]);

describe('preflight', () => {
  test.each([
    ['pods not listed yet', aWorld({ pods: at(undefined) }), 'Preflight'],
    ['no pods', aWorld({ pods: at([]) }), undefined],
    ['pods that can be evicted', aWorld({ pods: at([aPod('web')]) }), undefined],
    ['a naked pod', aWorld({ pods: at([naked, aPod('web')]) }), 'CannotEvict'],
    ['a budget that can never allow it', aWorld({ pods: at([web]), budgets: shopBudgets({ desiredHealthy: 3 }) }), 'CannotEvict'],
    ['a budget that only does not allow it now', aWorld({ pods: at([web]), budgets: shopBudgets({}) }), undefined],
    ['a pod whose owner asks not to be disrupted', aWorld({ pods: at([{ ...web, doNotDisrupt: 'x' }]) }), 'CannotEvict'],
    ['a naked pod, and mode None', aWorld({ policies: [stateless], pods: at([naked]) }), undefined],
    ['mode None, which looks at no pods', aWorld({ policies: [stateless], pods: at(undefined) }), undefined],
    ['a naked pod, and force', aWorld({ policies: [aPolicy({ spec: { drain: { force: true } } })], pods: at([naked]) }), undefined],
    ['an emptyDir that may not be lost', aWorld({ policies: [strict], pods: at([own]) }), 'CannotEvict'],
    ['… of a controller that rides through', aWorld({ policies: [strict], pods: at([own]), self }), undefined],
    ['… of a controller that a standby relieves', aWorld({ policies: [strict], pods: at([own]), self, standby: true }), 'CannotEvict'],
  ])('%s', (_name, world, reason) => {
    expect(preflight(aCandidate({ ...world, nodes: [aNode('n1')] }), NOW)?.reason).toBe(reason);
  });

  test('names the pods', () => {
    const world = aWorld({ nodes: [aNode('n1')], pods: at([naked]) });
    expect(preflight(aCandidate(world), NOW)?.message).toMatch(/^cannot evict pods that no controller .*: shop\/naked$/);
  });
});

import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import { aCandidate, aFailure, ago, aNode, anUpdate, aPolicy, aRollout, aWorld, MINUTE, NEW, NOW } from '../testing/builders.ts';
import { failureBudget } from './failure-budget.ts';

const remembered = [{ target: NEW, at: ago(MINUTE), reason: 'RolledBackByHost', bootID: 'boot-2', readySince: ago(MINUTE) }];
const failedNode = (name: string) => aNode(name, { update: anUpdate({ phase: 'RolledBack', failures: remembered }) });
const nodes = ['n1', 'n2', 'n3', 'n4'].map((name) => aNode(name));

describe('failureBudget', () => {
  test.each([
    ['nothing failed', 1, 0, {}, undefined],
    ['one of a budget of one', 1, 1, {}, 'Halted'],
    ['one of a budget of two', 2, 1, {}, undefined],
    ['two of a budget of two', 2, 2, {}, 'Halted'],
    ['one of half of four nodes', '50%', 1, {}, undefined],
    ['two of half of four nodes', '50%', 2, {}, 'Halted'],
    ['one of a tenth of four nodes: at least one', '10%', 1, {}, 'Halted'],
    ['one, and a new resume', 1, 1, { [BY_HAND.resume]: 'now' }, undefined],
  ])('%s', (_, budget, failed, annotations, reason) => {
    const world = aWorld({
      policies: [aPolicy({ spec: { rollout: { failureBudget: budget } }, annotations, status: { rollouts: [aRollout()] } })],
      nodes: nodes.map((node, index) => (index >= 4 - failed ? failedNode(node.name) : node)),
    });
    expect(failureBudget(aCandidate(world), NOW)?.reason).toBe(reason);
  });

  test('a resume that was acted upon does not forgive what failed since', () => {
    const status = { rollouts: [aRollout({ failed: [aFailure('n3', { resumed: true })] })], tokens: { resume: 'first' } };
    const policy = aPolicy({ annotations: { [BY_HAND.resume]: 'first' }, status });
    const before = aWorld({ policies: [policy], nodes: [aNode('n1'), failedNode('n3')] });
    const after = aWorld({ policies: [policy], nodes: [aNode('n1'), failedNode('n3'), failedNode('n4')] });
    expect(failureBudget(aCandidate(before), NOW)).toBeUndefined();
    expect(failureBudget(aCandidate(after), NOW)?.message).toContain(
      'kubectl annotate updatepolicy default --overwrite lockkeeper.dev/resume=',
    );
  });

  test('counts the failures of all variants together', () => {
    const other = { variant: 'metal-k8s-1.31', arch: 'amd64' };
    const policy = aPolicy({
      spec: { rollout: { failureBudget: 2 } },
      status: { rollouts: [aRollout({ failed: [aFailure('n3')] }), aRollout({ ...other, failed: [aFailure('n4')] })] },
    });
    expect(failureBudget(aCandidate(aWorld({ policies: [policy], nodes: [aNode('n1'), aNode('n2')] })), NOW)?.reason).toBe('Halted');
  });
});

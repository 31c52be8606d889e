import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import { aCandidate, aNode, anUpdate, aPolicy, aWorld, NEW, NOW, OLD } from '../testing/builders.ts';
import { approval } from './approval.ts';

const approve = (version: string) => ({ [BY_HAND.approvedVersion]: version });
const urgent = (version: string) => ({ [BY_HAND.urgent]: version });
const urgently = (version: string) => aPolicy({ spec: { approval: 'Manual' }, annotations: urgent(version) });
const manual = (version?: string) => aPolicy({ spec: { approval: 'Manual' }, annotations: version === undefined ? {} : approve(version) });

describe('approval', () => {
  test.each([
    ['automatic', aPolicy(), aNode('n1'), undefined],
    ['manual, nothing approved', manual(), aNode('n1'), 'AwaitingApproval'],
    ['manual, approved on the policy', manual(NEW), aNode('n1'), undefined],
    ['manual, another version approved', manual(OLD), aNode('n1'), 'AwaitingApproval'],
    ['manual, approved on the Node', manual(), aNode('n1', { annotations: approve(NEW) }), undefined],
    ['manual, approved on the NodeUpdate', manual(), aNode('n1', { update: anUpdate({}, approve(NEW)) }), undefined],
    ['manual, another version approved on the Node', manual(), aNode('n1', { annotations: approve(OLD) }), 'AwaitingApproval'],
    ['manual, urgent on the policy', urgently(NEW), aNode('n1'), undefined],
    ['manual, another version urgent', urgently(OLD), aNode('n1'), 'AwaitingApproval'],
    ['manual, urgent on the Node', manual(), aNode('n1', { annotations: urgent(NEW) }), undefined],
    ['manual, urgent on the NodeUpdate', manual(), aNode('n1', { update: anUpdate({}, urgent(NEW)) }), undefined],
    ['manual, an approval that cannot be read', manual('yes'), aNode('n1'), 'AwaitingApproval'],
  ])('%s', (_, policy, node, reason) => {
    expect(approval(aCandidate(aWorld({ policies: [policy], nodes: [node] })), NOW)?.reason).toBe(reason);
  });

  test('says how to approve', () => {
    const verdict = approval(aCandidate(aWorld({ policies: [manual()], nodes: [aNode('n1')] })), NOW);
    expect(verdict?.message).toContain(`kubectl annotate updatepolicy default --overwrite lockkeeper.dev/approved-version=${NEW}`);
  });
});

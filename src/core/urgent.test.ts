import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import { factsOf, type Member } from './facts.ts';
import { aHost, aNode, anUpdate, aPolicy, aRollout, aWorld, NEW, NOW, OLD } from './testing/builders.ts';
import { urgencyOf, urgentNode } from './urgent.ts';
import type { NodeView, PolicyView } from './world.ts';

const urgent = (version: string) => ({ [BY_HAND.urgent]: version });
const factsFor = (policy: PolicyView, nodes: readonly NodeView[]) => factsOf(policy, nodes, aWorld({ policies: [policy], nodes }), NOW);
const two = (available: string[], change: Partial<NodeView> = {}) =>
  ['n1', 'n2'].map((name) => aNode(name, { host: aHost({ available }), ...change }));
const newer = { os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' } };

describe('a policy’s urgent version', () => {
  test.each<[string, PolicyView, NodeView[], boolean, string, string]>([
    ['none', aPolicy(), two([NEW]), false, 'NotUrgent', 'no version is urgent'],
    ['wanted', aPolicy({ annotations: urgent(NEW) }), two([NEW]), true, 'Urgent', `${NEW} is wanted now, whatever window`],
    ['not offered yet', aPolicy({ annotations: urgent(NEW) }), two([]), true, 'UrgentNotOffered', 'waits for it to be offered'],
    [
      'by whom',
      { ...aPolicy({ annotations: urgent(NEW) }), urgentBy: 'argocd at noon' },
      two([NEW]),
      true,
      'Urgent',
      '(annotation set by argocd at noon)',
    ],
    [
      'outside the range',
      aPolicy({ annotations: urgent('2.0.0'), spec: { version: { range: '<2.0.0' } } }),
      two([NEW]),
      false,
      'UrgentNotWanted',
      'outside version.range <2.0.0',
    ],
    [
      'not the pin',
      aPolicy({ annotations: urgent(NEW), spec: { version: { pin: OLD } } }),
      two([NEW]),
      false,
      'UrgentNotWanted',
      `pinned to ${OLD}`,
    ],
    [
      'marked bad',
      aPolicy({
        annotations: urgent(NEW),
        status: { badReleases: [{ variant: 'aws-k8s-1.31', arch: 'amd64', version: NEW, markedAt: '2026-03-01T00:00:00Z' }] },
      }),
      two([NEW]),
      false,
      'UrgentNotWanted',
      'is marked bad for policy default',
    ],
    [
      'reached',
      aPolicy({ annotations: urgent(NEW) }),
      two([NEW], newer),
      false,
      'UrgentReached',
      `annotate updatepolicy default ${BY_HAND.urgent}-`,
    ],
    [
      'older than a rollout',
      aPolicy({ annotations: urgent(NEW), status: { rollouts: [aRollout({ target: '1.27.0' })] } }),
      two([NEW]),
      false,
      'UrgentSuperseded',
      'brought to 1.27.0 already',
    ],
  ])('%s', (_, policy, nodes, holds, reason, message) => {
    expect(urgencyOf(factsFor(policy, nodes))).toEqual({ holds, reason, message: expect.stringContaining(message) });
  });
});

describe('a node’s own urgent version', () => {
  const told = (policy: PolicyView, node: NodeView) => {
    const facts = factsFor(policy, [node]);
    return urgentNode(facts, facts.members[0] as Member);
  };

  test.each<[string, PolicyView, NodeView, string | undefined, string]>([
    ['none', aPolicy(), aNode('n1'), undefined, ''],
    [
      'on the Node',
      aPolicy(),
      { ...aNode('n1', { annotations: urgent(NEW) }), urgentBy: 'kubectl' },
      'True',
      `${NEW} is wanted now (annotation set by kubectl)`,
    ],
    [
      'on the NodeUpdate',
      aPolicy(),
      aNode('n1', { update: { ...anUpdate({}, urgent(NEW)), urgentBy: 'console' } }),
      'True',
      'set by console',
    ],
    ['reached', aPolicy(), aNode('n1', { annotations: urgent(NEW), ...newer }), undefined, ''],
    [
      'beside a pin of its own',
      aPolicy(),
      aNode('n1', { annotations: { ...urgent(NEW), [BY_HAND.pinVersion]: OLD } }),
      'False',
      `pinned to ${OLD}`,
    ],
    [
      'beside a pin of its policy',
      aPolicy({ spec: { version: { pin: OLD } } }),
      aNode('n1', { annotations: urgent(NEW) }),
      'False',
      `pinned to ${OLD}`,
    ],
  ])('%s', (_, policy, node, status, message) => {
    const [finding] = told(policy, node);
    expect(finding?.status).toBe(status);
    expect(finding?.message ?? '').toContain(message);
  });
});

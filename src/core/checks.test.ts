import { describe, expect, test } from '@jest/globals';
import type { Check } from '../api/check.ts';
import { checkName, checkProblems } from './checks.ts';
import { decide } from './decide.ts';
import { ago, aNode, anUpdate, aPolicy, aRollout, aStagedNode, aWorld, HOUR, MINUTE, NEW, NOW } from './testing/builders.ts';
import { type ChecksView, type PolicyView, toSecond, type World } from './world.ts';

const pods: Check = { pods: { namespace: 'shop', selector: {}, minReady: 1 } };
const web = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' };
const query = (url: string): Check => ({ prometheus: { url, query: 'up' } });

describe('what no schema can refuse', () => {
  test.each<[string, Check, RegExp | undefined]>([
    ['pods', pods, undefined],
    ['a condition', { object: { ...web, condition: 'Available' } }, undefined],
    ['a path', { object: { ...web, jsonPath: '.status.replicas', value: '3' } }, undefined],
    [
      'a path that is not supported',
      { object: { ...web, jsonPath: '.a[*]', value: '3' } },
      /^spec\.checks\[0\]: jsonPath "\.a\[\*\]": not supported/,
    ],
    ['a host that is allowed', query('http://prometheus:9090/prefix'), undefined],
    ['its port alone', query('http://prometheus'), /host prometheus is not one of the chart's checks\.prometheusHosts \(prometheus:9090\)/],
    ['another host', query('http://elsewhere:9090'), /host elsewhere:9090 is not/],
  ])('%s', (_, check, problem) => {
    const problems = checkProblems([check], ['prometheus:9090']);
    expect(problems).toEqual(problem === undefined ? [] : [expect.stringMatching(problem)]);
  });

  test('makes the policy not Ready, and nothing begins', () => {
    const policy = aPolicy({ spec: { checks: [query('http://p')] }, status: { rollouts: [aRollout()] } });
    const { policies, nodes, checks } = decide(aWorld({ policies: [policy], nodes: [aStagedNode('n1')] }), NOW);
    expect(policies[0]?.status.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'PolicyNotReady',
    });
    expect([nodes[0]?.status.reason, checks]).toEqual(['PolicyNotReady', []]);
  });
});

test.each<[Check, string]>([
  [pods, 'pods of namespace shop'],
  [{ object: { ...web, condition: 'A' } }, 'Deployment shop/web'],
  [{ object: { apiVersion: 'v1', kind: 'Node', name: 'a', condition: 'Ready' } }, 'Node a'],
  [query('http://p'), 'Prometheus query "up"'],
])('the name of a check (case %#)', (check, name) => {
  expect(checkName(check)).toBe(name);
});

describe('a policy with checks', () => {
  const policy = (change: Partial<PolicyView> = {}, soak?: string) =>
    aPolicy({
      generation: 3,
      status: { rollouts: [aRollout()] },
      ...change,
      spec: {
        checks: [pods],
        ...(soak !== undefined && { rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak }] } }),
      },
    });
  const seen = (failed?: string, change: Partial<ChecksView> = {}) =>
    new Map([['uid-default', { generation: 3, at: NOW, ...(failed !== undefined && { failed }), ...change }]]);
  const decided = (change: Partial<World>) => {
    const nodes = change.nodes ?? [aStagedNode('n1'), aStagedNode('n2')];
    const decision = decide(aWorld({ policies: [policy()], pods: new Map(nodes.map(({ name }) => [name, []])), ...change, nodes }), NOW);
    return {
      reasons: decision.nodes.map(({ status }) => status.reason),
      claims: decision.policies[0]?.claims?.map(({ node }) => node) ?? [],
      asked: decision.checks.map(({ policy: uid, generation }) => [uid, generation]),
      groups: decision.policies[0]?.status.rollouts?.[0]?.groups,
      wakeAt: decision.wakeAt,
      message: decision.nodes.at(-1)?.status.message,
    };
  };
  const wanted = [['uid-default', 3]];

  test.each<[string, Partial<World>, string[], string[], unknown[]]>([
    ['not looked at yet', {}, ['CheckPending', 'CheckPending'], [], wanted],
    ['failing', { checks: seen('x') }, ['CheckFailed', 'CheckFailed'], [], wanted],
    ['holding', { checks: seen() }, ['Claimed', 'CapacityReached'], ['n1'], wanted],
    ['seen too long ago', { checks: seen(undefined, { at: NOW - 2 * MINUTE }) }, ['CheckPending', 'CheckPending'], [], wanted],
    ['seen of another spec', { checks: seen(undefined, { generation: 2 }) }, ['CheckPending', 'CheckPending'], [], wanted],
    ['holding, while the pods are looked at', { checks: seen(), pods: new Map() }, ['Preflight', 'CapacityReached'], [], wanted],
    [
      'no slot: nobody asks',
      { nodes: [aStagedNode('n1', { unschedulable: true }), aStagedNode('n2')] },
      ['CordonedByOther', 'CapacityReached'],
      [],
      [],
    ],
    ['nothing is staged: nobody asks', { nodes: [aNode('n1')] }, ['Staging'], [], []],
    [
      'failing, and paused: nobody asks',
      { policies: [policy({ annotations: { 'lockkeeper.dev/paused': 'true' } })], checks: seen('x') },
      ['Paused', 'Paused'],
      [],
      [],
    ],
  ])('%s', (_, change, reasons, claims, asked) => {
    const decision = decided(change);
    expect({ reasons: decision.reasons, claims: decision.claims, asked: decision.asked }).toEqual({ reasons, claims, asked });
  });

  describe('whose canaries soak', () => {
    const canary = aNode('n1', {
      labels: { ring: 'canary' },
      os: { ...aNode('n1').os!, version: NEW },
      update: anUpdate({ policy: 'default' }),
    });
    const soaking = (soakUntil: string, checks: World['checks']) => {
      const rollouts = [aRollout({ groups: [{ name: 'canary', state: 'Soaking', soakUntil }] })];
      return decided({
        policies: [policy({ status: { rollouts } }, '1h')],
        nodes: [canary, aStagedNode('n2')],
        checks,
      });
    };

    test.each<[string, string, World['checks'], string, string, number | undefined]>([
      ['and hold', ago(-MINUTE), seen(), 'Soaking', 'GroupSoaking', NOW + MINUTE],
      ['and fail', ago(-MINUTE), seen('x'), 'Soaking', 'CheckFailed', NOW + MINUTE],
      ['and are not looked at yet', ago(-MINUTE), new Map(), 'Soaking', 'GroupSoaking', NOW + MINUTE],
      ['long enough, and fail', ago(MINUTE), seen('x'), 'Soaking', 'CheckFailed', undefined],
      ['long enough, and are not looked at yet', ago(MINUTE), new Map(), 'Soaking', 'CheckPending', undefined],
      ['long enough, and hold', ago(MINUTE), seen(), 'Finished', 'Claimed', undefined],
    ])('%s', (_, soakUntil, checks, state, reason, wakeAt) => {
      const decision = soaking(soakUntil, checks);
      expect(decision.asked).toEqual(wanted);
      expect({ state: decision.groups?.[0]?.state, reason: decision.reasons.at(-1), wakeAt: decision.wakeAt }).toEqual({
        state,
        reason,
        wakeAt,
      });
    });

    test('say what they wait for', () => {
      const message = (soakUntil: string) => soaking(soakUntil, seen('pods of namespace shop: 0 pods are Ready')).message;
      const check = 'waits until this check holds: pods of namespace shop: 0 pods are Ready';
      expect(message(ago(HOUR))).toBe(`group canary soaked until ${toSecond(ago(HOUR))}; the next one ${check}`);
      expect(message(ago(-HOUR))).toBe(`group canary soaks until ${toSecond(ago(-HOUR))}; besides, the next one ${check}`);
    });
  });
});

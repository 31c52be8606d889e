import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { UpdatePolicyStatus } from '../api/update-policy.ts';
import type { Decision } from '../core/command.ts';
import { aClaim, ago, aNode, aWorld, NEW, NOW, OLD } from '../core/testing/builders.ts';
import { createMetrics } from './metrics.ts';

const decisionOf = (statuses: Record<string, NodeUpdateStatus>, policy: UpdatePolicyStatus = {}): Decision => ({
  policies: [{ policy: 'default', status: policy }],
  nodes: Object.entries(statuses).map(([node, status]) => ({ node, status, commands: [] })),
  drains: [],
  lookAt: [],
  jobs: [],
  checks: [],
  handOver: false,
});

const behind: NodeUpdateStatus = {
  policy: 'default',
  phase: 'Draining',
  reason: 'Draining',
  from: OLD,
  target: NEW,
  behindSince: ago(90_000),
};

function bed() {
  const metrics = createMetrics(() => NOW);
  const lines = async (name: string): Promise<string[]> =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const decided = (statuses: Record<string, NodeUpdateStatus>, policy?: UpdatePolicyStatus) =>
    metrics.decided(aWorld({ nodes: Object.keys(statuses).map((name) => aNode(name)) }), decisionOf(statuses, policy), 2);
  return { metrics, lines, decided };
}

describe('every metric', () => {
  test('is ours by name, has a help, and says its unit', async () => {
    const { metrics } = bed();
    const all = await metrics.registry.getMetricsAsJSON();
    const ours = all.filter(({ name }) => !/^lockkeeper_(process|nodejs)_/.test(name));
    expect(ours.length).toBeGreaterThan(15);
    for (const { name, help, type } of ours) {
      expect(name).toMatch(/^lockkeeper_[a-z]+(_[a-z]+)*$/);
      expect(help).toMatch(/^[A-Z].{10,}\.$/);
      // prom-client's types are a string enum that its own JSON writes out.
      if (String(type) === 'counter') expect(name).toMatch(/_total$/);
      else expect(name).not.toMatch(/_total$/);
      if (String(type) === 'histogram') expect(name).toMatch(/_seconds$/);
      expect(/second|how long/i.test(help)).toBe(/_seconds$/.test(name));
    }
    expect(all.filter(({ name }) => !name.startsWith('lockkeeper_'))).toEqual([]);
  });
});

describe('of nodes', () => {
  test('show version, phase, reason and how long they have been behind', async () => {
    const { lines, decided } = bed();
    decided({ a: behind, b: { policy: 'default', phase: 'Idle', reason: 'UpToDate', from: OLD, target: OLD } });
    expect(await lines('lockkeeper_node_phase')).toEqual([
      'lockkeeper_node_phase{node="a",policy="default",phase="Draining",reason="Draining"} 1',
      'lockkeeper_node_phase{node="b",policy="default",phase="Idle",reason="UpToDate"} 1',
    ]);
    expect(await lines('lockkeeper_node_version_info')).toEqual([
      `lockkeeper_node_version_info{node="a",policy="default",version="${OLD}",target="${NEW}",variant="aws-k8s-1.31"} 1`,
      `lockkeeper_node_version_info{node="b",policy="default",version="${OLD}",target="${OLD}",variant="aws-k8s-1.31"} 1`,
    ]);
    expect(await lines('lockkeeper_node_behind_seconds')).toEqual([
      'lockkeeper_node_behind_seconds{node="a",policy="default"} 90',
      'lockkeeper_node_behind_seconds{node="b",policy="default"} 0',
    ]);
  });

  test('go away with the node, with its policy, and with the term', async () => {
    const { metrics, lines, decided } = bed();
    decided({ a: behind, b: behind });
    expect(await lines('lockkeeper_node_phase')).toHaveLength(2);
    decided({ b: { ...behind, phase: 'Rebooting' } });
    expect(await lines('lockkeeper_node_phase')).toEqual([expect.stringMatching(/node="b".*phase="Rebooting"/)]);
    expect(await lines('lockkeeper_node_behind_seconds')).toHaveLength(1);
    const { policy: _, ...without } = behind;
    decided({ b: without });
    for (const name of ['phase', 'version_info', 'behind_seconds']) expect(await lines(`lockkeeper_node_${name}`)).toEqual([]);
    decided({ b: behind });
    metrics.forget();
    for (const name of ['phase', 'version_info', 'behind_seconds']) expect(await lines(`lockkeeper_node_${name}`)).toEqual([]);
    expect(await lines('lockkeeper_claims')).toEqual([]);
  });
});

test('of policies show claims, counts and what holds them', async () => {
  const { lines, decided } = bed();
  const condition = (type: string, status: 'True' | 'False') => ({ type, status, reason: 'X', message: '', lastTransitionTime: ago(0) });
  const counts = {
    nodes: 9,
    updated: 4,
    outdated: 5,
    staging: 1,
    staged: 1,
    inFlight: 1,
    blocked: 1,
    failed: 2,
    unavailable: 3,
    overdue: 2,
  };
  const badReleases = [{ variant: 'aws-k8s-1.31', arch: 'amd64', version: NEW, markedAt: ago(0) }];
  decided(
    {},
    { claims: [aClaim('a'), aClaim('b')], badReleases, counts, conditions: [condition('Halted', 'True'), condition('Paused', 'False')] },
  );
  const wanted = {
    claims: 2,
    nodes: 9,
    nodes_updated: 4,
    nodes_unavailable: 3,
    nodes_blocked: 1,
    nodes_failed: 2,
    nodes_overdue: 2,
    bad_releases: 1,
    policy_halted: 1,
    policy_paused: 0,
  };
  for (const [name, value] of Object.entries(wanted))
    expect(await lines(`lockkeeper_${name}`)).toEqual([`lockkeeper_${name}{policy="default"} ${value}`]);
  decided({});
  expect(await lines('lockkeeper_claims')).toEqual(['lockkeeper_claims{policy="default"} 0']);
});

test('phases are measured as they are left, failures counted as they are entered', async () => {
  const { metrics, lines } = bed();
  const node = aNode('a');
  metrics.phaseChanged({ node, from: 'Draining', status: { ...behind, phase: 'Rebooting' }, seconds: 12 });
  metrics.phaseChanged({ node, from: 'Rebooting', status: { ...behind, phase: 'Failed', reason: 'RebootTimeout' } });
  metrics.phaseChanged({ node, from: undefined, status: { ...behind, phase: 'RolledBack', reason: 'RolledBackByHost' }, seconds: 3 });
  expect(await lines('lockkeeper_phase_duration_seconds_sum')).toEqual([
    'lockkeeper_phase_duration_seconds_sum{policy="default",phase="Draining"} 12',
  ]);
  expect(await lines('lockkeeper_failures_total')).toEqual([
    'lockkeeper_failures_total{policy="default",reason="RebootTimeout"} 1',
    'lockkeeper_failures_total{policy="default",reason="RolledBackByHost"} 1',
  ]);
});

test('requests, evictions, decisions, the lead and the build are there', async () => {
  const { metrics, lines, decided } = bed();
  metrics.requested({ method: 'PATCH', resource: 'nodes', watch: false, status: 200, durationMs: 1 });
  metrics.requested({ method: 'GET', resource: 'nodes', watch: true, status: 200, durationMs: 1 });
  metrics.requested({ method: 'GET', resource: 'pods', watch: false, status: undefined, durationMs: 1 });
  metrics.evicted('accepted');
  decided({});
  metrics.leads(true);
  expect(await lines('lockkeeper_api_requests_total')).toEqual([
    'lockkeeper_api_requests_total{method="PATCH",resource="nodes",code="200"} 1',
    'lockkeeper_api_requests_total{method="WATCH",resource="nodes",code="200"} 1',
    'lockkeeper_api_requests_total{method="GET",resource="pods",code="0"} 1',
  ]);
  expect(await lines('lockkeeper_evictions_total')).toEqual(['lockkeeper_evictions_total{outcome="accepted"} 1']);
  expect(await lines('lockkeeper_decide_duration_seconds_sum')).toEqual(['lockkeeper_decide_duration_seconds_sum 0.002']);
  expect(await lines('lockkeeper_leader')).toEqual(['lockkeeper_leader 1']);
  expect(await lines('lockkeeper_build_info')).toEqual([expect.stringMatching(/version="\d+\.\d+\.\d+"/)]);
  metrics.leads(false);
  expect(await lines('lockkeeper_leader')).toEqual(['lockkeeper_leader 0']);
});

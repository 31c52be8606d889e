import { describe, expect, test } from '@jest/globals';
import { figureKinds, figuresOf, gapsOf, type Observations } from './figures.ts';
import type { Comparison } from './result.ts';
import { asJson, asMarkdown, asText } from './table.ts';

const nothing = { controllers: 0, agents: 0, lists: 0, watches: 0, evictions: 0, evictionsRefused: 0, podDeletions: 0, kinds: {} };
const seen: Observations = {
  nodes: 10,
  updated: 10,
  firstNodeMs: 1_500,
  rolloutMs: 300_000,
  unavailableSeconds: [1, 2, 6],
  mostUnavailable: 1,
  budgetsBroken: 0,
  podsTakenDown: 100,
  podsTakenDownWithoutEviction: 2,
  restarts: 0,
  idle: { ms: 120_000, sent: { ...nothing, controllers: 10, agents: 2, lists: 4 }, serverCpuSeconds: 6 },
  idleWatchesOpen: 12,
  rollout: { ms: 310_000, sent: { ...nothing, controllers: 150, agents: 50, evictions: 100 }, serverCpuSeconds: 31 },
  controllers: { idle: { pss: 100, rss: 110 }, peak: { pss: 120, rss: 130 } },
  agents: { idle: { pss: 300, rss: 500 }, peak: { pss: 333.33, rss: 550 } },
  agentsRunning: 10,
  serverCoresAlone: 0.02,
};

describe('figures', () => {
  test('of a rollout that finished', () => {
    expect(figuresOf(seen)).toMatchObject({
      rollout_minutes: 5,
      rollout_nodes_per_minute: 2,
      first_node_seconds: 1.5,
      unavailable_seconds_p50: 2,
      unavailable_seconds_max: 6,
      pods_without_eviction: 2,
      evictions_per_node: 10,
      idle_requests_per_minute: 6,
      idle_agent_requests_per_minute: 1,
      idle_lists_per_minute: 2,
      rollout_requests_per_node: 20,
      agent_pss_idle: 30,
      agent_rss_idle: 50,
      server_cores_idle: 0.03,
      server_cpu_seconds_per_node: 3.1,
    });
    expect(gapsOf(seen)).toEqual([]);
  });

  test('of one that did not finish: nothing that stands for all of it', () => {
    const half = { ...seen, updated: 5 };
    const { rollout_minutes, rollout_nodes_per_minute, rollout_requests_per_node, server_cpu_seconds_per_node, most_unavailable } =
      figuresOf(half);
    expect([rollout_minutes, rollout_nodes_per_minute, rollout_requests_per_node, server_cpu_seconds_per_node]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    expect(most_unavailable).toBe(1);
    expect(gapsOf(half)).toEqual(['figures that stand for a whole rollout are left out']);
  });

  test('what was not seen is not zero', () => {
    const silent: Observations = {
      ...seen,
      idle: { ...seen.idle, sent: nothing },
      rollout: { ...seen.rollout, sent: nothing },
      agents: undefined,
    };
    const { idle_requests_per_minute, evictions_refused, agent_pss_idle, agents_pss_peak } = figuresOf(silent);
    expect([idle_requests_per_minute, evictions_refused, agent_pss_idle, agents_pss_peak]).toEqual([null, null, null, null]);
    expect(gapsOf(silent)).toHaveLength(2);
  });
});

const comparison: Comparison = {
  machine: ['cores: 2'],
  command: 'node e2e/bench/compare/main.ts --other a.yaml',
  at: '2026-01-01T00:00:00.000Z',
  setting: ['nodes: 10'],
  results: [
    { name: 'Lockkeeper', outcome: { state: 'Finished' }, figures: figuresOf(seen), kinds: { 'controllers patch nodes': 20 }, notes: [] },
    {
      name: 'a|b',
      outcome: { state: 'DidNotFinish', why: '1 of 10 nodes' },
      figures: figuresOf({ ...seen, updated: 1 }),
      kinds: {},
      notes: ['a|b: slow.'],
    },
    { name: 'c', outcome: { state: 'Failed', why: 'ended with 1' }, figures: {}, kinds: {}, notes: [] },
  ],
};

describe('the table', () => {
  test('for a terminal: a column each, their endings and notes below', () => {
    const text = asText(comparison);
    const line = (label: string) => text.split('\n').find((one) => one.startsWith(label));
    expect(line('outcome')?.trim().split(/ {2,}/)).toEqual(['outcome', 'finished', 'did not finish', 'failed']);
    expect(line('nodes a minute')?.trim().split(/ {2,}/)).toEqual(['nodes a minute', '2.0', '—', '—', 'nodes/min']);
    expect(text).toContain('\na|b did not finish: 1 of 10 nodes\n');
    expect(text).toContain('\nc failed: ended with 1\n');
    expect(text).toContain('\n- a|b: slow.\n');
  });

  test('as a page: one table row for each figure, cells of the same number', () => {
    const rows = asMarkdown(comparison)
      .split('\n')
      .filter((line) => line.startsWith('|'));
    expect(rows).toHaveLength(figureKinds.length + 3);
    expect(new Set(rows.map((row) => row.replaceAll('\\|', '').split('|').length))).toEqual(new Set([7]));
  });

  test('for programs: what it was made of', () => {
    expect(JSON.parse(asJson(comparison))).toEqual(comparison);
  });
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { binaries } from '../bed/binaries.ts';
import { repository } from '../bed/config.ts';

const rules = join(repository, 'charts/lockkeeper/files/alerts.yaml');
let promtool: (...args: string[]) => Promise<string>;

beforeAll(async () => {
  const found = await binaries({ only: ['promtool'] });
  promtool = async (...args) => (await promisify(execFile)(found.promtool, args)).stdout;
}, 1_800_000);

const leads = { series: 'lockkeeper_leader{pod="a"}', values: '1x1440' };
const phase = (phase: string, reason = '') => `lockkeeper_node_phase{node="n",policy="p",phase="${phase}",reason="${reason}"}`;

/** Which alerts fire at these minutes, each for so long as the series are so. */
const cases: readonly {
  name: string;
  series: readonly { series: string; values: string }[];
  fires: Readonly<Record<number, readonly string[]>>;
}[] = [
  {
    name: 'all is well',
    series: [
      leads,
      { series: 'lockkeeper_leader{pod="b"}', values: '0x1440' },
      { series: phase('Idle', 'UpToDate'), values: '1x1440' },
      { series: 'lockkeeper_policy_halted{policy="p"}', values: '0x1440' },
      { series: 'lockkeeper_nodes_overdue{policy="p"}', values: '0x1440' },
      { series: 'lockkeeper_nodes_blocked{policy="p"}', values: '0x1440' },
      { series: 'lockkeeper_api_requests_total{pod="a",code="200"}', values: '0+10x1440' },
      { series: 'lockkeeper_api_requests_total{pod="a",code="500"}', values: '0+1x1440' },
    ],
    fires: { 1400: [] },
  },
  { name: 'nobody leads', series: [{ series: 'lockkeeper_leader{pod="b"}', values: '0x60' }], fires: { 4: [], 6: ['LockkeeperNoLeader'] } },
  { name: 'no controller is there at all', series: [], fires: { 6: ['LockkeeperNoLeader'] } },
  {
    name: 'a rollout is halted by a node that failed',
    series: [
      leads,
      { series: 'lockkeeper_policy_halted{policy="p"}', values: '1x60' },
      { series: phase('Failed', 'RebootTimeout'), values: '1x60' },
    ],
    fires: { 0: [], 2: ['LockkeeperHalted'], 11: ['LockkeeperHalted', 'LockkeeperNodeFailed'] },
  },
  {
    name: 'a webhook is told what goes on, as fast as it takes it',
    series: [
      leads,
      { series: 'lockkeeper_notifications_waiting{webhook="w"}', values: '0x10 1x10 0x60' },
      { series: 'lockkeeper_notifications_total{webhook="w",outcome="dropped"}', values: '0x80' },
      { series: 'lockkeeper_notifications_total{webhook="w",outcome="sent"}', values: '0+1x80' },
      { series: 'lockkeeper_webhook_readable{webhook="w"}', values: '1x80' },
    ],
    fires: { 20: [], 60: [] },
  },
  {
    name: 'a receiver takes nothing',
    series: [
      leads,
      { series: 'lockkeeper_notifications_waiting{webhook="w"}', values: '0x10 3x40 0x80' },
      { series: 'lockkeeper_notifications_total{webhook="w",outcome="dropped"}', values: '0x50 3x80' },
    ],
    fires: { 20: [], 30: ['LockkeeperNotificationsFailing'], 100: ['LockkeeperNotificationsFailing'], 130: [] },
  },
  {
    name: 'the Secret of a webhook is missing',
    series: [leads, { series: 'lockkeeper_webhook_readable{webhook="w"}', values: '0x60' }],
    fires: { 10: [], 20: ['LockkeeperNotificationsFailing'] },
  },
  {
    name: 'a node drains for hours, with one reason after the other',
    series: [
      leads,
      { series: phase('Draining', 'Draining'), values: '1x70 _x200' },
      { series: phase('Draining', 'DrainHeld'), values: '_x70 1x200' },
    ],
    fires: { 110: [], 130: ['LockkeeperNodeInFlightForLong'] },
  },
  {
    name: 'nodes are behind, and cannot be drained',
    series: [
      leads,
      { series: 'lockkeeper_nodes_overdue{policy="p"}', values: '2x400' },
      { series: 'lockkeeper_nodes_blocked{policy="p"}', values: '2x400' },
    ],
    fires: { 50: [], 70: ['LockkeeperNodesOverdue'], 370: ['LockkeeperNodesBlocked', 'LockkeeperNodesOverdue'] },
  },
  {
    name: 'an agent is missing',
    series: [leads, { series: phase('Idle', 'AgentMissing'), values: '1x60' }],
    fires: { 10: [], 20: ['LockkeeperAgentMissing'] },
  },
  {
    name: 'every fourth request gets no answer',
    series: [
      leads,
      { series: 'lockkeeper_api_requests_total{pod="a",code="200"}', values: '0+3x60' },
      { series: 'lockkeeper_api_requests_total{pod="a",code="0"}', values: '0+1x60' },
    ],
    fires: { 10: [], 30: ['LockkeeperApiErrors'] },
  },
];

test('promtool takes the alerts', async () => {
  expect(await promtool('check', 'rules', '--lint-fatal', rules)).toContain('9 rules found');
});

test('each alert fires when it should, and not before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'alerts-'));
  try {
    const file = join(folder, 'tests.yaml');
    await writeFile(file, stringify({ rule_files: [rules], evaluation_interval: '1m', tests: cases.map(asPromtool) }));
    expect(await promtool('test', 'rules', file)).toContain('SUCCESS');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

/** promtool compares labels and annotations as well, where an alert is expected: so whether each fires is asked of the series ALERTS. */
function asPromtool({ name, series, fires }: (typeof cases)[number]) {
  const at = Object.entries(fires).map(([minute, alerts]) => ({
    expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
    eval_time: `${minute}m`,
    exp_samples: alerts.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
  }));
  return { name, interval: '1m', input_series: series, promql_expr_test: at };
}

interface Target {
  expr: string;
  legendFormat?: string;
  format?: 'table';
  instant?: boolean;
}

interface Panel {
  title: string;
  description: string;
  type: 'stat' | 'timeseries' | 'table' | 'bargauge';
  width: number;
  height: number;
  unit?: string;
  /** From here on it is red. */
  badFrom?: number;
  /** Columns of a table that say nothing. */
  hidden?: readonly string[];
  targets: readonly Target[];
}

const chosen = 'policy=~"$policy"';
/** The leader alone tells of policies and nodes, and for a moment two may seem to lead. */
const perPolicy = (metric: string) => `max by (policy) (${metric}{${chosen}})`;
const stat = (title: string, description: string, expr: string, badFrom?: number): Panel => ({
  title,
  description,
  type: 'stat',
  width: 3,
  height: 4,
  ...(badFrom !== undefined && { badFrom }),
  targets: [{ expr, instant: true }],
});

const panels: readonly Panel[] = [
  stat('Leaders', 'One, always.', 'sum(lockkeeper_leader)'),
  stat('Nodes', 'Nodes of the policies.', `sum(${perPolicy('lockkeeper_nodes')})`),
  stat('Updated', 'Nodes that run what they should.', `sum(${perPolicy('lockkeeper_nodes_updated')})`),
  stat('In flight', 'Slots that are taken.', `sum(${perPolicy('lockkeeper_claims')})`),
  stat('Blocked', 'Nodes whose pods may not be evicted as things stand.', `sum(${perPolicy('lockkeeper_nodes_blocked')})`, 1),
  stat('Failed', 'Nodes that have failed or rolled back.', `sum(${perPolicy('lockkeeper_nodes_failed')})`, 1),
  stat(
    'Overdue',
    "Nodes that are behind for longer than their policy's patchDeadline.",
    `sum(${perPolicy('lockkeeper_nodes_overdue')})`,
    1,
  ),
  stat('Halted', 'Policies that begin no node, because too many failed.', `sum(${perPolicy('lockkeeper_policy_halted')})`, 1),
  {
    title: 'Nodes over time',
    description: 'How far the rollouts are.',
    type: 'timeseries',
    width: 12,
    height: 8,
    targets: [
      { expr: `sum(${perPolicy('lockkeeper_nodes')})`, legendFormat: 'all' },
      { expr: `sum(${perPolicy('lockkeeper_nodes_updated')})`, legendFormat: 'updated' },
      { expr: `sum(${perPolicy('lockkeeper_nodes_unavailable')})`, legendFormat: 'unavailable' },
      { expr: `sum(${perPolicy('lockkeeper_policy_paused')})`, legendFormat: 'paused policies' },
      { expr: `sum(${perPolicy('lockkeeper_bad_releases')})`, legendFormat: 'bad releases' },
    ],
  },
  {
    title: 'Versions',
    description: 'How many nodes run which version.',
    type: 'timeseries',
    width: 12,
    height: 8,
    targets: [{ expr: `count by (variant, version) (lockkeeper_node_version_info{${chosen}})`, legendFormat: '{{variant}} {{version}}' }],
  },
  {
    title: 'Why each node is where it is',
    description: 'The one reason of every node that is not up to date.',
    type: 'table',
    width: 12,
    height: 10,
    hidden: ['Time', 'Value'],
    targets: [
      {
        expr: `max by (policy, node, phase, reason) (lockkeeper_node_phase{${chosen},reason!="UpToDate"})`,
        format: 'table',
        instant: true,
      },
    ],
  },
  {
    title: 'Reasons',
    description: 'How many nodes wait for what.',
    type: 'timeseries',
    width: 12,
    height: 10,
    targets: [{ expr: `count by (phase, reason) (lockkeeper_node_phase{${chosen}})`, legendFormat: '{{phase}}: {{reason}}' }],
  },
  {
    title: 'Longest behind',
    description: 'The ten nodes that have been behind for longest.',
    type: 'bargauge',
    width: 12,
    height: 8,
    unit: 's',
    targets: [{ expr: `topk(10, max by (node) (lockkeeper_node_behind_seconds{${chosen}}) > 0)`, legendFormat: '{{node}}', instant: true }],
  },
  {
    title: 'Time in each phase (mean of an hour)',
    description: 'How long nodes were in a phase before they left it.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 's',
    targets: [
      {
        expr: `sum by (phase) (rate(lockkeeper_phase_duration_seconds_sum{${chosen}}[1h])) / sum by (phase) (rate(lockkeeper_phase_duration_seconds_count{${chosen}}[1h]))`,
        legendFormat: '{{phase}}',
      },
    ],
  },
  {
    title: 'Failures',
    description: 'Nodes that failed or rolled back, by reason.',
    type: 'timeseries',
    width: 12,
    height: 8,
    targets: [{ expr: `sum by (reason) (increase(lockkeeper_failures_total{${chosen}}[1h]))`, legendFormat: '{{reason}}' }],
  },
  {
    title: 'Evictions',
    description: 'Eviction requests by what the API server said.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 'reqps',
    targets: [{ expr: 'sum by (outcome) (rate(lockkeeper_evictions_total[$__rate_interval]))', legendFormat: '{{outcome}}' }],
  },
  {
    title: 'Requests to the Kubernetes API',
    description: 'By code; 0 is a request without an answer.',
    type: 'timeseries',
    width: 8,
    height: 8,
    unit: 'reqps',
    targets: [{ expr: 'sum by (code) (rate(lockkeeper_api_requests_total[$__rate_interval]))', legendFormat: '{{code}}' }],
  },
  {
    title: 'Time to decide and to act',
    description:
      'The 99th percentiles of what one decision takes, and of the time from an event about a node to the first request that answers it.',
    type: 'timeseries',
    width: 8,
    height: 8,
    unit: 's',
    targets: [
      {
        expr: 'histogram_quantile(0.99, sum by (le) (rate(lockkeeper_decide_duration_seconds_bucket[$__rate_interval])))',
        legendFormat: 'decide',
      },
      {
        expr: 'histogram_quantile(0.99, sum by (le) (rate(lockkeeper_answer_duration_seconds_bucket[$__rate_interval])))',
        legendFormat: 'act',
      },
    ],
  },
  {
    title: 'Memory of the controllers',
    description: 'Resident memory of each replica.',
    type: 'timeseries',
    width: 8,
    height: 8,
    unit: 'bytes',
    targets: [{ expr: 'max by (pod) (lockkeeper_process_resident_memory_bytes)', legendFormat: '{{pod}}' }],
  },
  {
    title: 'Notifications',
    description: 'What webhooks were sent within an hour, what waits for them, and those whose Secret is missing.',
    type: 'timeseries',
    width: 12,
    height: 6,
    targets: [
      { expr: 'sum by (webhook, outcome) (increase(lockkeeper_notifications_total[1h]))', legendFormat: '{{webhook}} {{outcome}}' },
      { expr: 'max by (webhook) (lockkeeper_notifications_waiting)', legendFormat: '{{webhook}} waiting' },
      { expr: 'max by (webhook) (lockkeeper_webhook_readable) == 0', legendFormat: '{{webhook}} has no Secret' },
    ],
  },
  {
    title: 'Versions of Lockkeeper',
    description: 'More than one only while it is being upgraded.',
    type: 'table',
    width: 12,
    height: 6,
    hidden: ['Time'],
    targets: [{ expr: 'count by (version) (lockkeeper_build_info)', format: 'table', instant: true }],
  },
];

/** All expressions of the dashboard. */
export const dashboardExpressions: readonly string[] = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

const datasource = { type: 'prometheus', uid: '$datasource' };

/** The dashboard as Grafana imports it. */
export function dashboard(): object {
  return {
    uid: 'lockkeeper',
    title: 'Lockkeeper',
    tags: ['lockkeeper', 'nodes'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-24h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source', hide: 0 },
        {
          name: 'policy',
          type: 'query',
          label: 'Policy',
          datasource,
          query: { query: 'label_values(lockkeeper_nodes, policy)', refId: 'policy' },
          definition: 'label_values(lockkeeper_nodes, policy)',
          refresh: 2,
          sort: 1,
          multi: true,
          includeAll: true,
          allValue: '.*',
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels: placed(),
  };
}

const GRID_WIDTH = 24;

/** Panels from left to right, row by row. */
function placed(): object[] {
  let [x, y, rowHeight] = [0, 0, 0];
  return panels.map((panel, index) => {
    if (x + panel.width > GRID_WIDTH) [x, y, rowHeight] = [0, y + rowHeight, 0];
    const gridPos = { x, y, w: panel.width, h: panel.height };
    x += panel.width;
    rowHeight = Math.max(rowHeight, panel.height);
    return { id: index + 1, gridPos, ...rendered(panel) };
  });
}

function rendered({ title, description, type, unit, badFrom, hidden, targets }: Panel): object {
  const steps = [{ color: 'green', value: null }, ...(badFrom === undefined ? [] : [{ color: 'red', value: badFrom }])];
  return {
    title,
    description,
    type,
    datasource,
    fieldConfig: {
      defaults: { ...(unit !== undefined && { unit }), thresholds: { mode: 'absolute', steps }, color: { mode: colorMode(type) } },
      overrides: [],
    },
    ...(hidden !== undefined && {
      transformations: [{ id: 'organize', options: { excludeByName: Object.fromEntries(hidden.map((name) => [name, true])) } }],
    }),
    targets: targets.map((target, index) => ({ refId: String.fromCharCode(65 + index), datasource, ...target })),
  };
}

const colorMode = (type: Panel['type']): string => (type === 'stat' || type === 'bargauge' ? 'thresholds' : 'palette-classic');

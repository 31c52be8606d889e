import type { Figure } from '../figure.ts';
import { columns } from '../requests.ts';
import { drawPanels, type Panel } from './chart.ts';
import { describeGrowth, growthExponent, type Point } from './growth.ts';
import type { ScaleRecord } from './record.ts';

/** What is drawn: a panel's title and unit, and the figures that are its lines. */
const panels: readonly (readonly [title: string, unit: string, lines: Readonly<Record<string, string>>])[] = [
  [
    'Memory of the leader',
    'MB',
    { rss_peak: 'RSS, peak', rss_steady: 'RSS, steady', heap_peak: 'heap, peak', heap_after_gc: 'heap after GC' },
  ],
  ['Idle traffic', 'requests a minute', { idle_requests_per_minute: 'all', idle_agent_requests_per_minute: 'agents' }],
  ['Idle traffic', 'kB/s', { idle_controller_kilobytes_per_second: 'controllers', idle_agent_kilobytes_per_second: 'agents' }],
  [
    'From an event to its answer',
    'ms',
    { answer_p99_ms: 'p99', paced_answer_p99_ms: 'p99, paced', paced_answer_p50_ms: 'p50, paced', paced_decide_mean_ms: 'decide, mean' },
  ],
  [
    'Rollout, a tenth at a time',
    'minutes, and seconds',
    { rollout_minutes: 'rollout, minutes', first_decision_seconds: 'start-up, seconds' },
  ],
  ['Processors in a rollout', 'cores', { apiserver_cores_rollout: 'API server', controllers_cores_rollout: 'controllers' }],
];

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The charts of how figures grow; undefined where fewer than two sizes were measured. */
export function growthChart(records: readonly ScaleRecord[]): string | undefined {
  const sizes = records.filter(({ kind }) => kind === 'size');
  if (sizes.length < 2) return undefined;
  return drawPanels(
    panels.map(([title, unit, lines]): Panel => {
      return { title, unit, lines: Object.entries(lines).map(([figure, name]) => ({ name, points: pointsOf(sizes, figure) })) };
    }),
  );
}

/** The page `scale.md`. */
export function scalePage(records: readonly ScaleRecord[], chartFile: string | undefined): string {
  const sizes = records.filter(({ kind }) => kind === 'size');
  const soak = records.find(({ kind }) => kind === 'soak');
  return `${[
    '# Scale',
    `Written by \`make bench-scale\`. Each size is a control plane of its own: real etcd, API server, controller manager and scheduler, the chart by its own values with two controllers, and kwok, which plays the pods. One half of the nodes has pods of Deployments, each with a PodDisruptionBudget, the other half has none; one policy holds all nodes. Every node has its agent: the real agent's code, a few hundred in a process, each on a simulated host without any delay, and with a token bound to its pod on that node, under the admission policy that every cluster has. Nodes report every five minutes as kubelets do, their leases are renewed every quarter of an hour (the bed must not measure itself). Everything runs on one machine, so a rollout of a tenth of the nodes at a time is as fast as that machine can evict, schedule and start pods; \`cores\` below says who used it. What is called \`paced\` is measured before it, over the first nodes of the same rollout (a fifth, at most 200), three of them at a time: then the machine keeps up.`,
    `Requests are counted from the audit log, bytes on the wire, cores from \`/proc\`, RSS from \`smaps_rollup\` and \`VmHWM\`, heap, decisions and answers from \`/metrics\`; \`heap_after_gc\` after a collection forced by Node's inspector. \`answer_…\` is the time from the receipt of a watch's event about a node to the first request of the commands that answer it (\`lockkeeper_answer_duration_seconds\`). \`due_to_us\` is what the API server used with us less what it used with the same nodes and pods without us.`,
    ...warnings(records),
    ...(sizes.length > 0 ? ['## Figures by size', sizeTable(sizes), ...misses(sizes)] : []),
    ...(chartFile === undefined
      ? []
      : [
          `## Growth`,
          `Both axes are logarithmic; what grows with the cluster is parallel to the dotted line.`,
          `![How figures grow](${chartFile})`,
        ]),
    ...(soak === undefined ? [] : soakSection(soak)),
    ...sizes.flatMap(details),
    '## Machine',
    machines(records),
  ].join('\n\n')}\n`;
}

function pointsOf(sizes: readonly ScaleRecord[], figure: string): Point[] {
  return sizes.flatMap(({ nodes, figures }) => {
    const found = figures.find(({ name }) => name === figure);
    return found === undefined || found.value === null ? [] : [{ nodes, value: found.value }];
  });
}

function sizeTable(sizes: readonly ScaleRecord[]): string {
  const names = [...new Set(sizes.flatMap(({ figures }) => figures.map(({ name }) => name)))];
  const head = [
    'figure',
    'unit',
    ...sizes.map(({ nodes, pods }) => `${nodes} nodes, ${pods} pods`),
    'goal at the largest',
    'holds',
    'growth',
  ];
  const rows = names.map((name) => {
    const found = sizes.map(({ figures }) => figures.find((figure) => figure.name === name));
    const last = found.findLast((figure) => figure !== undefined);
    const exponent = growthExponent(pointsOf(sizes, name));
    const growth = exponent === undefined ? '' : `${describeGrowth(exponent)} (${exponent.toFixed(2)})`;
    return [name, last?.unit ?? '', ...found.map(cell), last?.goal ?? '', holds(found), growth];
  });
  return [row(head), row(head.map((_, index) => (index > 1 && index < 2 + sizes.length ? '---:' : '---'))), ...rows.map(row)].join('\n');
}

function cell(figure: Figure | undefined): string {
  return figure === undefined ? '' : `${figure.value}${figure.holds ? '' : ' (missed)'}`;
}

function holds(found: readonly (Figure | undefined)[]): string {
  const judged = found.filter((figure) => figure !== undefined && figure.goal !== null);
  return judged.length === 0 ? '' : judged.every((figure) => figure?.holds) ? 'yes' : 'NO';
}

function misses(sizes: readonly ScaleRecord[]): string[] {
  const missed = sizes.flatMap(({ nodes, figures }) =>
    figures
      .filter(({ holds }) => !holds)
      .map(({ name, value, unit, goal }) => `- ${name} at ${nodes} nodes: ${value} ${unit}, the goal is ${goal}`),
  );
  return missed.length === 0 ? [] : ['Missed:', missed.join('\n')];
}

function warnings(records: readonly ScaleRecord[]): string[] {
  const name = ({ kind, nodes }: ScaleRecord) => (kind === 'soak' ? 'the soak' : `${nodes} nodes`);
  const loaded = records.filter(({ loaded }) => loaded).map(name);
  const partial = records.filter(({ complete }) => !complete).map(name);
  return [
    ...(loaded.length === 0 ? [] : [`**Taken while the machine did other things, and so no result: ${loaded.join(', ')}.**`]),
    ...(partial.length === 0 ? [] : [`**Ended before all was measured: ${partial.join(', ')}.**`]),
  ];
}

function soakSection({ figures, nodes, pods, series }: ScaleRecord): string[] {
  const rows = figures.map(({ name, value, unit, goal, holds }) => [
    name,
    String(value),
    unit,
    goal ?? '',
    goal === null ? '' : holds ? 'yes' : 'NO',
  ]);
  const heaps = (series['heap after collections'] ?? []).map(([minutes, heap]) => `${Math.round(minutes)} minutes: ${heap} MB`);
  return [
    '## Soak',
    `${nodes} nodes with ${pods} pods; small releases follow one another, each over all nodes, a quarter of them at a time. The heap is measured after forced collections, while nothing is under way: the base after a twelfth of the time (five minutes of an hour), and at the end.`,
    [row(['figure', 'value', 'unit', 'goal', 'holds']), row(['---', '---:', '---', '---', '---']), ...rows.map(row)].join('\n'),
    ...(heaps.length === 0 ? [] : [`The heap after ${heaps.join(', ')}.`]),
  ];
}

/** No page needs the tail of what was sent once. */
const mostKinds = 24;

function details({ nodes, requests, cores }: ScaleRecord): string[] {
  const sent = Object.entries(requests).map(([phase, counts]) => {
    const lines = columns(
      Object.entries(counts)
        .slice(0, mostKinds)
        .map(([words, count]) => [String(count), words]),
    );
    return `### Requests at ${nodes} nodes: ${phase}\n\n\`\`\`text\n${lines.join('\n')}\n\`\`\``;
  });
  const phases = Object.keys(cores);
  if (phases.length === 0) return sent;
  const programs = [...new Set(phases.flatMap((phase) => Object.keys(cores[phase] ?? {})))];
  const table = [
    row(['program', ...phases]),
    row(['---', ...phases.map(() => '---:')]),
    ...programs.map((name) => row([name, ...phases.map((phase) => (cores[phase]?.[name] ?? 0).toFixed(2))])),
  ].join('\n');
  return [`### Cores at ${nodes} nodes\n\n${table}`, ...sent];
}

function machines(records: readonly ScaleRecord[]): string {
  const texts = new Map<string, string[]>();
  for (const record of records) {
    const text = [...record.machine, `command: \`${record.command}\``].map((line) => `- ${line}`).join('\n');
    texts.set(text, [...(texts.get(text) ?? []), `${record.kind === 'soak' ? 'soak' : record.nodes} (${record.startedAt.slice(0, 10)})`]);
  }
  return [...texts].map(([text, of]) => `${of.join(', ')}:\n\n${text}`).join('\n\n');
}

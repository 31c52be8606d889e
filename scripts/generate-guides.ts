import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ADVICE, REASONS, type Reason } from '../src/core/reasons.ts';
import { alerts } from './monitoring/alerts.ts';
import { metricsIn, registeredMetrics } from './monitoring/known-metrics.ts';
import { stolenTokenGuide } from './stolen-token.ts';

const generated = (source: string) => `<!-- Generated from ${source} by scripts/generate-guides.ts: edit it there. -->\n`;

/** The guides that repeat what the code says: paths from the repository's root, and what they must hold. */
export const guideFiles = (): ReadonlyMap<string, string> =>
  new Map([
    ['docs/reasons.md', reasonsGuide()],
    ['docs/metrics.md', metricsGuide()],
    ['docs/stolen-token.md', `${generated('scripts/stolen-token.ts')}${stolenTokenGuide()}`],
  ]);

function reasonsGuide(): string {
  const reasons = (Object.keys(REASONS) as Reason[]).sort();
  return `${generated('src/core/reasons.ts')}
# Every reason, and what to do

A node shows one reason at a time: in \`kubectl get nodeupdates\`, in its Events, in the controller's log, in the metric \`lockkeeper_node_phase\`.
Its message (\`kubectl get nodeupdates -o wide\`, \`kubectl lockkeeper status\`) says more: which pod, which node, until when, which command.
The names are API: new ones may come, none changes its meaning. From symptoms to reasons: [troubleshooting.md](troubleshooting.md).
The commands are those of [kubectl lockkeeper](kubectl.md); each is one annotation, which you can also write yourself ([README](../README.md#steer-it)).

| reason | what it means | what to do |
|---|---|---|
${reasons.map((reason) => `| <a id="${reason}"></a>\`${reason}\` | ${cell(REASONS[reason])} | ${cell(ADVICE[reason])} |`).join('\n')}
`;
}

function metricsGuide(): string {
  const metrics = registeredMetrics();
  const alertsOf = (name: string) =>
    alerts
      .filter(({ expr }) => metricsIn(expr).some((found) => found.replace(/_(bucket|sum|count)$/, '') === name))
      .map(({ alert }) => alert);
  const own = metrics.filter(({ name }) => !isOfProcess(name) && !isBrupop(name));
  const row = ({ name, type, labels, help }: (typeof metrics)[number], ...more: readonly string[]) =>
    `| \`${name}\` | ${type} | ${code(labels)} | ${[cell(help), ...more].join(' | ')} |`;
  return `${generated('src/controller/metrics.ts')}
# Every metric

Each controller tells them on port 8080 at \`/metrics\`, in Prometheus' text format; the agents have none. Nodes and policies are told of by the
leader alone: ask with \`max by (…)\`, so that a change of leaders shows nothing twice. A histogram has \`_bucket\`, \`_sum\` and \`_count\`.
How Prometheus and Grafana find them: [the chart's README](../charts/lockkeeper/README.md#watch-it). What \`reason\` may be: [reasons.md](reasons.md).

| metric | type | labels | what it tells | alerts |
|---|---|---|---|---|
${own.map((metric) => row(metric, code(alertsOf(metric.name)))).join('\n')}

## Alerts

They are in [alerts.yaml](../charts/lockkeeper/files/alerts.yaml), as Prometheus reads them.

| alert | after | severity | what it tells |
|---|---|---|---|
${alerts.map((one) => `| \`${one.alert}\` | ${one.for} | ${one.labels.severity} | ${cell(withoutTemplates(one.annotations.summary))} |`).join('\n')}

## Of the OS's existing operator

With the chart value \`monitoring.brupopMetrics\` also these, for dashboards made for it: [migration.md](migration.md#metrics).

| metric | type | labels | what it tells |
|---|---|---|---|
${metrics
  .filter(({ name }) => isBrupop(name))
  .map((metric) => row(metric))
  .join('\n')}

## Of the process

As prom-client tells them of any program of Node.js; on Linux also ${code(OF_LINUX)}.

| metric | type | labels | what it tells |
|---|---|---|---|
${metrics
  .filter(({ name }) => isOfProcess(name) && !OF_LINUX.includes(name))
  .map((metric) => row(metric))
  .join('\n')}
`;
}

/** What a controller on another system, where somebody may generate this, does not tell. */
const OF_LINUX = ['open_fds', 'max_fds', 'heap_bytes', 'virtual_memory_bytes'].map((name) => `lockkeeper_process_${name}`);
const isOfProcess = (name: string) => /^lockkeeper_(process|nodejs)_/.test(name);
const isBrupop = (name: string) => name.startsWith('brupop_');
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');
/** An alert's text without what Prometheus puts in: \`{{ $labels.node }}\` is NODE, \`{{ $value }}\` is N. */
const withoutTemplates = (text: string) =>
  text.replaceAll(/\{\{\s*\$labels\.(\w+)\s*\}\}/g, (_, label: string) => label.toUpperCase()).replaceAll(/\{\{\s*\$value[^}]*\}\}/g, 'N');

/** Paths of the guides below `root` that are missing or hold something else. */
export async function staleGuides(root: string): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, content] of guideFiles())
    if ((await readFile(join(root, path), 'utf8').catch(() => undefined)) !== content) stale.push(path);
  return stale;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  for (const path of await staleGuides(root)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), guideFiles().get(path) ?? '');
    console.log(`wrote ${path}`);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import color from 'picocolors';
import type { NodeUpdateStatus } from '../../src/api/node-update.ts';
import type { KubeObject } from '../bed/api.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { isUnavailable, mostAtOnce, type WatchHistory } from '../bed/watch-history.ts';
import { RequirementError } from '../nodes/requirements.ts';
import { type DemoBed, demoStages } from './beds.ts';
import { type DemoEnvironment, demoEnvironment } from './config.ts';
import { startDashboard } from './dashboard.ts';
import { createScreen, type Row } from './screen.ts';
import { shop } from './workload.ts';

const from = '1.26.0';
const to = '1.26.1';
const limitMs = 10 * 60_000;

type NodeUpdateObject = KubeObject & { status?: NodeUpdateStatus };
type BudgetObject = KubeObject & { status?: { currentHealthy: number; desiredHealthy: number; expectedPods: number } };

const screen = createScreen(process.stdout);
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort(new Error(`ended by ${name}`)));

process.exitCode = await main();

async function main(): Promise<number> {
  let environment: DemoEnvironment;
  try {
    environment = demoEnvironment();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 2;
  }
  const stage = demoStages[environment.bed](environment.nodes);
  let demo: DemoBed | undefined;
  let failed = true;
  try {
    screen.say(color.dim(`starting ${stage.parts} …`));
    const leave = () => process.exit(130);
    if (stage.endsWithProcess) stop.signal.addEventListener('abort', leave);
    demo = await stage.start(from);
    stop.signal.removeEventListener('abort', leave);
    failed = !(await run(demo, environment.nodes));
    if (environment.keep) await keep(demo);
  } catch (error) {
    screen.say(
      color.red(error instanceof RequirementError ? error.message : `failed: ${error instanceof Error ? error.message : String(error)}`),
    );
  } finally {
    await demo?.bed.stop({ keepLogs: failed });
    if (failed && demo !== undefined) screen.say(color.dim(`logs are in ${demo.bed.home.out}`));
  }
  return failed ? 1 : 0;
}

async function run({ bed, container, release }: DemoBed, count: number): Promise<boolean> {
  stop.signal.throwIfAborted();
  const nodes = await bed.nodeHistory();
  const names = [...new Set(nodes.versions.map(({ object }) => object.metadata.name))].sort(inNumericalOrder);
  await bed.client.apply(...shop(count * 2, container));
  screen.say(color.dim(`${count} nodes with Bottlerocket OS ${from} in ${Math.min(3, count)} zones; installing the chart …`));
  await bed.installChart({
    values: { defaultPolicy: { spec: { approval: 'Automatic', version: { refreshInterval: '2s' }, rollout: { minReadySeconds: 1 } } } },
  });
  const dashboard = await startDashboard(bed, stop.signal);
  screen.say(`${color.dim('the dashboard, live, while this runs:')} ${dashboard}`);
  const budgets = await bed.history<BudgetObject>('/apis/policy/v1/poddisruptionbudgets');
  const updates = await bed.history<NodeUpdateObject>('/apis/lockkeeper.dev/v1alpha1/nodeupdates');
  await bed.eventually(() => latest(updates).filter(({ status }) => status?.reason === 'UpToDate').length === count, {
    timeoutMs: 120_000,
    signal: stop.signal,
  });
  await bed.eventually(() => latest(budgets).some(({ status }) => status !== undefined && status.currentHealthy === count * 2), {
    timeoutMs: 60_000,
    signal: stop.signal,
  });

  const started = performance.now();
  const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1);
  const firstBudget = budgets.versions.length;
  screen.say(`\nrelease ${color.bold(to)} appears in the update repository\n`);
  await release(to);
  for (;;) {
    stop.signal.throwIfAborted();
    const rows = rowsOf(names, nodes, updates);
    screen.show(`${seconds()} s ${await summary(bed)}`, rows);
    if (rows.every(({ version, available, phase }) => version === to && available && phase === 'Idle')) break;
    if (performance.now() - started > limitMs) throw new Error(`not all nodes run ${to} after ${limitMs / 60_000} minutes`);
    await sleep(100, undefined, { signal: stop.signal });
  }
  const worst = mostAtOnce(
    nodes.versions.filter(({ at }) => at >= performance.timeOrigin + started),
    isUnavailable,
  ).count;
  const below = budgets.versions
    .slice(firstBudget)
    .reduce((most, { object: { status } }) => Math.max(most, status === undefined ? 0 : status.desiredHealthy - status.currentHealthy), 0);
  const line = `${count} nodes ${from} -> ${to} in ${seconds()} s, at most ${worst} unavailable, ${below} pods below budget`;
  const good = worst <= 1 && below === 0;
  screen.say(`\n${good ? color.green(line) : color.red(line)}`);
  return good;
}

async function keep({ bed }: DemoBed): Promise<void> {
  screen.say(
    `\nThe cluster stays up until you press Ctrl-C. Look around by the dashboard's URL above, or with:\n\n  export KUBECONFIG=${bed.kubeconfig}\n  kubectl get updatepolicies,nodeupdates,nodehosts\n`,
  );
  await new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve();
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function summary(bed: DemoBed['bed']): Promise<string> {
  const policy = await bed.client.get<KubeObject & { status?: { summary?: string } }>(
    '/apis/lockkeeper.dev/v1alpha1/updatepolicies/default',
  );
  return policy.status?.summary ?? '';
}

function rowsOf(names: readonly string[], nodes: WatchHistory<NodeObject>, updates: WatchHistory<NodeUpdateObject>): Row[] {
  return names.map((name) => {
    const node = nodes.of(name).at(-1)?.object;
    const status = updates.of(name).at(-1)?.object.status ?? {};
    const version = /^Bottlerocket OS (\S+)/.exec(node?.status.nodeInfo.osImage ?? '')?.[1] ?? '?';
    return {
      node: name,
      zone: node?.metadata.labels?.['topology.kubernetes.io/zone'] ?? '',
      version,
      phase: status.phase ?? '',
      message: status.message ?? '',
      available: node !== undefined && !isUnavailable(node),
    };
  });
}

/** The last version of each object. */
function latest<T extends KubeObject>(history: WatchHistory<T>): T[] {
  const objects = new Map<string, T>();
  for (const { object, type } of history.versions) {
    if (type === 'DELETED') objects.delete(object.metadata.name);
    else objects.set(object.metadata.name, object);
  }
  return [...objects.values()];
}

function inNumericalOrder(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

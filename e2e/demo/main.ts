import { setTimeout as sleep } from 'node:timers/promises';
import color from 'picocolors';
import type { NodeUpdateStatus } from '../../src/api/node-update.ts';
import type { KubeObject } from '../bed/api.ts';
import { type Bed, startBed } from '../bed/bed.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { isUnavailable, mostAtOnce, type WatchHistory } from '../bed/watch-history.ts';
import { createScreen, type Row } from './screen.ts';
import { shop } from './workload.ts';

const from = '1.26.0';
const to = '1.26.1';
const variant = 'aws-k8s-1.31';
const limitMs = 10 * 60_000;
/** Slow enough to be watched, quick enough not to bore. */
const timings = { refreshMs: 200, prepareMs: 1200, activateMs: 100, rebootCommandMs: 50, bootMs: 1500, renderMs: 50 };

type NodeUpdateObject = KubeObject & { status?: NodeUpdateStatus };
type BudgetObject = KubeObject & { status?: { currentHealthy: number; desiredHealthy: number; expectedPods: number } };

const screen = createScreen(process.stdout);
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort(new Error(`ended by ${name}`)));

process.exitCode = await main();

async function main(): Promise<number> {
  const count = Number(process.env['DEMO_NODES'] ?? '5');
  if (!Number.isInteger(count) || count < 1 || count > 50) {
    console.error('DEMO_NODES must be a whole number from 1 to 50');
    return 2;
  }
  let bed: Bed | undefined;
  let failed = true;
  try {
    screen.say(color.dim('starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok …'));
    bed = await startBed({ name: 'demo', releases: [{ version: from, variant, arch: 'x86_64' }] });
    failed = !(await run(bed, count));
    if (process.env['DEMO_KEEP'] === '1') await keep(bed);
  } catch (error) {
    screen.say(color.red(`failed: ${error instanceof Error ? error.message : String(error)}`));
  } finally {
    await bed?.stop({ keepLogs: failed });
    if (failed && bed !== undefined) screen.say(color.dim(`logs are in ${bed.home.out}`));
  }
  return failed ? 1 : 0;
}

async function run(bed: Bed, count: number): Promise<boolean> {
  stop.signal.throwIfAborted();
  const nodes = await bed.nodeHistory();
  const machines = await bed.addMachines(count, { host: { timings } });
  await bed.client.apply(...shop(count * 2));
  screen.say(color.dim(`${count} nodes with Bottlerocket OS ${from} in ${Math.min(3, count)} zones; installing the chart …`));
  await bed.installChart({
    values: { defaultPolicy: { spec: { approval: 'Automatic', version: { refreshInterval: '2s' }, rollout: { minReadySeconds: 1 } } } },
  });
  const budgets = await bed.history<BudgetObject>('/apis/policy/v1/poddisruptionbudgets');
  const updates = await bed.history<NodeUpdateObject>('/apis/lockkeeper.dev/v1alpha1/nodeupdates');
  await bed.eventually(() => latest(updates).filter(({ status }) => status?.reason === 'UpToDate').length === count, {
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
  bed.repository.releases.push({ version: to, variant, arch: 'x86_64' });
  for (;;) {
    stop.signal.throwIfAborted();
    const rows = rowsOf(
      machines.map(({ name }) => name),
      nodes,
      updates,
    );
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

async function keep(bed: Bed): Promise<void> {
  screen.say(
    `\nThe cluster stays up until you press Ctrl-C. Look around with:\n\n  export KUBECONFIG=${bed.kubeconfig}\n  kubectl get updatepolicies,nodeupdates,nodehosts\n`,
  );
  await new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve();
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function summary(bed: Bed): Promise<string> {
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

import type { AuditEntry } from '../bed/audit.ts';
import { type BenchBed, onBenchBed } from './bench-bed.ts';
import { atMost, type Family } from './figure.ts';
import { columns } from './requests.ts';

const samples = 5;
const target = '1.26.1';
/** All of them are drained at once; one node more, because a policy never takes all. */
const nodes = samples + 1;
const policy = { approval: 'Automatic', version: { refreshInterval: '5s' }, rollout: { minReadySeconds: 0, maxUnavailable: samples } };
/** The longest wait between two tries is 30 s, less up to a fifth of it. */
const backedOffMs = 23_000;
/** So long after a try the next one is far away: what evicts then is the watch. */
const lullMs = 10_000;

interface Attempt {
  readonly at: number;
  readonly code: number;
}

/** Budgets that have been shut until the retries are at their most seldom open one after the other. */
export const budget: Family = {
  name: 'budget',
  figures: ['budget_open_to_evicted'],
  run: (context) =>
    onBenchBed(context, { nodes, policy }, async (bench) => {
      const { bed, release, updated, until } = bench;
      const names = bench.machines.slice(0, samples).map(({ name }) => name);
      for (const name of names) await startGuarded(bench, name);
      context.say(`${samples} nodes are drained, each with a pod whose budget is shut, until the retries are 24 to 30 s apart`);
      const mark = await bed.audit.mark();
      const attempts = async () => attemptsIn(await bed.audit.find({ resource: 'pods', subresource: 'eviction' }, mark));
      release(target);
      await until(async () => {
        const tried = await attempts();
        return names.every((name) => hasBackedOff(tried.get(name) ?? []));
      }, 240_000);

      const waits: number[] = [];
      for (const name of names) {
        await until(async () => {
          const last = (await attempts()).get(name)?.at(-1);
          return last !== undefined && Date.now() - last.at < lullMs;
        }, 90_000);
        context.say(`the budget of ${name} opens`);
        const opening = await bed.audit.mark();
        await bed.client.patch(`${budgets}/${name}`, { spec: { minAvailable: 0 } });
        await until(async () => acceptedOf(await attempts(), name) !== undefined);
        const opened = (
          await bed.audit.find({ verb: 'update', resource: 'poddisruptionbudgets', subresource: 'status', name }, opening)
        )[0];
        const evicted = acceptedOf(await attempts(), name);
        if (opened === undefined || evicted === undefined) throw new Error(`the audit log does not show how the budget of ${name} opened`);
        waits.push((evicted.at - Date.parse(opened.stageTimestamp)) / 1000);
      }
      await updated(target, 120_000);
      return {
        figures: [atMost(1, 'budget_open_to_evicted', 's', Math.max(...waits), 3)],
        notes: [
          {
            title: `From the status write that opens a budget to the accepted eviction (the longest of ${samples} counts)`,
            lines: columns(waits.map((seconds, index) => [`${seconds.toFixed(3)} s`, names[index] ?? ''])),
          },
        ],
      };
    }),
};

const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';

/** One pod that may run on one node only, under a budget of its own that yields nothing. */
async function startGuarded({ bed, until }: BenchBed, node: string): Promise<void> {
  const labels = { app: node };
  await bed.client.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: node, namespace: 'default' },
      spec: {
        // The other one finds no place: a budget that could never allow an eviction would keep the node from being drained at all.
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [{ name: 'work', image: 'work' }],
            nodeSelector: { 'kubernetes.io/hostname': node },
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
                ],
              },
            },
          },
        },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: node, namespace: 'default' },
      spec: { minAvailable: 1, selector: { matchLabels: labels } },
    },
  );
  await until(async () => {
    const { status } = await bed.client.get<{ status?: { currentHealthy?: number; expectedPods?: number } }>(`${budgets}/${node}`);
    return status?.currentHealthy === 1 && status.expectedPods === 2;
  });
}

/** The answers to evictions by the name of their Deployment, which is the node's. */
function attemptsIn(entries: readonly AuditEntry[]): Map<string, Attempt[]> {
  const attempts = new Map<string, Attempt[]>();
  for (const { objectRef, responseStatus, stageTimestamp } of entries) {
    const deployment = objectRef?.name?.replace(/-[^-]+-[^-]+$/, '') ?? '';
    const known = attempts.get(deployment) ?? [];
    known.push({ at: Date.parse(stageTimestamp), code: responseStatus?.code ?? 0 });
    attempts.set(deployment, known);
  }
  return attempts;
}

const acceptedOf = (attempts: ReadonlyMap<string, Attempt[]>, name: string): Attempt | undefined =>
  attempts.get(name)?.find(({ code }) => code === 201);

function hasBackedOff(attempts: readonly Attempt[]): boolean {
  const [before, last] = attempts.slice(-2);
  return before !== undefined && last !== undefined && last.at - before.at >= backedOffMs;
}

import type { AuditEntry } from '../bed/audit.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { isUnavailable } from '../bed/watch-history.ts';
import { type BenchBed, onBenchBed } from './bench-bed.ts';
import { atMost, type BenchContext, type Family, median } from './figure.ts';
import { columns } from './requests.ts';

const rounds = 2;
const deployments = 10;
const replicas = 50;
const pods = deployments * replicas;
const target = '1.26.1';
/** All nodes are paused but the one whose turn it is; the others are kubectl's, or spare. */
const paused = 'lockkeeper.dev/paused';
const spareLabel = 'bench.lockkeeper.dev/spare';
const policy = {
  approval: 'Automatic',
  version: { refreshInterval: '5s' },
  rollout: { minReadySeconds: 0 },
};

/** One drain, by the API server's audit log. */
interface Drain {
  /** From the cordon's arrival until who drains knows that nothing is left: our Reboot order, kubectl's end. In seconds. */
  readonly seconds: number;
  /** From the cordon's arrival to the last accepted eviction, in seconds. */
  readonly evicted: number;
  readonly refused: number;
}

/** The same node, full of pods under budgets, is drained by kubectl and by us, in turn, which of them first alternating. */
export const drain: Family = {
  name: 'drain',
  figures: ['drain_vs_kubectl'],
  run: (context) =>
    onBenchBed(context, { nodes: 2 * rounds + 1, policy, podsPerNode: pods + 50, controllerQps: 500 }, async (bench) => {
      const names = bench.machines.map(({ name }) => name);
      const spare = names.pop() ?? '';
      await bench.bed.client.patch(`/api/v1/nodes/${spare}`, { metadata: { labels: { [spareLabel]: 'true' } } });
      for (const name of [...names, spare]) await annotate(bench, name, { [paused]: 'true' });
      bench.release(target);
      const measured: { ours: Drain; kubectls: Drain }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const [mine = '', kubectls = ''] = names.splice(0, 2);
        const ways = [
          ['ours', mine, drainByUs],
          ['kubectls', kubectls, drainByKubectl],
        ] as const;
        const results: Partial<Record<'ours' | 'kubectls', Drain>> = {};
        for (const [who, node, run] of round % 2 === 0 ? ways : ways.toReversed()) {
          await fill(bench, node, spare, context);
          context.say(`round ${round + 1} of ${rounds}: ${who === 'ours' ? 'our drain' : 'kubectl drain'} of ${node} with ${pods} pods`);
          results[who] = await run(bench, node);
          await clear(bench, node);
        }
        const { ours, kubectls: theirs } = results;
        if (ours === undefined || theirs === undefined) throw new Error('a round was not whole');
        measured.push({ ours, kubectls: theirs });
      }
      const ratio = median(measured.map(({ ours, kubectls }) => ours.seconds / kubectls.seconds));
      const line = ({ seconds, evicted, refused }: Drain) =>
        `${seconds.toFixed(2)} s (last eviction after ${evicted.toFixed(2)} s, ${refused} refused)`;
      return {
        figures: [atMost(1, 'drain_vs_kubectl', 'times', ratio, 3)],
        notes: [
          {
            title: `${pods} pods of zero grace under ${deployments} budgets of 20 %: our drain, and kubectl drain on the same bed (the median of the ratios counts)`,
            lines: columns(
              measured.map(({ ours, kubectls }) => [
                (ours.seconds / kubectls.seconds).toFixed(3),
                `ours ${line(ours)}; kubectl ${line(kubectls)}`,
              ]),
            ),
          },
        ],
      };
    }),
};

async function annotate({ bed }: BenchBed, node: string, annotations: Record<string, string | null>): Promise<void> {
  await bed.client.patch(`/api/v1/nodes/${node}`, { metadata: { annotations } });
}

async function drainByUs(bench: BenchBed, node: string): Promise<Drain> {
  const { bed, until } = bench;
  const mark = await bed.audit.mark();
  await annotate(bench, node, { [paused]: null });
  const ordered = async () => (await bed.audit.find({ verb: 'patch', resource: 'nodehosts', name: node, code: 200 }, mark)).find(isReboot);
  let end: AuditEntry | undefined;
  await until(async () => {
    end = await ordered();
    return end !== undefined;
  }, 300_000);
  return measuredBetween(await bed.audit.since(mark), node, Date.parse(end?.stageTimestamp ?? ''));
}

async function drainByKubectl({ bed }: BenchBed, node: string): Promise<Drain> {
  const mark = await bed.audit.mark();
  await bed.kubectl('drain', node, '--ignore-daemonsets', '--delete-emptydir-data');
  const end = Date.now();
  return measuredBetween(await bed.audit.since(mark), node, end);
}

function measuredBetween(entries: readonly AuditEntry[], node: string, end: number): Drain {
  const cordon = entries.find(
    ({ verb, objectRef, requestObject }) =>
      verb === 'patch' &&
      objectRef?.resource === 'nodes' &&
      objectRef.name === node &&
      (requestObject as { spec?: { unschedulable?: boolean } } | undefined)?.spec?.unschedulable === true,
  );
  const evictions = entries.filter(({ objectRef }) => objectRef?.subresource === 'eviction');
  const accepted = evictions.filter(({ responseStatus }) => responseStatus?.code === 201);
  if (cordon === undefined || accepted.length < pods) throw new Error(`the audit log shows ${accepted.length} evictions from ${node}`);
  const begin = Date.parse(cordon.requestReceivedTimestamp);
  return {
    seconds: (end - begin) / 1000,
    evicted: (Math.max(...accepted.map(({ stageTimestamp }) => Date.parse(stageTimestamp))) - begin) / 1000,
    refused: evictions.length - accepted.length,
  };
}

function isReboot({ requestObject }: AuditEntry): boolean {
  return (requestObject as { spec?: { order?: { action?: string } } } | undefined)?.spec?.order?.action === 'Reboot';
}

const work = Array.from({ length: deployments }, (_, index) => `work-${index}`);
const deploymentsPath = '/apis/apps/v1/namespaces/default/deployments';
const budgetsPath = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';

/** Fills a node with pods that may move to the spare one, which is cordoned meanwhile. */
async function fill({ bed, until }: BenchBed, node: string, spare: string, { say }: BenchContext): Promise<void> {
  say(`${pods} pods start on ${node}`);
  await bed.kubectl('cordon', spare);
  await bed.client.apply(...work.flatMap((name) => workOn(name, node)));
  await until(async () => {
    const { items } = await bed.client.get<{ items: { status?: { readyReplicas?: number } }[] }>(deploymentsPath);
    const budgets = await bed.client.list<{ status?: { currentHealthy?: number } }>(budgetsPath);
    const ready = items.filter(({ status }) => status?.readyReplicas === replicas).length === deployments;
    return ready && budgets.length === deployments && budgets.every(({ status }) => status?.currentHealthy === replicas);
  }, 240_000);
  const here = await bed.client.list('/api/v1/pods', { fieldSelector: `spec.nodeName=${node},metadata.namespace=default` });
  if (here.length !== pods) throw new Error(`${here.length} of ${pods} pods are on ${node}`);
  await bed.kubectl('uncordon', spare);
}

/** Takes the pods away; a node that kubectl has drained would else hold our one slot. */
async function clear({ bed, until }: BenchBed, node: string): Promise<void> {
  for (const name of work) {
    await bed.client.delete(`${deploymentsPath}/${name}`);
    await bed.client.delete(`${budgetsPath}/${name}`);
  }
  await until(async () => (await bed.client.list('/api/v1/namespaces/default/pods', { limit: 1 })).length === 0, 240_000);
  const { metadata } = await bed.client.get<NodeObject>(`/api/v1/nodes/${node}`);
  if (metadata.annotations?.[paused] !== undefined) await bed.kubectl('uncordon', node);
  await until(async () => !isUnavailable(await bed.client.get<NodeObject>(`/api/v1/nodes/${node}`)), 60_000);
}

function workOn(name: string, node: string): object[] {
  const labels = { app: name };
  const nodeSelectorTerms = [
    { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
    { matchExpressions: [{ key: spareLabel, operator: 'Exists' }] },
  ];
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'work', image: 'work' }], affinity: { nodeAffinity } },
        },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, namespace: 'default' },
      spec: { maxUnavailable: '20%', selector: { matchLabels: labels } },
    },
  ];
}

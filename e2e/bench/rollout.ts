import type { KubeObject } from '../bed/api.ts';
import { type BenchBed, onBenchBed, workLabel } from './bench-bed.ts';
import { atMost, type Family, forInformation, median, type Note } from './figure.ts';
import { type NodeTimes, timesOf } from './node-times.ts';
import { columns, describeRequest, type ProductRequest, productRequests, tally } from './requests.ts';

const nodes = 15;
const podsPerNode = 3;
const target = '1.26.1';
const policy = { approval: 'Automatic', version: { refreshInterval: '5s' }, rollout: { minReadySeconds: 0 } };

/** The budget for one node's update. */
const budget: readonly (readonly [words: string, requests: number, pattern: RegExp])[] = [
  ['NodeUpdate status', 6, /^controller patch nodeupdates\/status/],
  ['NodeHost spec', 2, /^controller patch nodehosts/],
  ['NodeHost status', 5, /^agent patch nodehosts\/status/],
  ["agent's reads after its boot", 2, /^agent (get|list|watch) nodehosts/],
  ['Node', 2, /^controller patch nodes/],
  ['policy status', 2, /^controller patch updatepolicies\/status/],
  ['pods', 3, /^controller (get|list|watch) pods/],
  ['reserve: all others', 3, /./],
];

/** One release rolls over nodes with a few pods each, one node at a time. */
export const rollout: Family = {
  name: 'rollout',
  figures: ['overhead_per_node_p50', 'api_requests_per_node', 'events_per_node', 'evictions_per_node', 'rollout_nodes_per_minute'],
  run: (context) =>
    onBenchBed(context, { nodes, policy }, async (bench) => {
      const { bed, release, updated, quiet } = bench;
      await startWork(bench);
      await quiet(2_000, 60_000);
      context.say(`release ${target} appears; ${nodes} nodes with ${podsPerNode} pods each are updated, one at a time`);
      const mark = await bed.audit.mark();
      const from = Date.now();
      release(target);
      await updated(target, 240_000);
      await quiet(3_000, 60_000);

      const requests = await productRequests(bed.audit, mark, from);
      const times = timesOf(await bed.audit.since(mark));
      const counted = requests.filter((request) => request.kind === 'other' && !isProofRenewal(request));
      const each = (kind: ProductRequest['kind']) => requests.filter((request) => request.kind === kind).length / nodes;
      const overheads = times.map(({ claimed, uncordoned }) => (uncordoned - claimed) / 1000);
      const spanMs = Math.max(...times.map(({ uncordoned }) => uncordoned)) - Math.min(...times.map(({ claimed }) => claimed));
      if (times.length !== nodes) throw new Error(`the audit log shows a claim and an uncordon for ${times.length} of ${nodes} nodes`);
      return {
        figures: [
          atMost(1, 'overhead_per_node_p50', 's', median(overheads), 3),
          atMost(25, 'api_requests_per_node', 'requests', counted.length / nodes, 1),
          forInformation('events_per_node', 'requests', each('event'), 1),
          forInformation('evictions_per_node', 'requests', each('eviction'), 1),
          forInformation('rollout_nodes_per_minute', 'nodes/min', (nodes * 60_000) / spanMs, 1),
        ],
        notes: [timeNote(times, overheads), budgetNote(counted), requestNote(requests)],
      };
    }),
};

/** A Deployment, evenly spread, whose budget never stands in the way of one node. */
async function startWork({ bed, until }: BenchBed): Promise<void> {
  const labels = { app: 'work' };
  const replicas = nodes * podsPerNode;
  const spread = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: labels },
  };
  await bed.client.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'work', namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { containers: [{ name: 'work', image: 'work' }], nodeSelector: workLabel, topologySpreadConstraints: [spread] },
        },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'work', namespace: 'default' },
      spec: { maxUnavailable: '50%', selector: { matchLabels: labels } },
    },
  );
  await until(async () => {
    const { status } = await bed.client.get<KubeObject & { status?: { readyReplicas?: number } }>(
      '/apis/apps/v1/namespaces/default/deployments/work',
    );
    return status?.readyReplicas === replicas;
  });
}

/**
 * A staged node that waits for its turn says after each refresh when its host was last commanded: at the default interval
 * that is one write an hour, and belongs to the waiting, not to the update.
 */
function isProofRenewal({ who, resource, entry }: ProductRequest): boolean {
  if (who !== 'agent' || resource !== 'nodehosts/status') return false;
  const { status = {} } = (entry.requestObject ?? {}) as { status?: { staged?: object } };
  return Object.keys(status).join() === 'staged' && Object.keys(status.staged ?? {}).join() === 'lastCommandAt';
}

type Step = Exclude<keyof NodeTimes, 'node'>;

function timeNote(times: readonly NodeTimes[], overheads: readonly number[]): Note {
  const sorted = overheads.toSorted((a, b) => a - b);
  const step = (from: Step, to: Step) => `${median(times.map((node) => node[to] - node[from])).toFixed(0)} ms`;
  return {
    title: 'Where the time of one node goes (medians)',
    lines: [
      ...columns([
        [step('claimed', 'cordoned'), 'claim -> cordon (the pods are listed)'],
        [step('cordoned', 'ordered'), 'cordon -> Reboot order (evictions; pods end at once)'],
        [step('ordered', 'asked'), "Reboot order -> the agent's fence"],
        [step('asked', 'booted'), "fence -> another boot ID on the Node (the bed's host and kubelet)"],
        [step('booted', 'uncordoned'), 'boot ID -> uncordon (the DaemonSet pods are Ready again: the bed starts the agent process)'],
      ]),
      `least ${sorted[0]?.toFixed(3)} s, most ${sorted.at(-1)?.toFixed(3)} s`,
    ],
  };
}

function budgetNote(counted: readonly ProductRequest[]): Note {
  const left = new Set(counted);
  const rows = budget.map(([words, requests, pattern]): [string, string] => {
    const mine = [...left].filter((request) => pattern.test(describeRequest(request)));
    for (const request of mine) left.delete(request);
    return [(mine.length / nodes).toFixed(1), `of ${requests}  ${words}`];
  });
  return { title: 'Requests for one node, against the budget', lines: columns(rows) };
}

function requestNote(requests: readonly ProductRequest[]): Note {
  const apart = (request: ProductRequest) => {
    if (isProofRenewal(request)) return ', a proof kept fresh while it waits: not counted';
    return { lease: ', not counted', event: ', counted apart', eviction: ', counted apart', other: '' }[request.kind];
  };
  const rows = tally(requests, (request) => describeRequest(request) + apart(request));
  return {
    title: `All requests of controller and agents during the rollout, by node (of ${nodes})`,
    lines: columns(rows.map(([words, count]) => [(count / nodes).toFixed(2), words])),
  };
}

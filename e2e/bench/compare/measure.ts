import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Bed, startBed } from '../../bed/bed.ts';
import type { Machine } from '../../bed/machine.ts';
import { aborted, noDelay } from '../bench-bed.ts';
import { cpuSeconds } from '../scale/processes.ts';
import { readyPods, startWorkload } from '../scale/workload.ts';
import {
  type CompareOptions,
  type Contestant,
  ContestantError,
  type Entered,
  from,
  infraLabel,
  type StageContext,
  to,
  workLabel,
} from './contestant.ts';
import { figuresOf, gapsOf, type Observations, type PartMemory, type Span } from './figures.ts';
import type { Part } from './foreign-pods.ts';
import { type Held, memoryOfGroups } from './process-groups.ts';
import type { Result } from './result.ts';
import { evictedPods, type Sent, sentWithin, watchesOpenAt } from './sent-requests.ts';
import { type ClusterWatch, watchCluster } from './watch-cluster.ts';

export interface MeasureContext {
  /** The folder that stands for the image's /app. */
  readonly app: string;
  /** Aborted where a person ends the run. */
  readonly signal: AbortSignal;
  /** Tells a person what is being done. */
  say(text: string): void;
}

const variant = 'aws-k8s-1.31';
const auditPolicy = fileURLToPath(new URL('audit-policy.yaml', import.meta.url));
/** What is written after the last node is back belongs to the rollout too. */
const afterwardsMs = 5_000;
/** The control plane has its own work to end when nodes and pods are new. */
const restMs = 5_000;
const aloneMs = 10_000;
const sampleMs = 1_000;
/** A rollout of which no node has come further for so long is over. */
const saidEveryMs = 15_000;

/** Runs one contestant on a bed of its own, from nothing to the end of its rollout; the bed is always ended. */
export async function measure(contestant: Contestant, options: CompareOptions, { app, signal, say }: MeasureContext): Promise<Result> {
  signal.throwIfAborted();
  const { nodes, podsPerNode } = options;
  say(`starting a control plane, ${nodes} nodes and ${nodes * podsPerNode} pods`);
  const failing = new AbortController();
  const ended = AbortSignal.any([signal, failing.signal]);
  const bed = await startBed({ app, auditPolicy, controllerQps: 500, releases: [{ version: from, variant, arch: 'x86_64' }] });
  const stage: StageContext = { bed, options, signal: ended, say, onError: (error) => failing.abort(error) };
  const closers: (() => Promise<void>)[] = [];
  let broken = true;
  try {
    const result = await Promise.race([run(contestant, stage, closers), aborted(ended)]);
    broken = false;
    return result;
  } finally {
    await Promise.allSettled(closers.map((close) => close()));
    await bed.stop({ keepLogs: broken && !signal.aborted });
    if (broken && !signal.aborted) say(`logs are in ${bed.home.out}`);
  }
}

async function run(contestant: Contestant, stage: StageContext, closers: (() => Promise<void>)[]): Promise<Result> {
  const { bed, options, signal, say, onError } = stage;
  const { name, caveats, labels, annotations } = contestant;
  const machines = await settle(stage, labels, annotations);
  const watch = await watchCluster(bed.client, `${workLabel}=true`, onError);
  closers.push(watch.stop);
  const server = serverOf(bed);
  say('measuring the control plane alone');
  await sleep(restMs, undefined, { signal });
  const cpuBefore = await cpuSeconds(server);
  await sleep(aloneMs, undefined, { signal });
  const serverCoresAlone = ((await cpuSeconds(server)) - cpuBefore) / (aloneMs / 1_000);

  say(`installing ${name}`);
  let entered: Entered;
  try {
    entered = await contestant.enter(stage);
  } catch (error) {
    if (!(error instanceof ContestantError)) throw error;
    return { name, outcome: { state: 'Failed', why: error.message }, figures: {}, kinds: {}, notes: caveats };
  }
  closers.push(entered.stop);
  await sleep(restMs, undefined, { signal });

  say(`nothing happens for ${options.idleMs / 1_000} s: counting requests`);
  const idle = await spanOf(bed, async () => {
    const memory = await sampled(entered, () => sleep(options.idleMs, undefined, { signal }));
    return memory.mean;
  });

  say(`release ${to} appears`);
  watch.reset();
  const restartsBefore = entered.restarts;
  let why = '';
  const rollout = await spanOf(bed, async (startedAt) => {
    const memory = await sampled(entered, async () => {
      bed.repository.releases.push({ version: to, variant, arch: 'x86_64' });
      why = await roll(stage, entered, machines, watch);
    });
    const firstAt = watch.nodes.firstUnavailableAt;
    const lastAt = watch.nodes.lastBackAt;
    await sleep(afterwardsMs, undefined, { signal });
    return { memory: memory.peak, firstAt, lastAt, startedAt };
  });

  const entries = await bed.audit.since();
  const senders = { namespaces: entered.namespaces, agentPods: entered.agentPods };
  const withRequests = <T>({ from: begun, to: over, serverCpuSeconds }: Timed<T>): Span & { sent: Sent } => ({
    ms: over - begun,
    serverCpuSeconds,
    sent: sentWithin(entries, senders, begun, over),
  });
  const evicted = evictedPods(entries);
  const { firstAt, lastAt, startedAt, memory } = rollout.value;
  const updated = updatedOf(machines, watch);
  const partMemory = (part: Part): PartMemory | undefined => {
    const [before, during] = [idle.value[part], memory[part]];
    return before === undefined || during === undefined ? undefined : { idle: before, peak: during };
  };
  const seen: Observations = {
    nodes: options.nodes,
    updated,
    firstNodeMs: firstAt === undefined ? undefined : firstAt - startedAt,
    rolloutMs: firstAt === undefined || lastAt === undefined ? undefined : lastAt - firstAt,
    unavailableSeconds: watch.nodes.unavailableSeconds,
    mostUnavailable: watch.nodes.mostUnavailable,
    budgetsBroken: watch.budgetsBroken,
    podsTakenDown: watch.podsTakenDown.size,
    podsTakenDownWithoutEviction: [...watch.podsTakenDown].filter((pod) => !evicted.has(pod)).length,
    restarts: entered.restarts - restartsBefore,
    idle: withRequests(idle),
    idleWatchesOpen: watchesOpenAt(entries, senders, idle.to),
    rollout: withRequests(rollout),
    controllers: partMemory('controllers'),
    agents: partMemory('agents'),
    agentsRunning: idle.value.agentCount,
    serverCoresAlone,
  };
  const outcome = updated === options.nodes ? ({ state: 'Finished' } as const) : ({ state: 'DidNotFinish', why } as const);
  const gaps = gapsOf(seen).map((gap) => `${name}: ${gap}.`);
  return { name, outcome, figures: figuresOf(seen), kinds: seen.rollout.sent.kinds, notes: [...caveats, ...gaps] };
}

/** Machines and workload, the same for every contestant. */
async function settle(
  { bed, options, signal }: StageContext,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
) {
  const { nodes, podsPerNode } = options;
  for (const name of ['infra-1', 'infra-2']) {
    await bed.addMachine({ name, osImage: 'Debian GNU/Linux 12 (bookworm)', labels: { [infraLabel]: 'true' } });
  }
  const machines = await bed.addMachines(nodes, {
    version: from,
    variant,
    labels: { [workLabel]: 'true', ...labels },
    annotations,
    host: { timings: noDelay },
  });
  const pods = nodes * podsPerNode;
  if (pods > 0) {
    await startWorkload(bed.client, pods, { [workLabel]: 'true' });
    await bed.eventually(async () => (await readyPods(bed.client)) === pods, { timeoutMs: 120_000 + pods * 40, intervalMs: 1_000, signal });
  }
  return machines;
}

/** Until all nodes are updated, or the time is over; says why not all are. */
async function roll(
  { options, signal, say }: StageContext,
  entered: Entered,
  machines: readonly Machine[],
  watch: ClusterWatch,
): Promise<string> {
  try {
    await entered.begin();
  } catch (error) {
    if (error instanceof ContestantError) return error.message;
    throw error;
  }
  const { nodes, timeoutMs } = options;
  const deadline = performance.now() + timeoutMs;
  let said = performance.now();
  for (;;) {
    const updated = updatedOf(machines, watch);
    if (updated === nodes && watch.nodes.unavailable.length === 0) return '';
    const now = performance.now();
    if (now - said > saidEveryMs) {
      said = now;
      say(`${updated} of ${nodes} nodes run ${to}, ${watch.nodes.unavailable.length} are unavailable`);
    }
    if (now > deadline) {
      const words = await entered.lastWords();
      return `${updated} of ${nodes} nodes were updated within ${timeoutMs / 1_000} s${words === '' ? '' : `; ${words}`}`;
    }
    await sleep(100, undefined, { signal });
  }
}

/** By the host's own boot into the release, and the Node being Ready and not cordoned; never by what the contestant says. */
function updatedOf(machines: readonly Machine[], { nodes }: ClusterWatch): number {
  return machines.filter(({ name, host }) => host.os.version === to && host.rebootCount > 0 && nodes.runs(name, to)).length;
}

interface Timed<T> {
  readonly value: T;
  readonly from: number;
  readonly to: number;
  readonly serverCpuSeconds: number;
}

async function spanOf<T>(bed: Bed, work: (startedAt: number) => Promise<T>): Promise<Timed<T>> {
  const server = serverOf(bed);
  const before = await cpuSeconds(server);
  const startedAt = Date.now();
  const value = await work(startedAt);
  return { value, from: startedAt, to: Date.now(), serverCpuSeconds: (await cpuSeconds(server)) - before };
}

function serverOf(bed: Bed): number {
  const server = bed.home.children.running.find(({ name }) => name === 'kube-apiserver');
  if (server === undefined) throw new Error('there is no API server');
  return server.pid;
}

interface Holding {
  readonly controllers: Held | undefined;
  readonly agents: Held | undefined;
  readonly agentCount: number;
}

/** Looks at the memory again and again while the work is done. */
async function sampled(entered: Entered, work: () => Promise<unknown>): Promise<{ mean: Holding; peak: Holding }> {
  const looks: Holding[] = [];
  const working = { over: false };
  const sampling = (async () => {
    do {
      const [controllers, agents] = [await heldBy(entered, 'controllers'), await heldBy(entered, 'agents')];
      looks.push({ controllers, agents, agentCount: entered.groups('agents').length });
      await sleep(sampleMs);
    } while (!working.over);
  })();
  try {
    await work();
  } finally {
    working.over = true;
    await sampling;
  }
  const holding = (combine: (values: readonly number[]) => number): Holding => {
    const part = (name: Part): Held | undefined => {
      const all = looks.flatMap((look) => look[name] ?? []);
      return all.length === 0 ? undefined : { pss: combine(all.map(({ pss }) => pss)), rss: combine(all.map(({ rss }) => rss)) };
    };
    return { controllers: part('controllers'), agents: part('agents'), agentCount: combine(looks.map(({ agentCount }) => agentCount)) };
  };
  return { mean: holding(meanOf), peak: holding((values) => Math.max(...values)) };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

async function heldBy(entered: Entered, part: Part): Promise<Held | undefined> {
  const groups = entered.groups(part);
  return groups.length === 0 ? undefined : memoryOfGroups(groups);
}

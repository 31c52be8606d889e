import { PHASES } from '../../../src/api/node-update.ts';
import type { PodProcess } from '../../bed/pod-process.ts';
import { memoryOf } from '../memory.ts';
import { cpuSeconds } from './processes.ts';
import { type Histogram, histogramOf, metricValue, sumOf } from './prometheus-text.ts';
import type { RequestCounts } from './request-counter.ts';
import type { ScaleBed } from './scale-bed.ts';

/** What the leader tells of itself. */
export interface LeaderMetrics {
  /** MB of a million bytes. */
  readonly heap: number;
  readonly decides: Histogram;
  readonly decideSeconds: number;
  readonly decisions: number;
  readonly answers: Histogram;
  /** How many nodes have left a phase, and the seconds that they were in it, by phase. */
  readonly phases: ReadonlyMap<string, { readonly nodes: number; readonly seconds: number }>;
  /** How long it took to tell, in milliseconds. */
  readonly scrapeMs: number;
}

export async function metricsOf(leader: PodProcess): Promise<LeaderMetrics> {
  const started = performance.now();
  const response = await fetch(leader.metricsUrl, { signal: AbortSignal.timeout(30_000) });
  const text = await response.text();
  return {
    heap: metricValue(text, 'lockkeeper_nodejs_heap_size_used_bytes') / 1e6,
    decides: histogramOf(text, 'lockkeeper_decide_duration_seconds'),
    decideSeconds: metricValue(text, 'lockkeeper_decide_duration_seconds_sum'),
    decisions: metricValue(text, 'lockkeeper_decide_duration_seconds_count'),
    answers: histogramOf(text, 'lockkeeper_answer_duration_seconds'),
    phases: new Map(
      PHASES.map((phase) => {
        const of = (what: 'count' | 'sum') => sumOf(text, `lockkeeper_phase_duration_seconds_${what}`, `phase="${phase}"`);
        return [phase, { nodes: of('count'), seconds: of('sum') }];
      }),
    ),
    scrapeMs: performance.now() - started,
  };
}

/** Lists for which the API server's memory was not fresh in time: it has read all objects of the kind from etcd for each. */
export async function listsFromStorage({ bed }: ScaleBed): Promise<number> {
  const text = await bed.kubectl('get', '--raw', '/metrics');
  return sumOf(text, 'apiserver_watch_cache_consistent_read_total', 'fallback="true"');
}

/** All that is counted, at one moment. */
export interface Look {
  readonly at: number;
  readonly requests: RequestCounts;
  /** Bytes between API server and controllers, and agents. */
  readonly bytes: Readonly<Record<'controller' | 'agent', number>>;
  /** Processor seconds so far, by program. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** What is counted is what lies between its two ends. */
export interface Phase {
  readonly before: Look;
  readonly after: Look;
}

const planeParts = ['kube-apiserver', 'etcd', 'kube-controller-manager', 'kube-scheduler', 'kwok'] as const;

export async function lookAt({ bed, counter, fleet, program }: ScaleBed): Promise<Look> {
  const cpu: Record<string, number> = {};
  for (const name of planeParts) cpu[name] = await cpuSeconds(program(name).pid);
  const own = bed.pods.processes('controller');
  const sum = async (pids: readonly number[]) => (await Promise.all(pids.map(cpuSeconds))).reduce((a, b) => a + b, 0);
  cpu['controllers'] = await sum(own.flatMap(({ pid }) => pid ?? []));
  cpu['agents and simulated nodes'] = await sum(fleet.pids);
  cpu['the measuring itself'] = await cpuSeconds(process.pid);
  const { toServer, fromServer } = await fleet.traffic();
  const controllers = own.reduce((bytes, { traffic }) => bytes + traffic.toServer + traffic.fromServer, 0);
  return { at: performance.now(), requests: await counter.read(), bytes: { controller: controllers, agent: toServer + fromServer }, cpu };
}

/** Cores that each program used between two looks. */
export function coresBetween(before: Look, after: Look): Record<string, number> {
  const seconds = (after.at - before.at) / 1000;
  return Object.fromEntries(Object.entries(after.cpu).map(([name, used]) => [name, round((used - (before.cpu[name] ?? 0)) / seconds, 4)]));
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Samples what the leader holds until it is stopped: RSS often, its heap seldom, as telling it is work. */
export function sampleMemory(leader: PodProcess, rssEveryMs = 2_000, heapEveryMs = 30_000) {
  const started = performance.now();
  const rss: [number, number][] = [];
  const heap: [number, number][] = [];
  const minute = () => round((performance.now() - started) / 60_000, 3);
  const timers = [
    setInterval(() => {
      if (leader.pid !== undefined) memoryOf(leader.pid).then(({ rss: held }) => rss.push([minute(), round(held, 1)]), ignore);
    }, rssEveryMs),
    setInterval(() => {
      metricsOf(leader).then((metrics) => heap.push([minute(), round(metrics.heap, 1)]), ignore);
    }, heapEveryMs),
  ];
  return {
    stop() {
      for (const timer of timers) clearInterval(timer);
      return { rss: thinned(rss), heap: thinned(heap), peakHeap: Math.max(0, ...heap.map(([, value]) => value)) };
    },
  };
}

/** A program that ends just then has nothing to tell. */
const ignore = (): void => undefined;
const mostPoints = 240;

/** At most 240 points; each stands for the highest of its share. */
export function thinned(series: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const share = Math.ceil(series.length / mostPoints);
  if (share <= 1) return [...series];
  return Array.from({ length: Math.ceil(series.length / share) }, (_, index) => {
    const group = series.slice(index * share, (index + 1) * share);
    return group.reduce((highest, point) => (point[1] > highest[1] ? point : highest));
  });
}

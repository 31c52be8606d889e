import { atMost, forInformation } from '../figure.ts';
import { coresBetween, type LeaderMetrics, listsFromStorage, lookAt, metricsOf, type Phase, sampleMemory } from './probe.ts';
import { peakResident } from './processes.ts';
import { between, observations, quantile } from './prometheus-text.ts';
import { howMany, sentBetween } from './request-counter.ts';
import { policyPath, type ScaleBed } from './scale-bed.ts';

/** The policy of all nodes: which version they are to run, and how many may be away at once. */
export const policySpec = (pin: string, maxUnavailable: number | string) => ({
  approval: 'Automatic',
  version: { pin },
  rollout: { maxUnavailable, minReadySeconds: 0 },
});

/** So many at once leave a machine that does everything time to answer. */
export const pacedAtOnce = 3;

/** What the leader told of itself before and after. */
interface Told {
  readonly metricsBefore: LeaderMetrics;
  readonly metricsAfter: LeaderMetrics;
}

interface Paced extends Phase, Told {
  readonly nodes: number;
  readonly listsFromStorage: number;
}

/** Has so many nodes updated, three at a time: on one machine for all, answers are measured only where it keeps up. */
export async function pacedRollout(scale: ScaleBed, say: (text: string) => void, to: string, nodes: number): Promise<Paced> {
  const { bed, progress } = scale;
  say(`${nodes} of ${progress.nodes} nodes are to run ${to}, ${pacedAtOnce} of them at a time`);
  const leader = await scale.leader();
  const metricsBefore = await metricsOf(leader);
  const listsBefore = await listsFromStorage(scale);
  const before = await lookAt(scale);
  await bed.client.patch(policyPath, { spec: policySpec(to, pacedAtOnce) });
  await scale.updated(to, say, nodes);
  const after = await lookAt(scale);
  const metricsAfter = await metricsOf(leader);
  return { nodes, before, after, metricsBefore, metricsAfter, listsFromStorage: (await listsFromStorage(scale)) - listsBefore };
}

/** Phases of a node that is away, and how long they lasted on average. */
function phaseFigures({ metricsBefore, metricsAfter }: Told) {
  return (['Draining', 'Rebooting', 'Verifying', 'Uncordoning'] as const).flatMap((phase) => {
    const [from, till] = [metricsBefore.phases.get(phase), metricsAfter.phases.get(phase)];
    const nodes = (till?.nodes ?? 0) - (from?.nodes ?? 0);
    const seconds = (till?.seconds ?? 0) - (from?.seconds ?? 0);
    return nodes === 0 ? [] : [forInformation(`paced_${phase.toLowerCase()}_mean_seconds`, 's', seconds / nodes, 2)];
  });
}

export function pacedFigures({ nodes, before, after, metricsBefore, metricsAfter, listsFromStorage }: Paced) {
  const minutes = (after.at - before.at) / 60_000;
  const answers = between(metricsBefore.answers, metricsAfter.answers);
  const decideMs = ((metricsAfter.decideSeconds - metricsBefore.decideSeconds) * 1e3) / (metricsAfter.decisions - metricsBefore.decisions);
  return [
    forInformation('paced_answer_p50_ms', 'ms', milliseconds(answers, 0.5), 1),
    atMost(250, 'paced_answer_p99_ms', 'ms', milliseconds(answers, 0.99), 1),
    forInformation('paced_answers', 'events', observations(answers), 0),
    forInformation('paced_decide_mean_ms', 'ms', decideMs, 2),
    forInformation('paced_nodes_per_minute', 'nodes/min', nodes / minutes, 1),
    ...phaseFigures({ metricsBefore, metricsAfter }),
    forInformation('paced_lists_from_storage', 'requests', listsFromStorage, 0),
  ];
}

interface Rollout extends Phase, Told {
  /** Nodes that were updated in it. */
  readonly nodes: number;
  readonly memory: ReturnType<ReturnType<typeof sampleMemory>['stop']>;
  readonly peak: number;
  readonly mostUnavailable: number;
}

/** Has the other nodes updated, a tenth of all at a time. */
export async function fullRollout(scale: ScaleBed, say: (text: string) => void, to: string): Promise<Rollout> {
  const { bed, progress } = scale;
  say(`all ${progress.nodes} nodes are to run ${to}, a tenth of them at a time`);
  const leader = await scale.leader();
  const { pid } = leader;
  const metricsBefore = await metricsOf(leader);
  progress.reset();
  const nodes = progress.nodes - progress.updated(to);
  const before = await lookAt(scale);
  const sampling = sampleMemory(leader);
  try {
    await bed.client.patch(policyPath, { spec: policySpec(to, '10%') });
    await scale.updated(to, say);
  } catch (error) {
    sampling.stop();
    throw error;
  }
  const after = await lookAt(scale);
  const memory = sampling.stop();
  if (pid === undefined || leader.pid !== pid) throw new Error('the leader has ended in the middle of the rollout');
  const { mostUnavailable } = progress;
  return {
    nodes,
    before,
    after,
    metricsBefore,
    metricsAfter: await metricsOf(leader),
    memory,
    peak: await peakResident(pid),
    mostUnavailable,
  };
}

export function rolloutFigures(all: number, withoutUs: Readonly<Record<string, number>>, rollout: Rollout) {
  const { nodes, before, after, metricsBefore, metricsAfter, memory, peak, mostUnavailable } = rollout;
  const sent = sentBetween(before.requests, after.requests);
  const seconds = (after.at - before.at) / 1000;
  const perSecond = (pattern: RegExp) => howMany(sent, pattern) / seconds;
  const bytes = (who: 'controller' | 'agent') => (after.bytes[who] - before.bytes[who]) / seconds / 1e3;
  const cores = coresBetween(before, after);
  const serverDue = (cores['kube-apiserver'] ?? 0) - (withoutUs['kube-apiserver'] ?? 0);
  const answers = between(metricsBefore.answers, metricsAfter.answers);
  const decides = between(metricsBefore.decides, metricsAfter.decides);
  const decideMs = ((metricsAfter.decideSeconds - metricsBefore.decideSeconds) * 1e3) / (metricsAfter.decisions - metricsBefore.decisions);
  const paid = /leases|events|pods\/eviction/;
  return [
    forInformation('rollout_minutes', 'min', seconds / 60, 2),
    forInformation('rollout_nodes_per_minute', 'nodes/min', (nodes * 60) / seconds, 1),
    atMost(Math.max(1, Math.floor(all / 10)), 'most_unavailable', 'nodes', mostUnavailable, 0),
    forInformation('answer_p50_ms', 'ms', milliseconds(answers, 0.5), 1),
    atMost(250, 'answer_p99_ms', 'ms', milliseconds(answers, 0.99), 1),
    forInformation('answers', 'events', observations(answers), 0),
    forInformation('decide_mean_ms', 'ms', decideMs, 2),
    forInformation('decide_p99_ms', 'ms', milliseconds(decides, 0.99), 2),
    forInformation('decisions', 'decisions', metricsAfter.decisions - metricsBefore.decisions, 0),
    atMost(250, 'rss_peak', 'MB', peak, 1),
    forInformation('heap_peak', 'MB', memory.peakHeap, 1),
    forInformation('rollout_controller_requests_per_second', 'requests/s', perSecond(/^controller/), 1),
    forInformation('rollout_agent_requests_per_second', 'requests/s', perSecond(/^agent/), 1),
    forInformation('rollout_requests_per_node', 'requests', (howMany(sent) - howMany(sent, paid)) / nodes, 1),
    forInformation('evictions_per_node', 'requests', howMany(sent, /pods\/eviction/) / nodes, 1),
    forInformation('rollout_controller_kilobytes_per_second', 'kB/s', bytes('controller'), 1),
    forInformation('rollout_agent_kilobytes_per_second', 'kB/s', bytes('agent'), 1),
    forInformation('apiserver_cores_rollout', 'cores', cores['kube-apiserver'] ?? 0, 3),
    forInformation('apiserver_cores_rollout_beyond_without_us', 'cores', serverDue, 3),
    forInformation('controllers_cores_rollout', 'cores', cores['controllers'] ?? 0, 3),
    forInformation('metrics_scrape_ms', 'ms', metricsAfter.scrapeMs, 0),
  ];
}

const milliseconds = (histogram: LeaderMetrics['answers'], q: number): number => (quantile(histogram, q) ?? Number.NaN) * 1e3;

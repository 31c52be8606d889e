import { median } from '../figure.ts';
import type { Held } from './process-groups.ts';
import type { Sent } from './sent-requests.ts';

/** What was seen of one contestant: nothing of it is its own word. */
export interface Observations {
  readonly nodes: number;
  readonly updated: number;
  /** From the release's appearance to the first node that was not available; undefined where none was. */
  readonly firstNodeMs: number | undefined;
  /** From the first node that was not available to the last one that was back. */
  readonly rolloutMs: number | undefined;
  readonly unavailableSeconds: readonly number[];
  readonly mostUnavailable: number;
  readonly budgetsBroken: number;
  readonly podsTakenDown: number;
  readonly podsTakenDownWithoutEviction: number;
  readonly restarts: number;
  readonly idle: Span;
  readonly idleWatchesOpen: number;
  readonly rollout: Span;
  /** Undefined where nothing ran. */
  readonly controllers: PartMemory | undefined;
  readonly agents: PartMemory | undefined;
  readonly agentsRunning: number;
  /** Of the API server, before anything was installed. */
  readonly serverCoresAlone: number;
}

/** What all processes of a part hold together, in MB. */
export interface PartMemory {
  readonly idle: Held;
  /** Of the rollout. */
  readonly peak: Held;
}

/** What was sent, and what the API server used, in a span of time. */
export interface Span {
  readonly ms: number;
  readonly sent: Sent;
  readonly serverCpuSeconds: number;
}

interface FigureKind {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
  /** Undefined where it was not to be measured, or has no meaning. */
  readonly of: (seen: Observations) => number | undefined;
}

const finished = ({ updated, nodes }: Observations): boolean => updated === nodes;
const wasSeen = ({ idle, rollout }: Observations): boolean => total(idle.sent) + total(rollout.sent) > 0;
const total = ({ controllers, agents }: Sent): number => controllers + agents;
const perMinute = (count: number, { ms }: Span): number => (count * 60_000) / ms;
const perNode = (seen: Observations, count: number): number | undefined =>
  finished(seen) && wasSeen(seen) ? count / seen.nodes : undefined;
const whenSeen = (seen: Observations, value: number): number | undefined => (wasSeen(seen) ? value : undefined);

/** Every figure of the table, in its order. */
export const figureKinds: readonly FigureKind[] = [
  kind('nodes_updated', 'nodes updated, by their hosts', 'nodes', 0, ({ updated }) => updated),
  kind('first_node_seconds', 'release there → first node unavailable', 's', 1, ({ firstNodeMs }) => scaled(firstNodeMs, 1_000)),
  kind('rollout_minutes', 'first node unavailable → last node back', 'min', 2, (seen) =>
    finished(seen) ? scaled(seen.rolloutMs, 60_000) : undefined,
  ),
  kind('rollout_nodes_per_minute', 'nodes a minute', 'nodes/min', 1, (seen) => {
    const minutes = finished(seen) ? scaled(seen.rolloutMs, 60_000) : undefined;
    return minutes === undefined ? undefined : seen.nodes / minutes;
  }),
  kind('unavailable_seconds_p50', 'a node is unavailable, median', 's', 2, ({ unavailableSeconds: all }) =>
    all.length === 0 ? undefined : median(all),
  ),
  kind('unavailable_seconds_max', 'a node is unavailable, longest', 's', 2, ({ unavailableSeconds: all }) =>
    all.length === 0 ? undefined : Math.max(...all),
  ),
  kind('most_unavailable', 'nodes unavailable at once, most', 'nodes', 0, ({ mostUnavailable }) => mostUnavailable),
  kind('budgets_broken', 'times a budget was broken', '', 0, ({ budgetsBroken }) => budgetsBroken),
  kind('pods_taken_down', 'pods taken down', 'pods', 0, ({ podsTakenDown }) => podsTakenDown),
  kind('pods_without_eviction', 'of them without an eviction', 'pods', 0, (seen) => seen.podsTakenDownWithoutEviction),
  kind('evictions_per_node', 'evictions granted, by node', 'requests', 1, (seen) => perNode(seen, seen.rollout.sent.evictions)),
  kind('evictions_refused', 'evictions refused by a budget', 'requests', 0, (seen) => whenSeen(seen, seen.rollout.sent.evictionsRefused)),
  kind('idle_requests_per_minute', 'requests idle', 'requests/min', 1, (seen) =>
    whenSeen(seen, perMinute(total(seen.idle.sent), seen.idle)),
  ),
  kind('idle_agent_requests_per_minute', 'of them by agents', 'requests/min', 1, (seen) =>
    whenSeen(seen, perMinute(seen.idle.sent.agents, seen.idle)),
  ),
  kind('idle_lists_per_minute', 'lists idle', 'requests/min', 1, (seen) => whenSeen(seen, perMinute(seen.idle.sent.lists, seen.idle))),
  kind('idle_watches_open', 'watches open while idle', 'watches', 0, (seen) => whenSeen(seen, seen.idleWatchesOpen)),
  kind('rollout_requests_per_node', 'requests of the rollout, by node', 'requests', 1, (seen) => perNode(seen, total(seen.rollout.sent))),
  kind('rollout_lists_per_node', 'of them lists', 'requests', 1, (seen) => perNode(seen, seen.rollout.sent.lists)),
  kind('rollout_watches_per_node', 'of them watches begun', 'requests', 1, (seen) => perNode(seen, seen.rollout.sent.watches)),
  kind('controllers_pss_idle', 'controllers hold, idle (PSS)', 'MB', 1, ({ controllers }) => controllers?.idle.pss),
  kind('controllers_pss_peak', 'controllers hold, most in the rollout (PSS)', 'MB', 1, ({ controllers }) => controllers?.peak.pss),
  kind('controllers_rss_peak', 'controllers hold, most in the rollout (RSS)', 'MB', 1, ({ controllers }) => controllers?.peak.rss),
  kind('agent_pss_idle', 'an agent holds, idle (PSS)', 'MB', 1, ({ agents, agentsRunning }) => scaled(agents?.idle.pss, agentsRunning)),
  kind('agent_rss_idle', 'an agent holds, idle (RSS)', 'MB', 1, ({ agents, agentsRunning }) => scaled(agents?.idle.rss, agentsRunning)),
  kind('agents_pss_peak', 'all agents hold, most in the rollout (PSS)', 'MB', 1, ({ agents }) => agents?.peak.pss),
  kind(
    'server_cores_idle',
    'API server idle, beyond the bed alone',
    'cores',
    3,
    (seen) => seen.idle.serverCpuSeconds / (seen.idle.ms / 1_000) - seen.serverCoresAlone,
  ),
  kind('server_cpu_seconds_per_node', 'API server in the rollout, by node', 'CPU s', 2, (seen) =>
    finished(seen) ? seen.rollout.serverCpuSeconds / seen.nodes : undefined,
  ),
  kind('restarts', 'programs that ended by themselves', 'times', 0, ({ restarts }) => restarts),
];

function kind(name: string, label: string, unit: string, digits: number, of: FigureKind['of']): FigureKind {
  return { name, label, unit, digits, of };
}

function scaled(value: number | undefined, by: number): number | undefined {
  return value === undefined || by === 0 ? undefined : value / by;
}

/** The figures by name, rounded as they are printed; null where there is none. */
export function figuresOf(seen: Observations): Record<string, number | null> {
  return Object.fromEntries(
    figureKinds.map(({ name, digits, of }) => {
      const value = of(seen);
      return [name, value === undefined ? null : Number(value.toFixed(digits))];
    }),
  );
}

/** What could not be measured, in words; empty where everything was. */
export function gapsOf(seen: Observations): string[] {
  const gaps: string[] = [];
  if (!wasSeen(seen)) gaps.push('no request of a service account in its namespaces was seen, so its traffic is not measured');
  if (seen.agents === undefined) gaps.push('none of its agents ran while it was idle, so there is no figure of their memory');
  if (!finished(seen)) gaps.push('figures that stand for a whole rollout are left out');
  return gaps;
}

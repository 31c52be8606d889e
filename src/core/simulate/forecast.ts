import type { Instant, World } from '../world.ts';
import { type Assumptions, Course } from './course.ts';
import { SnapshotCluster } from './snapshot-cluster.ts';
import { type NodeForecast, Timeline } from './timeline.ts';

export type { Assumptions, Durations } from './course.ts';
export type { NodeForecast } from './timeline.ts';

/** What happens if everything goes as assumed. */
export interface Forecast {
  startsAt: Instant;
  /** In the order in which they are claimed; then those that never are, by name. */
  nodes: readonly NodeForecast[];
  /** When the last node was given back, and had soaked; absent where something keeps it from ending. */
  endsAt?: Instant;
  /** Nodes that are behind at the end of the forecast, or still in flight: their last stay says why. */
  left: readonly string[];
}

/**
 * Runs the decision of the controller in virtual time, from a real cluster as it is now to the end of all rollouts: without faults,
 * without people, without new nodes or releases. Whatever stays in a drain's way by the world's pods and budgets stays there; a node
 * whose pods are not in the world is taken to have some that may be evicted. Deterministic; `world` is left as it is.
 */
export function forecast(world: World, now: Instant, assumptions: Assumptions): Forecast {
  const cluster = new SnapshotCluster(world, now);
  const timeline = new Timeline(cluster);
  cluster.witness = timeline;
  new Course(cluster, assumptions).run(
    () => timeline.left.length === 0,
    () => assumptions.onTime?.(() => timeline.left.length),
  );
  const { left, nodes, settledAt } = timeline;
  return { startsAt: now, nodes, left, ...(left.length === 0 && { endsAt: Math.max(now, settledAt) }) };
}

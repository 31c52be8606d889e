import type { Scenario } from '../simulate/actions.ts';
import { play, type Simulation } from '../simulate/simulation.ts';
import { Watchman } from './watchman.ts';

/** Plays a scenario under the eyes of a watchman: throws a Violation as soon as an invariant does not hold. */
export const playWatched = (scenario: Scenario): Simulation => play(scenario, (cluster) => new Watchman(cluster, cluster.releasedAt));

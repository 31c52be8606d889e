import { assign } from '../assign.ts';
import type { NodeDecision } from '../command.ts';
import { type Facts, factsOf } from '../facts.ts';
import type { Forecast } from '../simulate/forecast.ts';
import type { Instant, NodeView, PolicyView, World } from '../world.ts';

/** A policy with what is true of it, and its nodes. */
export interface PolicyState {
  policy: PolicyView;
  nodes: readonly NodeView[];
  facts: Facts;
}

/** The policies of a world with the nodes that each has. */
export function statesOf(world: World, now: Instant): PolicyState[] {
  const assigned = assign(world.policies, world.nodes);
  return world.policies.map((policy) => {
    const nodes = world.nodes.filter(({ name }) => assigned.get(name) === policy);
    return { policy, nodes, facts: factsOf(policy, nodes, world, now) };
  });
}

/** A policy with all that its part of a plan is made of. */
export interface Planned extends PolicyState {
  world: World;
  now: Instant;
  /** Where the forecast ends. */
  until: Instant;
  foreseen: Forecast;
  /** What is decided of each node now, as things really are. */
  decided: ReadonlyMap<string, NodeDecision>;
}

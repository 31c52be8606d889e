import * as z from 'zod/mini';
import { type Plan, type PolicyPlan, planSchema } from '../../api/plan.ts';
import { planOf } from '../plan/plan.ts';
import type { Forecast, NodeForecast } from '../simulate/forecast.ts';
import type { World } from '../world.ts';
import { aWorld, MINUTE, NEW, NOW, OLD } from './builders.ts';

/** So many minutes from NOW. */
export const at = (minutes: number): number => NOW + minutes * MINUTE;

/** A node that is updated between two minutes from now. */
export const updated = (node: string, from: number, to: number, change: Partial<NodeForecast> = {}): NodeForecast => ({
  node,
  policy: 'default',
  from: OLD,
  to: NEW,
  claimedAt: at(from),
  uncordonedAt: at(to),
  stays: [{ at: at(to), phase: 'Idle', reason: 'UpToDate', message: `runs ${NEW}` }],
  ...change,
});

/** A node that is not. */
export const left = (node: string, reason: NodeForecast['stays'][number]['reason'], message = 'waits'): NodeForecast => ({
  node,
  policy: 'default',
  from: OLD,
  to: OLD,
  stays: [{ at: NOW, phase: 'Staged', reason, message }],
});

/** The plan of a world whose nodes hold no pods unless it says so, over a forecast; as its schema has it. */
export function plan(world: Partial<World>, nodes: readonly NodeForecast[]): Plan {
  const foreseen: Forecast = {
    startsAt: NOW,
    nodes,
    left: nodes.filter(({ stays }) => stays.at(-1)?.reason !== 'UpToDate').map(({ node }) => node),
  };
  const seen = aWorld(world);
  const pods = new Map(seen.nodes.map(({ name }) => [name, seen.pods.get(name) ?? []]));
  return z.parse(planSchema, planOf({ ...seen, pods }, { now: NOW, foresee: () => foreseen }));
}

/** The plan of the only policy. */
export const only = (made: Plan): PolicyPlan => made.policies[0] as PolicyPlan;

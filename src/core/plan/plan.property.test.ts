import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import * as z from 'zod/mini';
import { type Plan, planSchema } from '../../api/plan.ts';
import { assign } from '../assign.ts';
import { decide } from '../decide.ts';
import type { Scenario } from '../simulate/actions.ts';
import { ControllerModel } from '../simulate/controller-model.ts';
import { play } from '../simulate/simulation.ts';
import { scenario } from '../testing/scenarios.ts';
import type { World } from '../world.ts';
import { planOf } from './plan.ts';

/** The world that a scenario ends in, as it is, with the pods of all nodes. */
function endOf(played: Scenario): { world: World; now: number } {
  const { cluster } = play(played, () => ({}));
  let seen: World | undefined;
  new ControllerModel(cluster, (world, now) => {
    seen = world;
    return decide(world, now);
  }).begin();
  const world = seen as World;
  return { world: { ...world, pods: new Map(world.nodes.map(({ name }) => [name, cluster.pods.group(name)])) }, now: cluster.now };
}

/** What must be true of every plan. */
function judge({ policies, warnings: general }: Plan, world: World): void {
  const assigned = assign(world.policies, world.nodes);
  for (const { name, steps, held, startsAt, endsAt, complete, warnings } of policies) {
    const members = world.nodes.filter((node) => assigned.get(node.name)?.name === name).map((node) => node.name);
    const planned = [...steps, ...held].map(({ node }) => node);
    expect(members).toEqual(expect.arrayContaining(planned));
    expect(new Set(planned).size).toBe(planned.length);
    expect(complete).toBe(held.length === 0);
    expect(steps.map(({ order }) => order)).toEqual(steps.map((_, index) => index + 1));
    for (const { startsAt: at } of steps) expect(startsAt! <= at && at <= endsAt!).toBe(true);
    // Nothing is held in silence.
    for (const { node, reason, message } of held) expect({ node, said: reason !== '' && message !== '' }).toEqual({ node, said: true });
    const told = [...warnings, ...general].filter((warning) => warning.endless || warning.name === 'BeyondHorizon');
    expect({ held, told: held.length === 0 || told.length > 0 }).toEqual({ held, told: true });
  }
}

test('of any world, in the middle of anything, there is a plan that makes sense', () => {
  const outcome: fc.RunDetails<[Scenario]> = fc.check(
    fc.property(scenario, (played) => {
      const { world, now } = endOf(played);
      const before = structuredClone(world);
      const plan = z.parse(planSchema, planOf(world, { now }));
      judge(plan, world);
      expect(world).toEqual(before);
    }),
    { numRuns: 25, seed: 42 },
  );
  expect(outcome.failed ? `${outcome.errorInstance}\n${JSON.stringify(outcome.counterexample?.[0])}` : undefined).toBeUndefined();
}, 120_000);

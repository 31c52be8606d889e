import { expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import { type Plan, planSchema } from '../../src/api/plan.ts';
import type { Bed } from '../bed/bed.ts';
import { quickHost } from './fleet.ts';
import { guardNode } from './guarded-pod.ts';
import { personOn } from './person.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

const zones = ['c', 'a', 'b', 'a', 'b', 'c', 'a'];
const policy = {
  approval: 'Manual',
  rollout: {
    maxUnavailable: 2,
    groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak: '2s' }],
  },
};
/** The canary, then zone by zone, in each of them the oldest version first; node-5 is blocked. */
const inOrder = ['node-6', 'node-7', 'node-2', 'node-4', 'node-3', 'node-1'];

test('what is planned is what then happens, and planning writes nothing', async () => {
  const fleet = await start({
    nodes: 7,
    policy,
    machine: (index) => ({
      zone: `eu-west-1${zones[index]}`,
      labels: { ring: index === 5 ? 'canary' : 'other' },
      ...(index === 6 && { version: '1.25.0' }),
    }),
  });
  const { bed, judge, machines, phase, updated } = fleet;
  const guard = await guardNode(bed, 'node-5');
  await guard.bar();
  fleet.release('1.26.1');
  await Promise.all(
    machines.map(async ({ name }) => fleet.eventually(async () => (await fleet.nodeHost(name)).status.staged?.version === '1.26.1')),
  );
  await Promise.all(machines.map(({ name }) => phase(name, 'Staged', 'AwaitingApproval')));
  const planner = await plannerOn(bed);
  const mark = await bed.audit.mark();

  const refused = await planner.run(['plan']);
  expect(refused).toMatchObject({ code: 3, stdout: '' });
  for (const right of ['list nodes', 'list updatepolicies.lockkeeper.dev', 'list pods', 'list daemonsets.apps'])
    expect(refused.stderr).toContain(right);
  await planner.allow();

  const planned = await planner.plan();
  const [fleetPlan] = planned.policies;
  expect(fleetPlan).toMatchObject({ name: 'fleet', source: 'InCluster', nodes: 7, upToDate: 0, complete: false });
  expect(fleetPlan?.steps.map(({ node }) => node)).toEqual(inOrder);
  expect(fleetPlan?.steps.map(({ now }) => now.reason)).toEqual(inOrder.map(() => 'AwaitingApproval'));
  expect(fleetPlan?.held).toMatchObject([
    { node: 'node-5', reason: 'CannotEvict', pods: [{ pod: guard.key, why: expect.stringContaining(guard.budget) }] },
  ]);
  // The bed's control plane is newer than its nodes' variant.
  expect(fleetPlan?.warnings).toMatchObject([{ name: 'NodesHeld', nodes: ['node-5'] }, { name: 'KubernetesTooOld' }]);
  expect(planned.assumptions).toContainEqual({ name: 'Approved', policy: 'fleet', message: '1.26.1 is approved now' });
  expect(planned.warnings).toEqual([]);

  // As kubectl's plugin, for people.
  const text = await planner.kubectl(['lockkeeper', 'plan']);
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toMatch(
    /^UpdatePolicy fleet: 0 of 7 nodes up to date, 6 to update, 1 held\n {2}to 1\.26\.1 for aws-k8s-1\.31 \(amd64\)\n/,
  );
  for (const words of [guard.key, guard.budget, 'Assumed:']) expect(text.stdout).toContain(words);

  // The same nodes by a policy that nobody has applied, in a window of tomorrow's.
  const opens = new Date(Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 24 * 3_600_000);
  const window = { cron: `0 ${opens.getUTCHours()} ${opens.getUTCDate()} * *`, duration: '4h', timeZone: 'UTC' };
  const file = {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'UpdatePolicy',
    metadata: { name: 'other' },
    spec: { priority: 1, schedule: { windows: [window] } },
  };
  const other = await planner.plan(['-f', '-'], JSON.stringify(file));
  expect(other.policies.map(({ name, source, nodes }) => [name, source, nodes])).toEqual([
    ['fleet', 'InCluster', 0],
    ['other', 'New', 7],
  ]);
  const [, otherPlan] = other.policies;
  expect(otherPlan?.steps.map(({ node }) => node)).toEqual(['node-7', 'node-2', 'node-4', 'node-3', 'node-1', 'node-6']);
  expect(otherPlan?.startsAt).toBe(opens.toISOString());
  const mistyped = await planner.run(['plan', '-f', '-'], JSON.stringify({ ...file, spec: { rolout: {} } }));
  expect(mistyped).toMatchObject({ code: 2, stderr: expect.stringContaining('spec.rolout: there is no such field') });

  const asked = await bed.audit.find({ user: planner.user }, mark);
  expect(new Set(asked.map(({ verb }) => verb))).toEqual(new Set(['get', 'list']));

  await fleet.annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': '1.26.1' });
  await updated('1.26.1', inOrder);
  expect((await judge.spans()).map(({ node }) => node)).toEqual(fleetPlan?.steps.map(({ node }) => node));
  const after = await planner.plan();
  expect(after.policies).toMatchObject([{ upToDate: 6, steps: [], held: [{ node: 'node-5', reason: 'CannotEvict' }] }]);
  await judge.invariants();

  // An autoscaler adds a node of the old image: what that takes is measured by now.
  await fleet.annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': null });
  await bed.addMachine({ name: 'node-8', zone: 'eu-west-1a', host: { timings: quickHost } });
  await phase('node-8', 'Staged', 'AwaitingApproval');
  const joined = await planner.plan();
  expect(joined.policies[0]?.steps).toMatchObject([{ node: 'node-8', from: '1.26.0', to: '1.26.1' }]);
  expect(joined.policies[0]?.warnings).toContainEqual(
    expect.objectContaining({ name: 'NodesJoinBelowTarget', endless: true, nodes: ['node-8'] }),
  );
  expect(joined.assumptions).toContainEqual(expect.objectContaining({ name: 'UpdateDuration', samples: 6 }));
  expect(joined.assumptions.find(({ name }) => name === 'StagingDuration')?.samples).toBeGreaterThan(0);
  await judge.invariants();
}, 180_000);

/** Somebody who plans. */
async function plannerOn(bed: Bed) {
  const person = await personOn(bed, 'planner');
  return {
    ...person,
    run: (args: readonly string[], input = '') => person.run(args, { input }),
    async plan(more: readonly string[] = [], input?: string): Promise<Plan> {
      const { code, stdout, stderr } = await person.run(['plan', '-o', 'json', ...more], input === undefined ? {} : { input });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return z.parse(planSchema, JSON.parse(stdout));
    },
    allow: () => person.allow('lockkeeper-plan'),
  };
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { KubeObject } from '../bed/api.ts';
import { chart } from '../scenarios/helm.ts';
import { fleetOfTheTest, type TestFleet } from '../scenarios/started-fleet.ts';
import { repeatedly } from './harm.ts';
import { ride } from './ride.ts';

const start = fleetOfTheTest();
const minutes = 60_000;
const policyPath = '/apis/lockkeeper.dev/v1alpha1/updatepolicies/fleet';

describe('in the middle of a rollout', () => {
  test(
    '20 nodes are deleted and created again under their names',
    async () => {
      const harm = async ({ machines }: TestFleet) => {
        const chosen = machines.slice(4, 24);
        await Promise.all(chosen.map((machine) => machine.registerAnew()));
        return `${chosen.length} of ${machines.length}`;
      };
      // A node that is deleted while it reboots is another one when it is back: nobody waits for its boot, and nobody counts it as ours.
      await ride(start, { name: '20 nodes deleted and created again', nodes: 30, onceEach: false, harm });
    },
    15 * minutes,
  );

  test(
    'the kinds are deleted, with all that was written in them, and put back',
    async () => {
      const harm = async (fleet: TestFleet) => {
        const { bed, eventually, policy } = fleet;
        const { spec } = await policy();
        const files = await readdir(join(chart, 'crds'));
        const kinds = await Promise.all(files.map(async (file) => parse(await readFile(join(chart, 'crds', file), 'utf8')) as KubeObject));
        const path = ({ metadata }: KubeObject) => `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`;
        for (const kind of kinds) await bed.client.delete(path(kind));
        for (const kind of kinds) await eventually(async () => (await bed.client.find(path(kind))) === undefined);
        await bed.client.apply(...kinds);
        await eventually(async () => {
          await bed.client.apply({ apiVersion: 'lockkeeper.dev/v1alpha1', kind: 'UpdatePolicy', metadata: { name: 'fleet' }, spec });
          return true;
        });
        const failed = await retryFailed(fleet);
        return `the policy applied again; ${failed} nodes whose order nobody could tell of any more waited for a boot, Failed, and were retried by hand`;
      };
      // Short: nobody can tell an order that was lost, so that its node waits for a boot until its deadline.
      const policy = { drain: { timeout: '60s' }, reboot: { timeout: '60s' } };
      await ride(start, { name: 'CRDs deleted and put back', onceEach: false, fleet: { policy }, harm });
    },
    15 * minutes,
  );

  test(
    'the policy is changed every second for five minutes',
    async () => {
      const harm = async ({ bed }: TestFleet) => {
        const changes = [
          { paused: true },
          { paused: false },
          { rollout: { maxUnavailable: 1 } },
          { rollout: { maxUnavailable: 2 } },
          { version: { range: '>=1.26.0' } },
          { version: { range: '*' } },
          { approval: 'Manual' },
          { approval: 'Automatic' },
        ];
        const turns = await repeatedly(300, 1_000, (turn) => bed.client.patch(policyPath, { spec: changes[turn % changes.length] }));
        for (const change of [
          { paused: false },
          { rollout: { maxUnavailable: 2 } },
          { version: { range: '*' } },
          { approval: 'Automatic' },
        ])
          await bed.client.patch(policyPath, { spec: change });
        expect(turns).toBeGreaterThan(0);
        return `${turns} changes: paused, maxUnavailable, range, approval`;
      };
      await ride(start, { name: 'policy changed every second for 5 minutes', nodes: 40, fleet: { timings: { bootMs: 3_000 } }, harm });
    },
    20 * minutes,
  );
});

/** What a person does who has looked at them: has those tried again that are Failed when nothing else is under way. Gives how many. */
async function retryFailed({ annotate, eventually, machines, nodeUpdate }: TestFleet): Promise<number> {
  const underWay = ['Draining', 'Rebooting', 'Verifying', 'RollingBack', 'Uncordoning'];
  const failed = await eventually(
    async () => {
      const phases = await Promise.all(machines.map(async ({ name }) => ({ name, ...(await nodeUpdate(name)) })));
      const settled = phases.every(({ phase }) => phase !== undefined && !underWay.includes(phase));
      return settled && { names: phases.filter(({ phase }) => phase === 'Failed').map(({ name }) => name) };
    },
    { timeoutMs: 120_000 },
  );
  for (const name of failed.names) await annotate('nodes', name, { 'lockkeeper.dev/retry': '1' });
  if (failed.names.length > 0) await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/resume': '1' });
  return failed.names.length;
}

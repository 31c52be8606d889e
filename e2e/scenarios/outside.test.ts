import { describe, expect, test } from '@jest/globals';
import { LIFECYCLE_CONDITIONS } from '../../src/core/lifecycle.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { changes } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

interface Event {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string; readonly name: string; readonly uid: string };
}

describe('a rollout seen from outside', () => {
  test('shows where it is and why by kubectl get, by events and by metrics', async () => {
    const { bed, eventually, judge, leader, machines, node, phase, policy, refreshed, releaseInOrder, updated } = await start({ nodes: 2 });
    const guard = await guardNode(bed, 'node-1');
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Draining');
    await phase('node-2', 'Staged', 'CapacityReached');
    const shown = async (resource: string) => lines(await bed.kubectl('get', resource, '--no-headers'));
    await eventually(async () => {
      const [first = '', second = ''] = await shown('nodeupdates');
      expect(first).toMatch(/^node-1 +fleet +Draining +1\.26\.0 +1\.26\.1 +Draining /);
      expect(second).toMatch(/^node-2 +fleet +Staged +1\.26\.0 +1\.26\.1 +CapacityReached /);
      expect(await bed.kubectl('get', 'nodeupdates', 'node-1', '-o', 'wide')).toContain(guard.key);
      const [only = ''] = await shown('updatepolicies');
      expect(only).toMatch(/^fleet /);
      expect(only).toContain('0/2 up to date, 1 in flight, 1 staged');
      return true;
    });
    const { metricsUrl } = await leader();
    const metrics = async () => lines(await (await fetch(metricsUrl)).text());
    await eventually(async () => {
      const seen = await metrics();
      expect(seen).toContain('lockkeeper_node_phase{node="node-1",policy="fleet",phase="Draining",reason="Draining"} 1');
      expect(seen).toContain('lockkeeper_node_phase{node="node-2",policy="fleet",phase="Staged",reason="CapacityReached"} 1');
      expect(seen).toContain(
        'lockkeeper_node_version_info{node="node-1",policy="fleet",version="1.26.0",target="1.26.1",variant="aws-k8s-1.31"} 1',
      );
      expect(seen).toContain('lockkeeper_claims{policy="fleet"} 1');
      expect(seen).toContain('lockkeeper_nodes_unavailable{policy="fleet"} 1');
      for (const { name } of machines) expect(behind(seen, name)).toBeGreaterThan(0);
      return true;
    });

    await guard.open();
    await updated('1.26.1');
    await refreshed(['node-1', 'node-2'], 1);
    await judge.invariants();
    const done = await metrics();
    for (const { name } of machines) {
      expect(done).toContain(`lockkeeper_node_phase{node="${name}",policy="fleet",phase="Idle",reason="UpToDate"} 1`);
      expect(behind(done, name)).toBe(0);
    }
    expect(done).toContain('lockkeeper_phase_duration_seconds_count{policy="fleet",phase="Rebooting"} 2');
    expect(done).toContain('lockkeeper_claims{policy="fleet"} 0');
    expect((await shown('nodeupdates'))[0]).toMatch(/^node-1 +fleet +Idle +1\.26\.1 +1\.26\.1 +UpToDate /);

    const events = () => bed.client.list<Event>('/api/v1/namespaces/default/events');
    const life = ['Staging', 'Staged', 'Draining', 'Rebooting', 'Idle'];
    for (const { name } of machines) {
      const { uid } = (await node(name)).metadata;
      await eventually(async () => {
        const about = (await events()).filter(({ involvedObject }) => involvedObject.kind === 'Node' && involvedObject.uid === uid);
        expect(about.map(({ reason }) => reason)).toEqual(expect.arrayContaining(life));
        return true;
      });
    }
    const { uid } = (await policy()).metadata;
    const aboutPolicy = (await events()).filter(({ involvedObject }) => involvedObject.uid === uid);
    for (const reason of life) {
      const messages = aboutPolicy.filter((event) => event.reason === reason).map(({ message }) => message);
      for (const { name } of machines) expect(messages).toContainEqual(expect.stringMatching(new RegExp(`^${name}: `)));
    }
    expect((await events()).filter(({ involvedObject, type }) => /^node-|^fleet$/.test(involvedObject.name) && type === 'Warning')).toEqual(
      [],
    );
  }, 120_000);

  test('is told by conditions of the Node where the chart says so, and by none afterwards', async () => {
    const fleet = await start({ nodes: 1, values: { controller: { nodeConditions: true } } });
    const { bed, eventually, history, judge, node, phase, release, updated } = fleet;
    const guard = await guardNode(bed, 'node-1');
    release('1.26.1');
    await phase('node-1', 'Draining');
    const told = (object: NodeObject) => LIFECYCLE_CONDITIONS.filter((type) => object.status.conditions?.some((one) => one.type === type));
    await eventually(async () => told(await node('node-1')).includes('DrainInProgress'));
    expect(await bed.kubectl('describe', 'node', 'node-1')).toMatch(/DrainInProgress +True .* Draining +Lockkeeper: /);
    await guard.open();
    await updated('1.26.1');
    await eventually(async () => told(await node('node-1')).length === 0);
    const seen = changes(history.versions, 'node-1', (object) => told(object).join(' '));
    expect(seen.filter((types) => types.includes('Drain'))).toEqual([
      'MaintenanceInProgress DrainInProgress',
      'MaintenanceInProgress Drained',
    ]);
    expect((await node('node-1')).status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    await judge.invariants();
  }, 120_000);
});

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const behind = (metrics: readonly string[], node: string): number =>
  Number(
    metrics
      .find((line) => line.startsWith(`lockkeeper_node_behind_seconds{node="${node}",`))
      ?.split(' ')
      .at(-1),
  );

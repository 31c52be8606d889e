import { describe, expect, test } from '@jest/globals';
import { createApi } from '../bed/api.ts';
import { fakeTimeLibrary } from '../nodes/requirements.ts';
import { fleetOfTheTest, type TestFleet } from '../scenarios/started-fleet.ts';
import { lasting } from './harm.ts';
import { ride } from './ride.ts';

const start = fleetOfTheTest();
const minutes = 60_000;

describe('the network', () => {
  test(
    'loses every packet without a sound for ten minutes',
    async () => {
      const harm = async ({ bed }: TestFleet) => {
        const nodes = [...bed.machines.keys()];
        for (const name of nodes) bed.isolate(name, 'silent');
        await lasting(600);
        for (const name of nodes) bed.isolate(name, 'open');
        return 'between all our programs and the API server';
      };
      await ride(start, { name: 'packets dropped silently for 10 minutes', fleet: { replicas: 2 }, harm });
    },
    30 * minutes,
  );

  test(
    'is full of somebody else’s requests: those of ours have a queue of their own',
    async () => {
      const harm = async ({ bed, judge }: TestFleet) => {
        const account = '/api/v1/namespaces/default/serviceaccounts/default';
        await bed.client.apply({
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: 'greedy' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
          subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
        });
        await ballast(bed.client);
        const { status } = await bed.client.create<{ status: { token: string } }>(`${account}/token`, {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {},
        });
        const greedy = Array.from({ length: 4 }, () => createApi({ ...bed.client.access, token: status.token }));
        const mark = await bed.audit.mark();
        const before = judge.boots().length;
        let asked = 0;
        let refused = 0;
        let over = false;
        const one = async (client: (typeof greedy)[number]) => {
          while (!over) {
            asked += 1;
            await client.get('/api/v1/configmaps').catch(() => {
              refused += 1;
            });
          }
        };
        const greed = greedy.flatMap((client) => Array.from({ length: 100 }, () => one(client)));
        await lasting(60);
        over = true;
        await Promise.all(greed);
        for (const client of greedy) client.close();
        const turnedAway = await bed.audit.find({ user: ':lockkeeper-', code: 429 }, mark);
        expect(turnedAway.filter(({ objectRef }) => objectRef?.subresource !== 'eviction')).toEqual([]);
        expect(judge.boots().length).toBeGreaterThan(before);
        return `400 lists at once by another client, ${asked} in all, ${refused} of them refused; none of ours`;
      };
      await ride(start, { name: 'API server starved by another client for 60 s', nodes: 24, fleet: { timings: { bootMs: 3_000 } }, harm });
    },
    15 * minutes,
  );

  test.each([
    ['10 minutes ahead', '+600'],
    ['10 minutes behind', '-600'],
  ])(
    'has clocks: those of our programs are %s of the API server’s',
    async (words, offset) => {
      const library = await fakeTimeLibrary();
      if (library === undefined) throw new Error('libfaketime is not installed: make bed-deps');
      const harm = async ({ bed, judge, eventually }: TestFleet) => {
        const before = judge.boots().length;
        const env = { LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
        const variables = Object.entries(env).map(([name, value]) => ({ name, value }));
        for (const [kind, component] of [['daemonset', 'agent'] as const, ['deployment', 'controller'] as const]) {
          const path = `/apis/apps/v1/namespaces/lockkeeper/${kind}s/lockkeeper-${component}`;
          const containers = [{ name: component, env: variables }];
          await bed.client.patch(path, { spec: { template: { spec: { containers } } } }, 'strategic');
        }
        await eventually(() => judge.boots().length >= before + 3, { timeoutMs: 180_000 });
        return 'controller and agents restarted with that clock in the middle of the rollout, and kept it';
      };
      await ride(start, { name: `clocks of our programs ${words}`, fleet: { replicas: 2 }, harm });
    },
    15 * minutes,
  );
});

/** Enough that a list takes the API server a while. */
async function ballast(client: TestFleet['bed']['client']): Promise<void> {
  const data = { text: 'x'.repeat(200_000) };
  for (let index = 0; index < 60; index++)
    await client.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `ballast-${index}`, namespace: 'default' }, data });
}

import { afterEach, describe, expect, test } from '@jest/globals';
import { type Fleet, type FleetOptions, startFleet } from './fleet.ts';
import { hurried } from './watched-fleet.ts';

let fleet: Fleet | undefined;
afterEach(() => fleet?.stop());
const start = async (options: FleetOptions): Promise<Fleet> => {
  fleet = await startFleet(options);
  return fleet;
};

describe('a rolling update', () => {
  test('of 5 nodes goes one at a time, and every pod stays within its budget', async () => {
    const { bed, judge, machines, release, updated } = await start({ nodes: 5 });
    await bed.client.apply(webDeployment, webBudget);
    await bed.eventually(async () => (await webPods(bed.client)).filter(isReady).length === 6);
    const names = machines.map(({ name }) => name);
    const onFleet = (await webPods(bed.client))
      .filter(({ spec }) => names.includes(spec.nodeName))
      .map(({ metadata }) => `default/${metadata.name}`);
    release('1.26.1');
    await updated('1.26.1');

    expect(judge.mostUnavailable()).toBe(1);
    expect(
      judge
        .boots()
        .map(({ node }) => node)
        .sort(),
    ).toEqual(machines.map(({ name }) => name).sort());
    const orders = await judge.orders();
    for (const { name } of machines) {
      expect(orders.filter(({ node }) => node === name).map(({ action }) => action)).toEqual(['Stage', 'Reboot']);
    }
    expect(await judge.evictions()).toEqual(expect.arrayContaining(onFleet));
    expect(onFleet.length).toBeGreaterThan(0);
    await judge.invariants();
  }, 180_000);

  test('of 12 nodes with maxUnavailable 25% takes three at a time, and no more', async () => {
    const { judge, release, updated } = await start({ nodes: 12, policy: { rollout: { maxUnavailable: '25%' } } });
    release('1.26.1');
    await updated('1.26.1');
    expect(judge.mostUnavailable()).toBe(3);
    await judge.invariants();
  }, 180_000);
});

describe('a policy of few nodes', () => {
  test('goes on where it has one alone, and of two with 100 % one always stays', async () => {
    const { bed, judge, machines, nodeUpdate, release, updated } = await start({
      nodes: 3,
      policy: { rollout: { maxUnavailable: '100%' } },
      machine: (index) => ({ name: `node-${index + 1}`, zone: 'eu-west-1a', labels: index === 2 ? { alone: 'true' } : {} }),
    });
    await bed.client.apply({
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'UpdatePolicy',
      metadata: { name: 'alone' },
      spec: {
        ...hurried({ rollout: { maxUnavailable: '50%' } }),
        nodeSelector: { matchLabels: { alone: 'true' } },
        priority: 1,
      },
    });
    await bed.eventually(async () => (await nodeUpdate('node-3')).policy === 'alone');
    release('1.26.1');
    await updated('1.26.1');
    const held = await judge.spans();
    expect(held.map(({ policy, node }) => `${policy} ${node}`).sort()).toEqual(['alone node-3', 'fleet node-1', 'fleet node-2']);
    const [first, second] = held.filter(({ policy }) => policy === 'fleet');
    expect(first?.to).toBeLessThanOrEqual(second?.from ?? 0);
    expect(judge.mostUnavailable(['node-3'])).toBe(1);
    await judge.invariants();
    await judge.onceEach(machines);
  }, 120_000);
});

const labels = { app: 'web' };
const webDeployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 6,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web' }] } },
  },
};
const webBudget = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'default' },
  spec: { minAvailable: 5, selector: { matchLabels: labels } },
};

type Pod = { metadata: { name: string }; spec: { nodeName: string }; status?: { conditions?: { type: string; status: string }[] } };
const webPods = (client: Fleet['bed']['client']) => client.list<Pod>('/api/v1/namespaces/default/pods', { labelSelector: 'app=web' });
const isReady = ({ status }: Pod): boolean => status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;

import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../bed/api.ts';
import type { Bed } from '../bed/bed.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const podsPath = '/api/v1/namespaces/default/pods';
const eventsPath = '/api/v1/namespaces/default/events';
const budgetsPath = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';

/** What keeps each node, what its message names, and what puts it right. */
const cases = [
  {
    what: 'maxUnavailable 0',
    pod: { budgets: [{ maxUnavailable: 0 }] },
    says: ['default/node-1-', 'default/budget-node-1-0', 'can never allow it'],
    mend: ({ client }: Bed) => client.patch(`${budgetsPath}/budget-node-1-0`, { spec: { maxUnavailable: 1 } }),
  },
  {
    what: 'minAvailable = replicas, all healthy',
    pod: { budgets: [{ minAvailable: '100%' }] },
    says: ['default/node-2-', 'default/budget-node-2-0', 'it wants 1 healthy of 1'],
    mend: ({ client }: Bed) => client.delete(`${budgetsPath}/budget-node-2-0`),
  },
  {
    what: 'two budgets',
    pod: { budgets: [{ minAvailable: 0 }, { minAvailable: 0 }] },
    says: ['default/node-3-', 'default/budget-node-3-0', 'default/budget-node-3-1', 'more than one'],
    mend: async ({ client }: Bed) => {
      await client.delete(`${budgetsPath}/budget-node-3-1`);
      // Of several budgets of a pod the controller-manager hears of its changes for one alone: the other one is looked at when it changes.
      await client.patch(`${budgetsPath}/budget-node-3-0`, { metadata: { annotations: { mended: 'true' } } });
    },
  },
  {
    what: 'an owner who asks not to be disrupted',
    pod: { budgets: [], annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' } },
    says: ['default/node-4-', 'asks not to be disrupted'],
    mend: async ({ client }: Bed) => {
      const [pod] = await client.list<KubeObject>(podsPath, { labelSelector: 'app=node-4' });
      await client.patch(`${podsPath}/${pod?.metadata.name}`, {
        metadata: { annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' } },
      });
    },
  },
] as const;

describe('preflight', () => {
  test('finds what can never be evicted before the cordon, lets the next node go, and comes back when it has changed', async () => {
    const fleet = await start({ nodes: 6 });
    const { bed, eventually, history, judge, machines, phase, releaseInOrder, updated } = fleet;
    for (const [index, { pod }] of cases.entries()) await deploy(bed, `node-${index + 1}`, pod);
    // Not just now: one of its two pods does not get ready, so the budget has none to spare.
    await deploy(bed, 'node-5', { budgets: [{ maxUnavailable: 1 }], replicas: 2, elsewhere: true });
    await eventually(
      async () => {
        const budgets = await bed.client.list<BudgetObject>(budgetsPath);
        const seen = budgets.filter(({ status }) => status?.observedGeneration === 1 && (status.expectedPods ?? 0) > 0);
        const waits = budgets.find(({ metadata }) => metadata.name === 'budget-node-5-0')?.status;
        return seen.length >= 4 && waits?.expectedPods === 2 && waits.disruptionsAllowed === 0 && waits.currentHealthy === 1;
      },
      { describe: () => bed.client.list(budgetsPath) },
    );
    await releaseInOrder('1.26.1');

    for (const [index, { says }] of cases.entries()) {
      const { message } = await phase(`node-${index + 1}`, 'Blocked', 'CannotEvict');
      for (const words of says) expect(message).toContain(words);
      const told = await eventually(async () => {
        const events = await bed.client.list<EventObject>(eventsPath);
        return events.find(({ involvedObject: { name }, reason }) => reason === 'EvictionBlocked' && name.startsWith(`node-${index + 1}-`));
      });
      expect(told).toMatchObject({ type: 'Warning', involvedObject: { kind: 'Pod' } });
      expect(told.message).toContain(`node-${index + 1} waits with its update to 1.26.1 until this pod may be evicted`);
    }
    // That of the fifth may rise again: it is drained, and held up, but not Blocked. The sixth waits for its turn.
    await phase('node-5', 'Draining');
    await phase('node-6', 'Staged');
    for (const { name } of machines.slice(0, 4)) expect(changes(history.versions, name, isCordoned)).toEqual([false]);
    await bed.client.patch(`${budgetsPath}/budget-node-5-0`, { spec: { maxUnavailable: 2 } });
    await updated('1.26.1', ['node-5', 'node-6']);
    for (const { name } of machines.slice(0, 4)) expect(changes(history.versions, name, isCordoned)).toEqual([false]);

    for (const { mend } of cases) await mend(bed);
    await updated('1.26.1');
    await judge.onceEach(machines);
    for (const { name } of machines) expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false]);
    expect(judge.mostUnavailable()).toBe(1);
    await judge.invariants();
  }, 150_000);
});

type EventObject = KubeObject & { type: string; reason: string; message: string; involvedObject: { kind: string; name: string } };

type BudgetObject = KubeObject & {
  status?: { observedGeneration?: number; expectedPods?: number; currentHealthy?: number; disruptionsAllowed?: number };
};

interface Deployed {
  readonly budgets: readonly object[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  /** Its second pod fits no node. */
  readonly elsewhere?: boolean;
}

/** Puts a Deployment's pod on a node, under these budgets, and waits until it is Ready. */
async function deploy({ client, eventually }: Bed, node: string, { budgets, annotations = {}, replicas = 1, elsewhere = false }: Deployed) {
  const labels = { app: node };
  const spec = {
    terminationGracePeriodSeconds: 1,
    nodeSelector: { 'kubernetes.io/hostname': node },
    ...(elsewhere && {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
          ],
        },
      },
    }),
    containers: [{ name: 'main', image: 'none' }],
  };
  await client.apply(
    ...budgets.map((budget, index) => ({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: `budget-${node}-${index}`, namespace: 'default' },
      spec: { ...budget, selector: { matchLabels: labels } },
    })),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: node, namespace: 'default' },
      spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels, annotations }, spec } },
    },
  );
  await eventually(async () => {
    const pods = await client.list<KubeObject & { status?: { conditions?: { type: string; status: string }[] } }>(podsPath, {
      labelSelector: `app=${node}`,
    });
    return pods.filter(({ status }) => status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')).length === 1;
  });
}

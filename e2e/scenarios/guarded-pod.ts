import type { KubeObject } from '../bed/api.ts';
import type { Bed } from '../bed/bed.ts';
import type { PodObject } from '../bed/pod-object.ts';

/**
 * A pod that may not be evicted now: its budget wants one pod, and the other one of its Deployment finds no place. Preflight lets it
 * pass, for the budget would have one to spare if that one got ready.
 */
export interface GuardedPod {
  /** `namespace/name`. */
  readonly key: string;
  readonly name: string;
  /** `namespace/name` of its budget, which is the Deployment's too. */
  readonly budget: string;
  /** From now on it may be evicted. */
  open(): Promise<void>;
  /** From now on its budget wants both pods, and can never allow it: preflight bars the node. */
  bar(): Promise<void>;
}

type Budget = KubeObject & { status?: { observedGeneration?: number; currentHealthy?: number; expectedPods?: number } };

/** Puts such a pod on a node, and waits until its budget knows of it. An image is needed where nodes really run it. */
export async function guardNode(
  { client, eventually }: Pick<Bed, 'client' | 'eventually'>,
  node: string,
  image = 'none',
): Promise<GuardedPod> {
  const name = `guard-${node}`;
  const labels = { app: name };
  const budgetPath = `/apis/policy/v1/namespaces/default/poddisruptionbudgets/${name}`;
  await client.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'default' },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            nodeSelector: { 'kubernetes.io/hostname': node },
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
                ],
              },
            },
            containers: [{ name: 'main', image }],
          },
        },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, namespace: 'default' },
      spec: { minAvailable: 1, selector: { matchLabels: labels } },
    },
  );
  await eventually(
    async () => {
      const { status } = await client.get<Budget>(budgetPath);
      return status?.observedGeneration === 1 && status.expectedPods === 2 && status.currentHealthy === 1;
    },
    { describe: () => client.get(budgetPath) },
  );
  const pods = await client.list<PodObject>('/api/v1/namespaces/default/pods', { labelSelector: `app=${name}` });
  const pod = pods.find(({ spec }) => spec.nodeName === node);
  if (pod === undefined) throw new Error(`${name} has no pod`);
  return {
    key: `default/${pod.metadata.name}`,
    name: pod.metadata.name,
    budget: `default/${name}`,
    async open() {
      await client.patch(budgetPath, { spec: { minAvailable: 0 } });
    },
    async bar() {
      const { metadata } = await client.patch<Budget>(budgetPath, { spec: { minAvailable: 2 } });
      await eventually(async () => (await client.get<Budget>(budgetPath)).status?.observedGeneration === metadata.generation);
    },
  };
}

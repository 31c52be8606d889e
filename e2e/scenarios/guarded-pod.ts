import type { KubeObject } from '../bed/api.ts';
import type { Bed } from '../bed/bed.ts';
import type { PodObject } from '../bed/pod-object.ts';

/** A pod that may not be evicted: it is the only one of its Deployment, and its budget wants one. */
export interface GuardedPod {
  /** `namespace/name`. */
  readonly key: string;
  readonly name: string;
  /** `namespace/name` of its budget, which is the Deployment's too. */
  readonly budget: string;
  /** From now on it may be evicted. */
  open(): Promise<void>;
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
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            nodeSelector: { 'kubernetes.io/hostname': node },
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
      return status?.observedGeneration === 1 && status.expectedPods === 1 && status.currentHealthy === 1;
    },
    { describe: () => client.get(budgetPath) },
  );
  const [pod] = await client.list<PodObject>('/api/v1/namespaces/default/pods', { labelSelector: `app=${name}` });
  if (pod === undefined) throw new Error(`${name} has no pod`);
  return {
    key: `default/${pod.metadata.name}`,
    name: pod.metadata.name,
    budget: `default/${name}`,
    async open() {
      await client.patch(budgetPath, { spec: { minAvailable: 0 } });
    },
  };
}

import { forEachBounded } from '../../../src/controller/bounded.ts';
import type { Api, KubeObject } from '../../bed/api.ts';

const replicasEach = 100;
/** An eviction reads all budgets of its namespace: a bed with one namespace would measure that. */
const deploymentsEach = 10;
const atOnce = 8;

/** Pods of Deployments of up to a hundred, ten in a namespace, each with a budget that never stands in the way of a tenth of its pods. */
export async function startWorkload(api: Api, pods: number, nodeSelector: Readonly<Record<string, string>>): Promise<void> {
  const sizes = Array.from({ length: Math.ceil(pods / replicasEach) }, (_, index) => Math.min(replicasEach, pods - index * replicasEach));
  const namespaceOf = (index: number): string => `work-${Math.floor(index / deploymentsEach) + 1}`;
  for (const name of new Set(sizes.keys().map(namespaceOf))) await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await forEachBounded([...sizes.entries()], atOnce, async ([index, replicas]) => {
    const name = `work-${index + 1}`;
    const labels = { app: name };
    const metadata = { name, namespace: namespaceOf(index) };
    await api.apply(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: {
          replicas,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { containers: [{ name: 'work', image: 'work' }], nodeSelector, automountServiceAccountToken: false },
          },
        },
      },
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata,
        spec: { maxUnavailable: '50%', selector: { matchLabels: labels } },
      },
    );
  });
}

/** How many of its pods are ready. */
export async function readyPods(api: Api): Promise<number> {
  const deployments = await api.list<KubeObject & { status?: { readyReplicas?: number } }>('/apis/apps/v1/deployments');
  const work = deployments.filter(({ metadata }) => metadata.namespace?.startsWith('work-'));
  return work.reduce((sum, { status }) => sum + (status?.readyReplicas ?? 0), 0);
}

import type { Bed } from '../bed/bed.ts';

/** A Deployment of two pods a node, of which one in six may be missing at a time, running on the fleet. */
export async function workload({ client, eventually }: Bed, nodes: number): Promise<void> {
  const replicas = 2 * nodes;
  const labels = { app: 'work' };
  const spread = [
    { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: labels } },
  ];
  const spec = { terminationGracePeriodSeconds: 1, topologySpreadConstraints: spread, containers: [{ name: 'main', image: 'none' }] };
  await client.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'work', namespace: 'default' },
      spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'work', namespace: 'default' },
      spec: { maxUnavailable: Math.max(1, Math.floor(replicas / 6)), selector: { matchLabels: labels } },
    },
  );
  await eventually(async () => {
    const { status } = await client.get<{ status?: { readyReplicas?: number } }>('/apis/apps/v1/namespaces/default/deployments/work');
    return status?.readyReplicas === replicas;
  });
}

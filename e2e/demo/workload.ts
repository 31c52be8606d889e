const labels = { app: 'shop' };

/** A Deployment of `replicas` pods, of which all but one must stay healthy. */
export const shop = (replicas: number, container: object): object[] => [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { 'bed.lockkeeper.dev/terminates-after': '1s' } },
        spec: {
          containers: [{ name: 'shop', ...container }],
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: labels },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'shop', namespace: 'default' },
    spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
  },
];

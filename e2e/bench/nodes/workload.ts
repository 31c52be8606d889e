import { workloadImage } from '../../nodes/images.ts';

const labels = { app: 'web' };
/** So long a pod goes on serving after it was told to end, while proxies and load balancers forget it. */
export const preStopSeconds = 3;
/** Two a node at first. */
export const replicas = 6;
export const nodePort = 30080;
/** Selects the machines that are updated. */
export const workLabel = { 'bench.lockkeeper.dev/work': 'true' } as const;
export const deployment = 'deployment/web';

/**
 * A web server that is served through kube-proxy. Its budget never stands in the way of one node, so that no drain waits for
 * anything but the pods themselves.
 */
export function webWorkload(): object[] {
  const spread = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: labels },
    matchLabelKeys: ['pod-template-hash'],
  };
  const main = {
    name: 'main',
    image: workloadImage,
    command: ['node', '/server.js'],
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
    lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        strategy: { rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } },
        template: { metadata: { labels }, spec: { nodeSelector: workLabel, topologySpreadConstraints: [spread], containers: [main] } },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace: 'default' },
      spec: { maxUnavailable: '50%', selector: { matchLabels: labels } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { type: 'NodePort', selector: labels, ports: [{ port: 80, targetPort: 8080, nodePort }] },
    },
  ];
}

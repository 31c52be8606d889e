import { workloadImage } from '../images.ts';

const namespace = 'default';

export const web = {
  replicas: 4,
  minAvailable: 3,
  nodePort: 30080,
  labels: { app: 'web' },
} as const;

/**
 * What is to be served without a break: a Deployment spread over the nodes, under a budget that lets one of its pods go at a
 * time, behind a Service. Its pods pause before they end, as pods behind any load balancer must: until every kube-proxy has
 * heard of it, requests still come.
 */
export function servedWorkload(): object[] {
  const { labels, replicas, minAvailable, nodePort } = web;
  const main = {
    ...server({}),
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
    lifecycle: { preStop: { sleep: { seconds: 4 } } },
  };
  const apart = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: labels },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { topologySpreadConstraints: [apart], containers: [main] } },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace },
      spec: { minAvailable, selector: { matchLabels: labels } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { type: 'NodePort', selector: labels, ports: [{ port: 80, targetPort: 8080, nodePort }] },
    },
  ];
}

/** A pod of a StatefulSet that stays with its node, and takes its time to end: less than it is allowed. */
export const slowToEnd = (node: string, seconds: number): object =>
  statefulPod('slow', node, { env: { DRAIN_SECONDS: String(seconds) }, graceSeconds: seconds + 25 });

/** One that does not end when it is told to. */
export const deafToSigterm = (node: string, graceSeconds: number): object =>
  statefulPod('deaf', node, { env: { IGNORE_SIGTERM: 'yes' }, graceSeconds });

/** A DaemonSet of one node, whose pod is Ready some seconds after its start. */
export function daemon(node: string): object {
  const labels = { app: 'daemon' };
  const main = { ...server({}), readinessProbe: { httpGet: { path: '/', port: 8080 }, initialDelaySeconds: 3, periodSeconds: 1 } };
  const spec = { nodeSelector: { 'kubernetes.io/hostname': node }, containers: [main] };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'daemon', namespace },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

function statefulPod(name: string, node: string, options: { env: Record<string, string>; graceSeconds: number }): object {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace },
    spec: {
      replicas: 1,
      serviceName: name,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: options.graceSeconds,
          nodeSelector: { 'kubernetes.io/hostname': node },
          containers: [server(options.env)],
        },
      },
    },
  };
}

function server(environment: Record<string, string>): object {
  const env = Object.entries(environment).map(([name, value]) => ({ name, value }));
  return { name: 'main', image: workloadImage, command: ['node', '/server.js'], env };
}

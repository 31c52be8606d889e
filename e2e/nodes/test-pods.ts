import type { KubeObject } from '../bed/api.ts';
import { workloadImage } from './images.ts';

export interface PodWithStatus extends KubeObject {
  status: { phase: string; containerStatuses?: { ready: boolean; restartCount: number }[] };
}

export const podPath = (name: string): string => `/api/v1/namespaces/default/pods/${name}`;

/** Says what an agent would see: the boot, the host behind the socket, the API server by its service. */
const look = `
const { readFileSync } = require('node:fs');
const { get } = require('node:http');
console.log('boot ' + readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
get({ socketPath: '/run/api.sock', path: '/os' }, (answer) => answer.on('data', (text) => console.log('host ' + text)));
const folder = '/var/run/secrets/kubernetes.io/serviceaccount/';
const [ca, token] = [readFileSync(folder + 'ca.crt'), readFileSync(folder + 'token', 'utf8')];
const ask = () => require('node:https')
  .get('https://' + process.env.KUBERNETES_SERVICE_HOST + '/version', { ca, headers: { authorization: 'Bearer ' + token } }, (answer) =>
    answer.on('data', (text) => console.log('server ' + JSON.parse(text).gitVersion)))
  .on('error', () => setTimeout(ask, 200));
ask();
setInterval(() => {}, 60_000);
process.on('SIGTERM', () => process.exit(0));
`;

/** A pod under the rules that our agent's pod is under. */
export function agentLike(name: string, node: string): object {
  const restricted = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };
  const identity = { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, supplementalGroups: [274] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName: node,
      hostNetwork: true,
      tolerations: [{ operator: 'Exists' }],
      securityContext: { ...identity, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image: workloadImage,
          command: ['node', '-e', look],
          securityContext: restricted,
          volumeMounts: [{ name: 'api-socket', mountPath: '/run/api.sock' }],
        },
      ],
      volumes: [{ name: 'api-socket', hostPath: { path: '/run/api.sock', type: 'Socket' } }],
    },
  };
}

/** Web servers (see workload/server.js), one a node. */
export function webPods(replicas: number): object {
  const labels = { app: 'web' };
  const apart = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: labels },
  };
  const main = {
    name: 'main',
    image: workloadImage,
    command: ['node', '/server.js'],
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { topologySpreadConstraints: [apart], containers: [main] } },
    },
  };
}

/** Lets every node lead to them. */
export function webService(nodePort: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080, nodePort }] },
  };
}

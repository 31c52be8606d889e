import { k8s } from 'cdk8s-plus-33';
import type { Construct } from 'constructs';
import { MANAGED_LABEL } from '../../src/api/names.ts';
import { image, namespaced, nothingOfItsMachine, podLabels } from './shared.ts';

const quantity = (text: string) => k8s.Quantity.fromString(text);

/** The controllers and the agents. */
export function workloads(scope: Construct): void {
  new k8s.KubeDeployment(scope, 'deployment-lockkeeper-controller', {
    metadata: namespaced('lockkeeper-controller', 'controller'),
    spec: {
      replicas: 2,
      selector: { matchLabels: podLabels('controller') },
      template: {
        metadata: { labels: podLabels('controller') },
        spec: {
          enableServiceLinks: false,
          serviceAccountName: 'lockkeeper-controller',
          priorityClassName: 'system-cluster-critical',
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
            topologyKey,
            maxSkew: 1,
            whenUnsatisfiable: 'ScheduleAnyway',
            matchLabelKeys: ['pod-template-hash'],
            labelSelector: { matchLabels: podLabels('controller') },
          })),
          securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'controller',
              image: image,
              imagePullPolicy: 'IfNotPresent',
              command: ['node', '--max-semi-space-size=4', '--heap-growing-percent=40', '--no-node-snapshot', '/app/lockkeeper.js'],
              args: [
                'controller',
                '--lease-name=lockkeeper',
                '--lease-duration=13s',
                '--renew-interval=5s',
                '--give-up-after=9s',
                '--listen=:8080',
                '--log-level=info',
              ],
              env: [
                { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
                { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
              ],
              ports: [{ name: 'metrics', containerPort: 8080 }],
              livenessProbe: {
                httpGet: { path: '/healthz', port: k8s.IntOrString.fromString('metrics') },
                initialDelaySeconds: 10,
                periodSeconds: 10,
                timeoutSeconds: 5,
              },
              readinessProbe: {
                httpGet: { path: '/readyz', port: k8s.IntOrString.fromString('metrics') },
                periodSeconds: 5,
                timeoutSeconds: 5,
              },
              resources: { limits: { memory: quantity('512Mi') }, requests: { cpu: quantity('20m'), memory: quantity('128Mi') } },
              securityContext: nothingOfItsMachine,
            },
          ],
        },
      },
    },
  });
  new k8s.KubeDaemonSet(scope, 'daemonSet-lockkeeper-agent', {
    metadata: namespaced('lockkeeper-agent', 'agent'),
    spec: {
      selector: { matchLabels: podLabels('agent') },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: k8s.IntOrString.fromString('10%') } },
      template: {
        metadata: { labels: podLabels('agent') },
        spec: {
          enableServiceLinks: false,
          serviceAccountName: 'lockkeeper-agent',
          automountServiceAccountToken: false,
          priorityClassName: 'system-node-critical',
          hostNetwork: true,
          dnsPolicy: 'Default',
          nodeSelector: { [MANAGED_LABEL]: 'true' },
          tolerations: [{ operator: 'Exists' }],
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 65532,
            runAsGroup: 65532,
            supplementalGroups: [274],
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: 'agent',
              image: image,
              imagePullPolicy: 'IfNotPresent',
              command: [
                'node',
                '--max-semi-space-size=1',
                '--max-old-space-size=32',
                '--jitless',
                '--no-node-snapshot',
                '/app/lockkeeper-agent.js',
              ],
              args: ['--socket=/run/api.sock', '--log-level=info'],
              env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
              resources: { limits: { memory: quantity('128Mi') }, requests: { cpu: quantity('5m'), memory: quantity('64Mi') } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
                seLinuxOptions: { user: 'system_u', role: 'system_r', type: 'control_t', level: 's0' },
              },
              volumeMounts: [
                { name: 'api-socket', mountPath: '/run/api.sock' },
                { name: 'token', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: 'api-socket', hostPath: { path: '/run/api.sock', type: 'Socket' } },
            {
              name: 'token',
              projected: {
                defaultMode: 292,
                sources: [
                  { serviceAccountToken: { path: 'token', expirationSeconds: 600 } },
                  { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
                  { downwardApi: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
                ],
              },
            },
          ],
        },
      },
    },
  });
  new k8s.KubeService(scope, 'service-lockkeeper-controller', {
    metadata: namespaced('lockkeeper-controller', 'controller'),
    spec: {
      selector: podLabels('controller'),
      ports: [{ name: 'metrics', port: 8080, targetPort: k8s.IntOrString.fromString('metrics') }],
    },
  });
  new k8s.KubePodDisruptionBudget(scope, 'podDisruptionBudget-lockkeeper-controller', {
    metadata: namespaced('lockkeeper-controller', 'controller'),
    spec: {
      maxUnavailable: k8s.IntOrString.fromNumber(1),
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: podLabels('controller') },
    },
  });
}

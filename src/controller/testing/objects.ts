import { AGENT_ADMISSION_POLICY, API_VERSION, COMPONENT_LABEL, MANAGED_LABEL, PART_OF } from '../../api/names.ts';
import type { NodeHostStatus } from '../../api/node-host.ts';
import { NEW, OLD } from '../../core/testing/builders.ts';
import type { FakeCluster, Stored } from './fake-cluster.ts';

export const osImage = (version: string): string => `Bottlerocket OS ${version} (aws-k8s-1.31)`;

/** A Ready Node that runs OLD, labelled as managed. */
export function putNode(cluster: FakeCluster, name: string, change: { metadata?: object; spec?: object; version?: string } = {}): Stored {
  return cluster.put('nodes', {
    metadata: {
      name,
      uid: `uid-${name}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { [MANAGED_LABEL]: 'true' },
      annotations: { 'example.com/theirs': 'kept' },
      ...change.metadata,
    },
    spec: { providerID: `host-${name}`, ...change.spec },
    status: {
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      nodeInfo: { bootID: 'boot-1', osImage: osImage(change.version ?? OLD), architecture: 'amd64', systemUUID: `uuid-${name}` },
    },
  });
}

const ownedBy = (node: Stored) => [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid }];

export const putUpdate = (cluster: FakeCluster, node: Stored, status: object = {}): Stored =>
  cluster.put('nodeupdates', {
    apiVersion: API_VERSION,
    kind: 'NodeUpdate',
    metadata: { name: node.metadata.name, ownerReferences: ownedBy(node) },
    status,
  });

/** A NodeHost whose agent has reported OLD, and NEW on offer. */
export const putHost = (cluster: FakeCluster, node: Stored, status: NodeHostStatus = {}, spec: object = {}): Stored =>
  cluster.put('nodehosts', {
    apiVersion: API_VERSION,
    kind: 'NodeHost',
    metadata: { name: node.metadata.name, ownerReferences: ownedBy(node) },
    spec: { refreshInterval: '1h', ignoreWaves: false, ...spec },
    status: { version: OLD, bootID: 'boot-1', available: [NEW, OLD], agentVersion: '0.1.0', ...status },
  });

export const putPolicy = (cluster: FakeCluster, name = 'default', spec: object = {}, metadata: object = {}): Stored =>
  cluster.put('updatepolicies', { metadata: { name, generation: 1, ...metadata }, spec, status: {} });

export const putPod = (cluster: FakeCluster, name: string, node: string, change: { metadata?: object; status?: object } = {}): Stored =>
  cluster.put('pods', {
    metadata: {
      name,
      namespace: 'shop',
      labels: { app: 'web' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', controller: true }],
      ...change.metadata,
    },
    spec: { nodeName: node },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], ...change.status },
  });

/** A pod of our own, in the namespace `lockkeeper`. */
export const putOwnPod = (cluster: FakeCluster, name: string, component: 'agent' | 'controller', node: string, ready = true): Stored =>
  putPod(cluster, name, node, {
    metadata: { namespace: 'lockkeeper', labels: { [PART_OF.key]: PART_OF.value, [COMPONENT_LABEL]: component } },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  });

/** The agents' admission policy and its binding. */
export function putGuard(cluster: FakeCluster): void {
  cluster.put('validatingadmissionpolicies', { metadata: { name: AGENT_ADMISSION_POLICY }, spec: { failurePolicy: 'Fail' } });
  cluster.put('validatingadmissionpolicybindings', {
    metadata: { name: AGENT_ADMISSION_POLICY },
    spec: { policyName: AGENT_ADMISSION_POLICY, validationActions: ['Deny'] },
  });
}

import type { PodView } from '../world.ts';

/** A pod of a ReplicaSet of its own namespace, Ready. */
export const replicaSetPod = (name: string, change: Partial<PodView> = {}): PodView => ({
  namespace: 'shop',
  name,
  uid: `uid-${name}`,
  labels: {},
  controller: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' },
  phase: 'Running',
  ready: true,
  terminating: false,
  mirror: false,
  emptyDir: false,
  ...change,
});

/** A pod of the DaemonSet `kube-system/cni`, Ready. */
export const daemonSetPod = (name: string): PodView =>
  replicaSetPod(name, { namespace: 'kube-system', controller: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'cni' } });

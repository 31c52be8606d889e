import type { DisruptionBudget, PodView } from '../world.ts';

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
export const daemonSetPod = (name: string, change: Partial<PodView> = {}): PodView =>
  replicaSetPod(name, { namespace: 'kube-system', controller: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'cni' }, ...change });

/** A budget of the same namespace that covers the pods labelled `app: name`, all of which it wants: it allows no eviction. */
export const closedBudget = (name: string): DisruptionBudget => ({
  namespace: 'shop',
  name,
  selector: { matchLabels: { app: name } },
  observed: true,
  disruptionsAllowed: 0,
  currentHealthy: 2,
  desiredHealthy: 2,
  expectedPods: 2,
});

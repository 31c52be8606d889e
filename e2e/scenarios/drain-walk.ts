import { expect } from '@jest/globals';
import type { KubeObject } from '../bed/api.ts';
import type { SeenRequest } from '../bed/fault-proxy.ts';
import type { PodObject } from '../bed/pod-object.ts';
import type { WatchHistory } from '../bed/watch-history.ts';
import type { Fleet } from './fleet.ts';
import { claimOf } from './places.ts';

/** What becomes of the request that the controller dies at: it is never sent, or carried out when its sender is dead already. */
export type Fate = 'lost' | 'delivered';

/** One place in a drain: between the request before this one and this one. */
export interface Position {
  /** Which of the drain's requests it is, from 1. */
  readonly at: number;
  readonly fate: Fate;
}

/** One node that is updated again and again, with pods under a budget that lets one go at a time. */
export interface DrainWalk {
  /** Updates the node once with nobody harmed; the controller's requests for it, from the claim to the uncordon. */
  count(): Promise<readonly SeenRequest[]>;
  /** Updates the node once more, and kills the controller there; false where the drain was over before. */
  killAt(position: Position): Promise<boolean>;
  /** No pod was evicted twice, none went in any other way, and the budget was never broken. */
  judge(): Promise<void>;
}

/** What `startDrainWalk` needs. */
export const drainWalking = { nodes: 1, faultsFor: ['controller'] } as const;

const node = 'node-1';
const pods = '/api/v1/namespaces/default/pods';
const labels = { app: 'walked' };
const replicas = 2;

/** Lease renewals and Events go on beside the drain; a watch is begun once, and what matters of it is what it tells. */
const belongsToADrain = ({ method, path }: SeenRequest): boolean =>
  !path.includes('/leases/') && !path.includes('/events') && !(method === 'GET' && path.includes('watch=true'));

/**
 * An eviction that is cancelled after the API server has taken it off the budget, and before the pod is deleted, keeps the budget shut
 * for so long: the disruption controller waits for the deletion (DeletionTimeout in k8s.io/kubernetes/pkg/controller/disruption).
 */
const abandonedEvictionMs = 120_000;

const isUncordon = ({ method, path, body }: SeenRequest): boolean =>
  method === 'PATCH' && path === `/api/v1/nodes/${node}` && body.includes('"unschedulable":null');

/** Counts the controller's requests from the claim on; true for the one at which it is to stop. */
function counter(stopAt: number) {
  const seen: SeenRequest[] = [];
  let over = false;
  return {
    seen,
    matches(request: SeenRequest): boolean {
      if (over || !belongsToADrain(request) || (seen.length === 0 && !claimOf(node)(request))) return false;
      seen.push(request);
      over = isUncordon(request);
      return seen.length === stopAt;
    },
  };
}

/** Puts the pods on the node. */
export async function startDrainWalk(fleet: Fleet): Promise<DrainWalk> {
  const { bed, eventually, leader, release, updated } = fleet;
  const { client, faults } = bed;
  await client.apply(...workload());
  const history: WatchHistory<PodObject> = await bed.history<PodObject>(pods, { labelSelector: 'app=walked' });
  /** Evictions whose answer never arrived, by the pod's uid. */
  const unanswered = new Set<string>();
  const drains: { from: number; to: number }[] = [];
  let version = 0;

  /** All pods on the node, Ready, and the budget knows it. */
  async function filled(): Promise<void> {
    await eventually(
      async () => {
        const items = await client.list<PodObject>(pods, { labelSelector: 'app=walked' });
        for (const { metadata, spec } of items) {
          if (spec.nodeName !== node && metadata.deletionTimestamp === undefined) await client.delete(`${pods}/${metadata.name}`);
        }
        const budget = await client.get<Budget>('/apis/policy/v1/namespaces/default/poddisruptionbudgets/walked');
        return (
          items.length === replicas &&
          items.every((pod) => pod.spec.nodeName === node && isUp(pod)) &&
          budget.status?.disruptionsAllowed === 1
        );
      },
      { describe: () => bed.kubectl('get', 'pods,nodes,pdb', '-o', 'wide') },
    );
  }

  async function update(): Promise<() => Promise<void>> {
    await filled();
    const from = history.versions.length;
    version += 1;
    release(`1.26.${version}`);
    return async () => {
      await updated(`1.26.${version}`, undefined, abandonedEvictionMs + 60_000);
      drains.push({ from, to: history.versions.length });
    };
  }

  return {
    async count() {
      const requests = counter(Number.POSITIVE_INFINITY);
      const fault = faults.arm('hold', requests.matches);
      const done = await update();
      await done();
      fault.lift();
      return requests.seen;
    },
    async killAt({ at, fate }) {
      const controller = await leader();
      const requests = counter(at);
      const fault = faults.arm('hold', requests.matches);
      const done = await update();
      const finished = done();
      const caught = await Promise.race([fault.first, finished.then(() => undefined)]);
      if (caught === undefined) {
        fault.lift();
        return false;
      }
      await controller.hold();
      if (fate === 'lost') fault.drop();
      else {
        await fault.release();
        const evicted = evictedUID(caught.path, caught.body);
        if (evicted !== undefined) unanswered.add(evicted);
      }
      controller.release();
      await finished;
      return true;
    },
    async judge() {
      const entries = await bed.audit.find({ verb: 'create', resource: 'pods', subresource: 'eviction', code: 201 });
      const times = new Map<string, number>();
      for (const { requestObject } of entries) {
        const uid = (requestObject as Eviction).deleteOptions?.preconditions?.uid ?? 'none';
        times.set(uid, (times.get(uid) ?? 0) + 1);
      }
      expect(times.size).toBeGreaterThanOrEqual(drains.length * replicas);
      expect([...times].filter(([uid, count]) => count > 1 && !unanswered.has(uid))).toEqual([]);
      expect(await bed.audit.find({ verb: ['delete', 'deletecollection'], user: 'lockkeeper-controller', resource: 'pods' })).toEqual([]);
      for (const { from, to } of drains) expect(leastUp(history, from, to)).toBeGreaterThanOrEqual(replicas - 1);
      await fleet.judge.invariants();
    },
  };
}

type Eviction = { deleteOptions?: { preconditions?: { uid?: string } } };
type Budget = KubeObject & { status?: { disruptionsAllowed?: number } };

function evictedUID(path: string, body: string): string | undefined {
  return path.endsWith('/eviction') ? (JSON.parse(body) as Eviction).deleteOptions?.preconditions?.uid : undefined;
}

const isUp = ({ metadata, status }: PodObject): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false);

/** The fewest pods that were up at once while the node was drained. */
function leastUp({ versions }: WatchHistory<PodObject>, from: number, to: number): number {
  const up = new Set<string>();
  let least = Number.POSITIVE_INFINITY;
  for (const [index, { type, object }] of versions.slice(0, to).entries()) {
    const { uid = '' } = object.metadata;
    if (type !== 'DELETED' && isUp(object)) up.add(uid);
    else up.delete(uid);
    if (index >= from) least = Math.min(least, up.size);
  }
  return least;
}

/** Pods that run on the node, and elsewhere while that is cordoned. */
function workload(): object[] {
  const preference = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] };
  const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }] } };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'walked', namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'none' }], affinity },
        },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'walked', namespace: 'default' },
      spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
    },
  ];
}

import type { NodeHost } from '../../src/api/node-host.ts';
import type { NodeUpdateStatus } from '../../src/api/node-update.ts';
import type { UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import type { KubeObject } from '../bed/api.ts';
import type { Bed } from '../bed/bed.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { changes, type WatchHistory } from '../bed/watch-history.ts';
import { type Judge, judgeOf } from './judge.ts';

const leasesPath = '/apis/coordination.k8s.io/v1/namespaces/lockkeeper/leases';
const policiesPath = '/apis/lockkeeper.dev/v1alpha1/updatepolicies';

type Lease = KubeObject & { spec: { holderIdentity?: string } };

/** What a scenario sees of a fleet and does to it, on either bed: simulated machines, or real nodes. */
export interface WatchedFleet {
  readonly history: WatchHistory<NodeObject>;
  readonly judge: Judge;
  policy(): Promise<KubeObject & { spec: object; status?: UpdatePolicyStatus }>;
  /** Merges into the policy's spec. */
  patchPolicy(spec: object): Promise<void>;
  annotate(kind: 'updatepolicies' | 'nodeupdates' | 'nodes', name: string, annotations: Record<string, string | null>): Promise<void>;
  node(name: string): Promise<NodeObject>;
  nodeUpdate(name: string): Promise<NodeUpdateStatus>;
  nodeHost(name: string): Promise<KubeObject & Pick<NodeHost, 'spec' | 'status'>>;
  /** Waits until a node is in a phase, for a reason where one is given. */
  phase(name: string, phase: string, reason?: string): Promise<NodeUpdateStatus>;
  /** Waits until these nodes (all unless told) run a version by the kubelet's word, are Ready, schedulable, and hold no claim. */
  updated(version: string, names?: readonly string[], timeoutMs?: number): Promise<void>;
  /** The name of the pod that holds the Lease. */
  leaseHolder(): Promise<string | undefined>;
  /** Who has held the Lease from now on: pods' names, and '' where it was given back. */
  leaseHolders(): Promise<() => string[]>;
  eventually: Bed['eventually'];
}

/** What is asked of a bed for that. */
export type WatchedBed = Pick<Bed, 'client' | 'audit' | 'history' | 'kubectl' | 'eventually'>;

export interface WatchedParts {
  readonly bed: WatchedBed;
  readonly history: WatchHistory<NodeObject>;
  /** The policy's name. */
  readonly policy: string;
  /** The nodes that it has. */
  readonly names: readonly string[];
  /** How long a node may take to a phase, and all of them to a version, unless a test says otherwise. */
  readonly patience: { readonly phaseMs: number; readonly updateMs: number };
}

export function watchFleet({ bed, history, policy, names: all, patience }: WatchedParts): WatchedFleet {
  const { client, eventually } = bed;
  const fleet: WatchedFleet = {
    history,
    judge: judgeOf(bed, history),
    eventually,
    policy: () => client.get(`${policiesPath}/${policy}`),
    async patchPolicy(spec) {
      await client.patch(`${policiesPath}/${policy}`, { spec });
    },
    async annotate(kind, name, annotations) {
      const path = kind === 'nodes' ? '/api/v1/nodes' : `/apis/lockkeeper.dev/v1alpha1/${kind}`;
      await client.patch(`${path}/${name}`, { metadata: { annotations } });
    },
    node: (name) => client.get<NodeObject>(`/api/v1/nodes/${name}`),
    async nodeUpdate(name) {
      const object = await client.find<KubeObject & { status?: NodeUpdateStatus }>(`/apis/lockkeeper.dev/v1alpha1/nodeupdates/${name}`);
      return object?.status ?? {};
    },
    nodeHost: (name) => client.get(`/apis/lockkeeper.dev/v1alpha1/nodehosts/${name}`),
    phase: (name, phase, reason) =>
      eventually(
        async () => {
          const status = await fleet.nodeUpdate(name);
          return status.phase === phase && (reason === undefined || status.reason === reason) && status;
        },
        { timeoutMs: patience.phaseMs, describe: () => fleet.nodeUpdate(name) },
      ),
    async updated(version, names = all, timeoutMs = patience.updateMs) {
      const done = async () => {
        const seen = await Promise.all(names.map((name) => fleet.node(name)));
        const { status } = await fleet.policy();
        const claimed = new Set((status?.claims ?? []).map(({ node }) => node));
        return seen.every((node) => runs(node, version) && isAvailable(node) && !claimed.has(node.metadata.name));
      };
      await eventually(done, { timeoutMs, describe: () => bed.kubectl('get', 'nodes,nodeupdates,updatepolicies', '-o', 'wide') });
    },
    async leaseHolder() {
      return (await client.find<Lease>(`${leasesPath}/lockkeeper`))?.spec.holderIdentity;
    },
    async leaseHolders() {
      const leases = await bed.history<Lease>(leasesPath);
      return () => changes(leases.versions, 'lockkeeper', ({ spec }) => spec.holderIdentity ?? '');
    },
  };
  return fleet;
}

/** The node runs an OS version, by its kubelet's word. */
const runs = (node: NodeObject, version: string): boolean => node.status.nodeInfo.osImage.startsWith(`Bottlerocket OS ${version} (`);

/** Schedulable and Ready. */
function isAvailable(node: NodeObject): boolean {
  const ready = node.status.conditions?.find(({ type }) => type === 'Ready');
  return node.spec.unschedulable !== true && ready?.status === 'True';
}

/** The spec of a policy that goes on by itself, in a hurry, with something else merged into it. */
export function hurried(spec: object): object {
  return merge(hurriedPolicy, spec);
}

const hurriedPolicy = {
  version: { refreshInterval: '1s' },
  rollout: { minReadySeconds: 0 },
  staging: { maxParallel: '100%' },
  drain: { timeout: '60s' },
  reboot: { timeout: '60s' },
};

function merge(base: Record<string, unknown>, over: object): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    merged[key] = isObject(old) && isObject(value) ? merge(old, value) : value;
  }
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

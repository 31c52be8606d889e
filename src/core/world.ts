import type { CordonRecord } from '../api/cordon-record.ts';
import type { LabelSelector } from '../api/label-selector.ts';
import type { NodeHostSpec, NodeHostStatus } from '../api/node-host.ts';
import type { BlockedPod, NodeUpdateStatus } from '../api/node-update.ts';
import type { UpdatePolicySpec, UpdatePolicyStatus } from '../api/update-policy.ts';

/** Milliseconds since the epoch, by the API server's clock. */
export type Instant = number;

/** The last one that a Date knows, in the year 275760. */
const LAST_INSTANT = 8_640_000_000_000_000;

/** An RFC 3339 time, as statuses carry it; what lies beyond the last one is the last one. */
export const timestamp = (at: Instant): string => new Date(Math.min(Math.max(at, -LAST_INSTANT), LAST_INSTANT)).toISOString();

/** The same for people, who read no milliseconds; what is no time is given back as it is. */
export const toSecond = (time: string): string => time.replace(/\.\d+Z$/, 'Z');

/** The instant of a time that a status carries; not a number where it is unreadable. */
export const instant = (time: string): Instant => Date.parse(time);

/** Annotations that people may have set on an object, by name. */
export type Annotations = Readonly<Record<string, string>>;

/** An UpdatePolicy as the decision sees it. */
export interface PolicyView {
  name: string;
  uid: string;
  resourceVersion: string;
  generation: number;
  deleting: boolean;
  annotations: Annotations;
  /** Who set its annotation `urgent`, and when, as far as the API server tells. */
  urgentBy?: string;
  spec: UpdatePolicySpec;
  status: UpdatePolicyStatus;
}

/** What a Bottlerocket node says of its OS, by its osImage and nodeInfo: the Node's own word, never the agent's. */
export interface NodeOS {
  version: string;
  variant: string;
  arch: string;
}

/** A Node with its NodeUpdate and NodeHost, as the decision sees it. */
export interface NodeView {
  name: string;
  uid: string;
  resourceVersion: string;
  /** When the node registered. */
  createdAt: string;
  labels: Readonly<Record<string, string>>;
  annotations: Annotations;
  unschedulable: boolean;
  /** Ready's status and its last transition. */
  ready: { status: boolean; since: string };
  bootID: string;
  /** Identity of the machine, kept when it registers anew: providerID, else systemUUID. */
  hostID: string;
  /** Being deleted, by an administrator or by an autoscaler. */
  deleting: boolean;
  /** Who set its annotation `urgent`, and when, as far as the API server tells. */
  urgentBy?: string;
  /** Carries the taint `lockkeeper.dev/outdated`. */
  outdated?: true;
  /** Absent where the node is not Bottlerocket's. */
  os?: NodeOS;
  record?: CordonRecord | 'unreadable';
  /** The lifecycle conditions that it carries; absent where there are none. */
  lifecycle?: readonly string[];
  /** Volumes that are attached to it, in the order of their names; only where our record has its drain wait for them. */
  volumesAttached?: readonly string[];
  update?: { resourceVersion: string; annotations: Annotations; urgentBy?: string; status: NodeUpdateStatus };
  host?: { resourceVersion: string; spec: NodeHostSpec; status: NodeHostStatus };
  /** The OS's existing operator puts its agents there, and has some in the cluster, or wants to. */
  otherOperator?: true;
  /** Whether a pod of the agent is Ready there; `unknown` where agents do not run as pods. */
  agent: 'ready' | 'missing' | 'unknown';
}

/** The version that is proven to be staged on a node's host: under the boot that its kubelet reports, for no proof outlives a boot. */
export const stagedVersion = ({ bootID, host }: NodeView): string | undefined =>
  host?.status.bootID === bootID ? host.status.staged?.version : undefined;

/** A pod, as far as a drain looks at it. */
export interface PodView {
  namespace: string;
  name: string;
  uid: string;
  labels: Readonly<Record<string, string>>;
  /** The controlling owner. */
  controller?: { apiVersion: string; kind: string; name: string };
  phase: string;
  ready: boolean;
  /** Stands for the containers that run: others, another value. Absent where the kubelet names none. */
  containers?: string;
  terminating: boolean;
  /** When a terminating pod should be gone. */
  goneBy?: string;
  mirror: boolean;
  emptyDir: boolean;
  /** How many of its volumes may have to be attached to its node; absent where none. */
  attachable?: number;
  /** The priority class of the system's own that it has. */
  critical?: 'cluster' | 'node';
  /** The annotation by which its owner asks not to be disrupted. */
  doNotDisrupt?: string;
  /** It may be scheduled to a cordoned node. */
  toleratesCordon?: boolean;
}

/** A hook's Job, as far as a decision looks at it. */
export type JobView =
  | { state: 'Absent' }
  | { state: 'Active'; createdAt: string }
  | { state: 'Succeeded'; endedAt?: string }
  | { state: 'Failed'; timedOut: boolean; message: string }
  /** It could not be made, and trying again is of no use. */
  | { state: 'Refused'; message: string };

/** What a policy's checks came to when they were last looked at. */
export interface ChecksView {
  /** The policy's generation whose checks these were. */
  generation: number;
  at: Instant;
  /** Which check fails and what it saw; absent where all hold. */
  failed?: string;
}

/** A PodDisruptionBudget, as far as it is told before a drain whether it can ever allow an eviction. */
export interface DisruptionBudget {
  namespace: string;
  name: string;
  /** Absent: it covers nothing. An empty one covers its whole namespace. */
  selector?: LabelSelector | undefined;
  /** Its controller has seen its present spec: only then its numbers mean something. */
  observed: boolean;
  disruptionsAllowed: number;
  currentHealthy: number;
  desiredHealthy: number;
  expectedPods: number;
  unhealthyPodEvictionPolicy?: string;
  /** Why its controller cannot compute it. */
  syncFailed?: string;
}

/** Budgets by their namespace. */
export type DisruptionBudgets = ReadonlyMap<string, readonly DisruptionBudget[]>;

/** All that one decision looks at: plain data. */
export interface World {
  policies: readonly PolicyView[];
  nodes: readonly NodeView[];
  /** The agents' ValidatingAdmissionPolicy and its binding are there and in force. */
  guarded: boolean;
  /** This controller's own pod; absent out of the cluster. */
  self?: { namespace: string; pod: string; node: string };
  /** Another controller replica is Ready on another node, which is itself neither cordoned nor in flight. */
  standby: boolean;
  /** Pods by node, for the nodes that are being looked at; a node without an entry has not been listed yet. */
  pods: ReadonlyMap<string, readonly PodView[]>;
  /** The DaemonSets that exist, as `namespace/name`. */
  daemonSets: ReadonlySet<string>;
  /** PodDisruptionBudgets, by namespace. */
  budgets: DisruptionBudgets;
  /** What the running drains could not evict yet, by node. */
  blockedPods: ReadonlyMap<string, readonly BlockedPod[]>;
  /** Namespaces in which hooks may run. */
  hookNamespaces: readonly string[];
  /** Jobs of running hooks by `namespace/name`; one without an entry has not been looked at yet. */
  jobs: ReadonlyMap<string, JobView>;
  /** The control plane's Kubernetes; absent while it is not known. */
  kubernetes?: KubernetesVersion;
  /** What the checks that are being looked at came to, by their policy's uid; one without an entry has not been looked at yet. */
  checks: ReadonlyMap<string, ChecksView>;
  /** Hosts whose Prometheus checks may ask. */
  prometheusHosts: readonly string[];
  retry: RetrySettings;
}

/** A Kubernetes version without its patch level. */
export interface KubernetesVersion {
  major: number;
  minor: number;
}

/** First wait after a failure that is retried by itself, and the longest one. */
export interface RetrySettings {
  baseMs: number;
  maxMs: number;
}

/** Wait before the given attempt (1 is the first retry): doubles from base to max. */
export function backoffMs({ baseMs, maxMs }: RetrySettings, attempt: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(30, Math.max(0, attempt - 1)));
}

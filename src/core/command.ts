import type { Check } from '../api/check.ts';
import type { CordonRecord } from '../api/cordon-record.ts';
import type { HookPosition } from '../api/hook.ts';
import type { NodeHostSpec, Order } from '../api/node-host.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Claim, UpdatePolicyStatus } from '../api/update-policy.ts';
import type { DrainContext } from './drain-settings.ts';
import type { Reason } from './reasons.ts';
import type { Instant, PodView } from './world.ts';

/**
 * What is to be done to one node; each is one write, fenced by the resourceVersion that the decision saw.
 * A node's commands are carried out in order, and the first that fails ends them: the next pass decides anew.
 */
export type Command =
  /** Make the missing NodeUpdate, and NodeHost where `host` says so, owned by the Node; remove one that belongs to another uid. */
  | { type: 'CreateObjects'; host: boolean; refresh: RefreshSettings }
  /** Persist what must be known before the commands that follow it. */
  | { type: 'WriteStatus'; status: NodeUpdateStatus }
  | { type: 'LabelManaged' }
  | { type: 'SetRefresh'; refresh: RefreshSettings }
  | { type: 'Order'; order: Order }
  /** A Reboot order: only if a fresh list of the node's pods shows nothing left to evict; then the status (with the deadline), then the order. */
  | { type: 'OrderReboot'; order: Order; record: CordonRecord; context: DrainContext; status: NodeUpdateStatus }
  | { type: 'Cordon'; record: CordonRecord; annotations: Readonly<Record<string, string>>; labels: Readonly<Record<string, string>> }
  /** The record of a node in flight has changed: its way back begins, or is given up. */
  | { type: 'UpdateRecord'; record: CordonRecord }
  /** Somebody uncordoned a node in flight: cordon it again, the record stays. */
  | { type: 'CordonAgain' }
  /** Restore what the record says where it is still ours, remove the record, leave the fence. */
  | { type: 'Uncordon'; record: CordonRecord }
  /** Remove the taint with which the node registered so as to be updated before it takes work. */
  | { type: 'Untaint' }
  /** Make a hook's Job, unless it is there already. */
  | { type: 'RunHook'; hook: HookRun }
  /** Give up a claim whose node carries no record yet. */
  | { type: 'Fence'; claim: string }
  /** Remove our label, fence and taint from a node that is released. */
  | { type: 'Sweep' };

/** How an agent asks its host for news. */
export type RefreshSettings = Pick<NodeHostSpec, 'refreshInterval' | 'ignoreWaves'>;

/** Where a node is, and the one reason why: status, event, metric and page all show this. */
export interface Verdict {
  reason: Reason;
  message: string;
  /** When the reason may change by time alone. */
  until?: Instant;
  /** The pods that forbid a drain, where that is the reason. */
  barred?: readonly BarredPod[];
}

/** A pod that may not be evicted as things stand. */
export interface BarredPod {
  pod: PodView;
  why: string;
}

/** What was decided for one node. */
export interface NodeDecision {
  node: string;
  status: NodeUpdateStatus;
  commands: readonly Command[];
  /** The pods for which it is Blocked: their owners are told. */
  barred?: readonly BarredPod[];
}

/** What was decided for one policy. */
export interface PolicyDecision {
  policy: string;
  /** The whole list, as it is to be written before any node is touched; absent where it stays as it is. */
  claims?: readonly Claim[];
  status: UpdatePolicyStatus;
}

/** Pods to be evicted from a node, now and for as long as the next decisions say so. */
export interface DrainDecision {
  node: string;
  claim: string;
  evict: readonly PodView[];
  /** They are deleted, past their budgets. */
  force?: true;
  gracePeriodSeconds?: number;
}

/** A hook's Job, by its name and the claim that its label names. */
export interface JobRef {
  namespace: string;
  name: string;
  claim: string;
}

/** All that a hook's Job is made of, but for its CronJob's template. */
export interface HookRun extends JobRef {
  at: HookPosition;
  /** Name of the CronJob in the Job's namespace. */
  cronJob: string;
  node: string;
  from: string;
  to: string;
  policy: string;
  timeoutMs: number;
}

/** Checks of a policy that are to be looked at, now and for as long as the next decisions say so. */
export interface ChecksRequest {
  /** The policy's uid. */
  policy: string;
  generation: number;
  checks: readonly Check[];
}

/** The outcome of one pass. */
export interface Decision {
  policies: readonly PolicyDecision[];
  nodes: readonly NodeDecision[];
  drains: readonly DrainDecision[];
  /** Nodes whose pods the next decision wants to see. */
  lookAt: readonly string[];
  /** Jobs that the next decision wants to see. */
  jobs: readonly JobRef[];
  /** Policies whose checks the next decision wants to see. */
  checks: readonly ChecksRequest[];
  /** This replica's own node is next, and another replica should lead while it goes. */
  handOver: boolean;
  /** When to look again even if nothing happens. */
  wakeAt?: Instant;
}

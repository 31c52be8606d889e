/**
 * What goes between the dashboard's server (on the user's own machine) and its page.
 *
 * The page is at `GET /`, and asks for nothing without the token that the URL's fragment brings (`/#token=…`): every request below
 * `/api/` carries it as `Authorization: Bearer TOKEN`, so there is no cookie, and no EventSource either: the stream is read by fetch.
 *
 * | request | answer |
 * |---|---|
 * | `GET /api/events` | server-sent events, each one `data: <json of a ServerEvent>`; first a snapshot, then changes. Comment lines keep it alive |
 * | `GET /api/nodes/NAME/why` | a `WhyAnswer` |
 * | `GET /api/history?policy=NAME` or `?node=NAME` | a `HistoryAnswer` |
 * | `POST /api/plan` (no body) | newline-delimited JSON, each line a `PlanEvent`; ends with `plan` or `error`. Cancel: abort the fetch |
 * | `POST /api/actions` (an `ActionRequest`) | an `ActionAnswer` |
 *
 * Whatever goes wrong is answered with a status of 400 and above and a `Problem`. Every POST has `content-type: application/json`.
 * What is not set is left out, so that thousands of nodes stay small; times are milliseconds since the epoch by the API server's clock.
 */

import type { HookStatus } from '../api/hook.ts';
import type { BlockedPod, Phase } from '../api/node-update.ts';
import type { Plan } from '../api/plan.ts';
import type { Condition } from '../api/primitives.ts';
import type { Counts, GroupState } from '../api/update-policy.ts';

export type { Phase } from '../api/node-update.ts';
export type { Plan, PlanWarning, PolicyPlan } from '../api/plan.ts';

/** Milliseconds since the epoch, by the API server's clock. */
export type Instant = number;

/** One event of the stream. */
export type ServerEvent = Snapshot | Changes;

/** All that there is to show: the first event of a stream, and again whenever the page was too slow to be told of each change. */
export interface Snapshot {
  type: 'snapshot';
  /** The changes that follow count on from here, one by one. */
  seq: number;
  /** Now, by the API server's clock. */
  at: Instant;
  /** The program's own version. */
  version: string;
  cluster: Cluster;
  connection: Connection;
  access: Access;
  policies: readonly PolicyRow[];
  nodes: readonly NodeRow[];
}

/** What has changed since the event before; at most one of these every 50 ms or so. */
export interface Changes {
  type: 'changes';
  /** One more than that of the event before; where it is not, the stream must be opened anew. */
  seq: number;
  at: Instant;
  /** In their whole new state, by name. */
  policies?: readonly PolicyRow[];
  nodes?: readonly NodeRow[];
  /** Names of those that are gone. */
  gonePolicies?: readonly string[];
  goneNodes?: readonly string[];
  connection?: Connection;
  access?: Access;
  cluster?: Cluster;
}

/** Which cluster is shown, and with whose rights. */
export interface Cluster {
  /** Of the kubeconfig. */
  context: string;
  /** The cluster's name in the kubeconfig. */
  name: string;
  /** The API server's address. */
  server: string;
  /** As the API server knows the user (or whom they act as); absent until it has said so. */
  user?: string;
  /** Kubernetes' version, such as `v1.36.3`. */
  kubernetes?: string;
}

/** How the server gets on with the API server. */
export interface Connection {
  /**
   * `connecting`: not everything has been read yet. `live`: what is shown is what is. `broken`: what is shown was so at `heardAt`, and
   * it is tried again. `unauthorized`: the API server no longer knows the user (log in again; it goes on by itself).
   * `notInstalled`: the cluster has no Lockkeeper.
   */
  state: 'connecting' | 'live' | 'broken' | 'unauthorized' | 'notInstalled';
  /** Since when. */
  since: Instant;
  /** When the API server last told anything. */
  heardAt?: Instant;
  /** What is wrong and what to do, for people. */
  message?: string;
}

/** What the user may, as far as the API server was asked. */
export interface Access {
  /** Rights that what is shown lacks, each with what is not shown for want of it. */
  missing: readonly MissingRight[];
  /** Rights that an action needs and the user lacks; what is not in here is allowed. */
  forbidden: readonly ForbiddenActions[];
}

/** A right as `kubectl auth can-i VERB RESOURCE` takes it; in all of the cluster unless a namespace is named. */
export interface Right {
  verb: string;
  /** `nodes`, `updatepolicies.lockkeeper.dev`. */
  resource: string;
  namespace?: string;
}

/** A right that reading lacks. */
export interface MissingRight extends Right {
  /** What is not shown therefore, for people: `zones and groups, cordons and readiness of nodes`. */
  hides: string;
}

/** Actions that the user may not take. */
export interface ForbiddenActions {
  /** On which kind of target. */
  on: TargetKind;
  right: Right;
  /** The chart's ClusterRole that allows it. */
  role: string;
}

/** A condition of a policy. */
export type PolicyCondition = Pick<Condition, 'type' | 'status' | 'reason' | 'message'> & { since: Instant };

/** An UpdatePolicy. */
export interface PolicyRow {
  name: string;
  uid: string;
  /** Where its nodes are, in one line; absent while no controller has looked at it. */
  summary?: string;
  /** No controller has looked at its present spec yet. */
  unseen?: true;
  conditions: readonly PolicyCondition[];
  counts?: Counts;
  /** Whether nodes may be begun as far as the schedule goes, and when that changes. */
  window?: { open: boolean; nextChange?: Instant };
  /** In which zone its windows are read by people. */
  timeZone: string;
  approval: 'Automatic' | 'Manual';
  /** Number or percent. */
  maxUnavailable: string;
  /** The label whose values are its zones. */
  zoneKey: string;
  /** Its groups in their order; nodes in none come last. */
  groups?: readonly string[];
  rollouts?: readonly Rollout[];
  /** What its nodes were offered, newest first. */
  releases?: readonly Release[];
  badReleases?: readonly BadRelease[];
  /** By its spec, which is changed where it is kept (Git, Helm values). */
  pausedBySpec?: true;
  pinBySpec?: string;
  byHand?: ByHand;
  /** Nodes that hold a slot. */
  claims?: readonly string[];
  /** What comes next, soonest first; at most eight. */
  upcoming?: readonly Upcoming[];
}

/** What is brought to the nodes of one variant and architecture. */
export interface Rollout {
  id: string;
  variant: string;
  arch: string;
  target: string;
  startedAt: Instant;
  /** How many nodes it has brought to its target. */
  updated: number;
  groups?: readonly { name: string; state: GroupState; soakUntil?: Instant; nodes?: number; updated?: number }[];
  /** Whose turn it is, within the group whose turn it is. */
  zone?: string;
  failed?: readonly Failed[];
}

/** A node on which a rollout failed. */
export interface Failed {
  node: string;
  target: string;
  reason: string;
  at: Instant;
  /** A person has looked at it: it no longer counts against the failure budget. */
  resumed?: true;
}

export interface Release {
  variant: string;
  arch: string;
  version: string;
  firstSeen: Instant;
}

export interface BadRelease {
  variant: string;
  arch: string;
  version: string;
  markedAt: Instant;
}

/** What people asked for by annotations, on this object alone. */
export interface ByHand {
  paused?: true;
  pin?: string;
  approved?: string;
  urgent?: string;
  /** Told to, and no controller has acted upon it yet. */
  pending?: readonly ('retry' | 'reboot' | 'skip' | 'resume' | 'clear-bad-release')[];
  /** Annotations that cannot be read. */
  problems?: readonly string[];
}

/** Something that is to happen, if nothing comes between. */
export interface Upcoming {
  at: Instant;
  what:
    | 'WindowOpens'
    | 'WindowCloses'
    | 'GroupSoaked'
    | 'NodeSoaked'
    | 'DrainDeadline'
    | 'RebootDeadline'
    | 'VerifyDeadline'
    | 'Retry'
    | 'Overdue';
  /** For people. */
  text: string;
  node?: string;
  group?: string;
}

/** A Bottlerocket node. */
export interface NodeRow {
  name: string;
  /** Another uid under the name is another node. */
  uid?: string;
  zone?: string;
  policy?: string;
  /** Its group in its policy; absent where it is in none. */
  group?: string;
  variant?: string;
  arch?: string;
  /** What it runs. */
  version?: string;
  /** What it is to run, where that is another version. */
  target?: string;
  /** What is proven to be staged on its host, where that is another version. */
  staged?: string;
  /** Absent where no controller has looked at it yet. */
  phase?: Phase;
  /** The phase that follows by itself. */
  next?: Phase;
  /** The one reason why it is where it is. */
  reason?: string;
  /** The reason, for people. */
  message?: string;
  /** Since when it is in its phase. */
  since?: Instant;
  /** Since when it is behind its target. */
  behindSince?: Instant;
  /** When the policy's patchDeadline is over for it, or was. */
  overdueAt?: Instant;
  /** The controller says that it is overdue. */
  overdue?: true;
  /** When it is tried again. */
  retryAt?: Instant;
  attempts?: number;
  cordoned?: true;
  notReady?: true;
  /** It is being deleted, by an administrator or an autoscaler. */
  deleting?: true;
  /** Of its NodeUpdate and its Node together. */
  byHand?: ByHand;
  drain?: Drain;
  /** The end of its present step: of the reboot, the verification, the soak. */
  deadline?: Instant;
  hooks?: readonly HookStatus[];
  /** Versions that failed on it, and are not tried again by themselves. */
  failures?: readonly { target: string; reason: string; message?: string; at: Instant }[];
  /** Conditions that it carries only while there is something to say. */
  conditions?: readonly Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[];
  /** Of its agent. */
  agentVersion?: string;
}

/** How far a node's drain is. */
export interface Drain {
  startedAt: Instant;
  /** When `drain.timeout` is over. */
  deadline?: Instant;
  /** Pods to be evicted, at its start and still. */
  total: number;
  remaining: number;
  /** Pods that could not be evicted yet, which budget keeps them, and why. */
  blocked?: readonly BlockedPod[];
  /** Pods that are left for the reboot to end. */
  left?: readonly { pod: string; reason: string }[];
}

/** Why a node is where it is: each of its rules in its order; the first that holds is the reason. */
export interface WhyAnswer {
  node: string;
  at: Instant;
  policy?: string;
  phase?: Phase;
  reason?: string;
  message?: string;
  /** For which version its rules were asked; empty rules: none is asked now. */
  version?: string;
  rules: readonly { rule: string; wants: string; holds: boolean; reason?: string; message?: string; change?: string }[];
  /** What would change where the node is. */
  change?: string;
}

/** An update that has ended. */
export interface HistoryEntry {
  node: string;
  policy?: string;
  from: string;
  to: string;
  startedAt: Instant;
  finishedAt: Instant;
  outcome: string;
  urgent?: true;
}

/** Updates that have ended, newest first; a node remembers its last ten. */
export interface HistoryAnswer {
  entries: readonly HistoryEntry[];
  /** How many there are, where not all are in `entries`. */
  total: number;
}

/** A line of the answer to `POST /api/plan`. */
export type PlanEvent =
  | {
      type: 'progress';
      stage: 'reading' | 'planning' /** Of the planning: nodes of which the plan has come to know so far, and all. */;
      done?: number;
      total?: number;
    }
  | { type: 'plan'; plan: Plan }
  | { type: 'error'; problem: Problem };

export type TargetKind = 'policy' | 'node';

/** What can be asked of policies and nodes: `kubectl lockkeeper` has a command of each name. */
export const VERBS = ['pause', 'resume', 'approve', 'unapprove', 'retry', 'skip', 'pin', 'unpin', 'reboot', 'clear-bad-release'] as const;
export type Verb = (typeof VERBS)[number];

/** What a person asks for; written as the command of that name writes it. */
export interface ActionRequest {
  verb: Verb;
  /** At least one, at most 100. */
  targets: readonly { kind: TargetKind; name: string }[];
  /** `pin` wants one, `approve` takes one (without it: that which is waited for), `clear-bad-release`, too. */
  version?: string;
  /** `approve`: urgent. */
  now?: boolean;
  /** Also a version that no host is offered yet. */
  force?: boolean;
  /** Say what would be done, and do nothing: what a confirmation shows. */
  preview?: boolean;
  /** The person has read the `asks` of the preview and agrees; without it an action that has some is refused (`ConfirmationNeeded`). */
  confirmed?: boolean;
}

/** What came of an action, target by target. */
export interface ActionAnswer {
  results: readonly ActionResult[];
}

export interface ActionResult {
  kind: TargetKind;
  name: string;
  /** Annotations that were set (or, with null, removed); of a preview: that would be. Empty: it was so already. */
  written: Readonly<Record<string, string | null>>;
  /** What was done, for people: `UpdatePolicy fleet paused`. */
  did: string;
  /** What comes of it, and how it is taken back. */
  next?: string;
  /** What it stops of what runs now: a question to be answered first. */
  asks?: string;
}

/** Why something was not done or cannot be shown; the message is for the user, and says what to do. */
export interface Problem {
  code:
    | 'Forbidden'
    | 'MissingRights'
    | 'ConfirmationNeeded'
    | 'Refused'
    | 'Invalid'
    | 'NotFound'
    | 'TooMany'
    | 'Unauthorized'
    | 'Unreachable'
    | 'Failed';
  message: string;
  /** Of MissingRights. */
  rights?: readonly Right[];
  /** The chart's ClusterRole that has them. */
  role?: string;
  /** Of ConfirmationNeeded. */
  asks?: readonly string[];
  /** Of an action that was cut short: what was written before. */
  results?: readonly ActionResult[];
}

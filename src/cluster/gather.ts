import { COMPONENT_LABEL, OTHER_OPERATOR_LABEL } from '../api/names.ts';
import type { BlockedPod } from '../api/node-update.ts';
import type { ChecksView, JobView, KubernetesVersion, NodeView, PodView, PolicyView, RetrySettings, World } from '../core/world.ts';
import type { DaemonSetView } from './daemon-sets.ts';
import type { BareNode, BoundPod, Budget, nodeHostOf, nodeUpdateOf } from './views.ts';

/** Where the controller itself runs; absent out of the cluster. */
export interface Self {
  namespace: string;
  pod: string;
  node: string;
}

/** Objects of one kind by their name, with `namespace/` before it where they have one. */
export interface Items<T> {
  readonly items: ReadonlyMap<string, T>;
}

/** The projections of all that is read cluster-wide. */
export interface Objects {
  nodes: Items<BareNode>;
  policies: Items<PolicyView>;
  nodeUpdates: Items<ReturnType<typeof nodeUpdateOf>>;
  nodeHosts: Items<ReturnType<typeof nodeHostOf>>;
  budgets: Items<Budget>;
  daemonSets: Items<DaemonSetView>;
  /** Lockkeeper's own, in its namespace. */
  ownPods: Items<BoundPod>;
  /** Whether the agents' ValidatingAdmissionPolicy, and its binding, is in force. */
  guardPolicy: Items<boolean>;
  guardBinding: Items<boolean>;
}

/** What a world is made of besides the objects. */
export interface GatherInput {
  objects: Objects;
  self: Self | undefined;
  retry: RetrySettings;
  pods: ReadonlyMap<string, readonly PodView[]>;
  blockedPods: ReadonlyMap<string, readonly BlockedPod[]>;
  hookNamespaces: readonly string[];
  jobs: ReadonlyMap<string, JobView>;
  kubernetes: KubernetesVersion | undefined;
  checks: ReadonlyMap<string, ChecksView>;
  prometheusHosts: readonly string[];
}

/** Joins what was read into a World: plain data, nothing of the client's. */
export function gather(input: GatherInput): World {
  const { objects, self } = input;
  const agents = agentsByNode(objects, self);
  const otherOperator = [...objects.daemonSets.items.values()].some((one) => one.otherOperator === true);
  return {
    policies: [...objects.policies.items.values()],
    nodes: [...objects.nodes.items.values()].map((node) => ({
      ...viewOf(node, objects, agents),
      ...(otherOperator && OTHER_OPERATOR_LABEL in node.labels && { otherOperator }),
    })),
    guarded: isGuarded(objects),
    ...(self !== undefined && { self }),
    standby: standbyPod(objects, self) !== undefined,
    budgets: Map.groupBy(objects.budgets.items.values(), ({ namespace }) => namespace),
    daemonSets: new Set(objects.daemonSets.items.keys()),
    pods: input.pods,
    blockedPods: input.blockedPods,
    hookNamespaces: input.hookNamespaces,
    jobs: input.jobs,
    ...(input.kubernetes !== undefined && { kubernetes: input.kubernetes }),
    checks: input.checks,
    prometheusHosts: input.prometheusHosts,
    retry: input.retry,
  };
}

/** The name of a controller pod that is Ready on another, available node, to which the lease may be handed. */
export function standbyPod({ ownPods, nodes }: Objects, self: Self | undefined): string | undefined {
  if (self === undefined) return undefined;
  for (const pod of ownPods.items.values()) {
    if (pod.labels[COMPONENT_LABEL] !== 'controller' || !pod.ready || pod.terminating || pod.node === self.node) continue;
    const node = nodes.items.get(pod.node);
    if (node?.ready.status && !node.unschedulable && !node.deleting && node.record === undefined) return pod.name;
  }
  return undefined;
}

function isGuarded({ guardPolicy, guardBinding }: Objects): boolean {
  return [guardPolicy, guardBinding].every(({ items }) => items.size === 1 && [...items.values()].every((inForce) => inForce));
}

/** Whether an agent's pod is Ready, by node; undefined where no agent runs as a pod: only out of the cluster that can be meant so. */
function agentsByNode({ ownPods }: Objects, self: Self | undefined): ReadonlyMap<string, boolean> | undefined {
  const agents = new Map<string, boolean>();
  for (const pod of ownPods.items.values()) {
    if (pod.labels[COMPONENT_LABEL] === 'agent' && pod.node !== '')
      agents.set(pod.node, (agents.get(pod.node) ?? false) || (pod.ready && !pod.terminating));
  }
  return agents.size === 0 && self === undefined ? undefined : agents;
}

function viewOf(node: BareNode, { nodeUpdates, nodeHosts }: Objects, agents: ReadonlyMap<string, boolean> | undefined): NodeView {
  const update = nodeUpdates.items.get(node.name);
  const host = nodeHosts.items.get(node.name);
  return {
    ...node,
    ...(update?.nodeUID === node.uid && { update }),
    ...(host?.nodeUID === node.uid && { host }),
    agent: agents === undefined ? 'unknown' : agents.get(node.name) === true ? 'ready' : 'missing',
  };
}

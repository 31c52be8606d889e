import { COMPONENT_LABEL } from '../api/names.ts';
import type { BlockedPod } from '../api/node-update.ts';
import type { ChecksView, JobView, KubernetesVersion, NodeView, PodView, RetrySettings, World } from '../core/world.ts';
import type { Reflectors } from './reflectors.ts';
import type { BareNode } from './views.ts';

/** Where the controller itself runs; absent out of the cluster. */
export interface Self {
  namespace: string;
  pod: string;
  node: string;
}

/** What a pass needs besides the caches. */
export interface GatherInput {
  reflectors: Reflectors;
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

/** Reads the caches into a World: plain data, nothing of the client's. */
export function gather(input: GatherInput): World {
  const { reflectors, self } = input;
  const agents = agentsByNode(reflectors, self);
  return {
    policies: [...reflectors.policies.items.values()],
    nodes: [...reflectors.nodes.items.values()].map((node) => viewOf(node, reflectors, agents)),
    guarded: isGuarded(reflectors),
    ...(self !== undefined && { self }),
    standby: standbyPod(reflectors, self) !== undefined,
    budgets: Map.groupBy(reflectors.budgets.items.values(), ({ namespace }) => namespace),
    daemonSets: new Set(reflectors.daemonSets.items.keys()),
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
export function standbyPod({ ownPods, nodes }: Reflectors, self: Self | undefined): string | undefined {
  if (self === undefined) return undefined;
  for (const pod of ownPods.items.values()) {
    if (pod.labels[COMPONENT_LABEL] !== 'controller' || !pod.ready || pod.terminating || pod.node === self.node) continue;
    const node = nodes.items.get(pod.node);
    if (node?.ready.status && !node.unschedulable && !node.deleting && node.record === undefined) return pod.name;
  }
  return undefined;
}

function isGuarded({ guardPolicy, guardBinding }: Reflectors): boolean {
  return [guardPolicy, guardBinding].every(({ items }) => items.size === 1 && [...items.values()].every((inForce) => inForce));
}

/** Whether an agent's pod is Ready, by node; undefined where no agent runs as a pod: only out of the cluster that can be meant so. */
function agentsByNode({ ownPods }: Reflectors, self: Self | undefined): ReadonlyMap<string, boolean> | undefined {
  const agents = new Map<string, boolean>();
  for (const pod of ownPods.items.values()) {
    if (pod.labels[COMPONENT_LABEL] === 'agent' && pod.node !== '')
      agents.set(pod.node, (agents.get(pod.node) ?? false) || (pod.ready && !pod.terminating));
  }
  return agents.size === 0 && self === undefined ? undefined : agents;
}

function viewOf(node: BareNode, { nodeUpdates, nodeHosts }: Reflectors, agents: ReadonlyMap<string, boolean> | undefined): NodeView {
  const update = nodeUpdates.items.get(node.name);
  const host = nodeHosts.items.get(node.name);
  return {
    ...node,
    ...(update?.nodeUID === node.uid && { update }),
    ...(host?.nodeUID === node.uid && { host }),
    agent: agents === undefined ? 'unknown' : agents.get(node.name) === true ? 'ready' : 'missing',
  };
}

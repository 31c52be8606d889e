import { ON_NODE } from '../api/names.ts';
import type { Claim } from '../api/update-policy.ts';
import { matches, namesKey } from './selector.ts';
import type { NodeView, PolicyView } from './world.ts';

const CONTROL_PLANE_LABELS = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
const EKS_COMPUTE_TYPE = 'eks.amazonaws.com/compute-type';

/** Whether a policy may ever have a node: Bottlerocket's, not EKS Auto's, and a control-plane node only where its label is named. */
export function selects(policy: PolicyView, node: NodeView): boolean {
  if (node.os === undefined || node.labels[EKS_COMPUTE_TYPE] === 'auto') return false;
  const selector = policy.spec.nodeSelector;
  const isControlPlane = CONTROL_PLANE_LABELS.some((label) => label in node.labels);
  if (isControlPlane && !CONTROL_PLANE_LABELS.some((label) => label in node.labels && namesKey(selector, label))) return false;
  return matches(selector, node.labels);
}

/** Whether the OS's existing operator has a node: then no agent of ours is put there either. */
export const isOfOtherOperator = ({ otherOperator }: NodeView): boolean => otherOperator === true;

/**
 * Which policy has which node, by node name: the one that claimed it as long as it is in flight, else the one with the highest
 * priority of those that select it, then the first by name.
 */
export function assign(policies: readonly PolicyView[], nodes: readonly NodeView[]): Map<string, PolicyView> {
  const ranked = [...policies].sort((a, b) => b.spec.priority - a.spec.priority || (a.name < b.name ? -1 : 1));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const claimedBy = new Map<string, PolicyView>();
  for (const policy of ranked)
    for (const claim of policy.status.claims ?? [])
      if (!claimedBy.has(claim.uid) && isHeld(claim, byName.get(claim.node))) claimedBy.set(claim.uid, policy);
  const assigned = new Map<string, PolicyView>();
  for (const node of nodes) {
    const recorded =
      typeof node.record === 'object'
        ? ranked.find((policy) => policy.uid === (node.record as { policyUID: string }).policyUID)
        : undefined;
    const policy = recorded ?? claimedBy.get(node.uid) ?? ranked.find((candidate) => !candidate.deleting && selects(candidate, node));
    if (policy !== undefined) assigned.set(node.name, policy);
  }
  return assigned;
}

/** Names of the nodes that a policy selects and another one has, by the name of that one. */
export function takenByOthers(
  policy: PolicyView,
  nodes: readonly NodeView[],
  assigned: ReadonlyMap<string, PolicyView>,
): ReadonlyMap<string, readonly string[]> {
  const taken = nodes.flatMap((node) => {
    const winner = assigned.get(node.name);
    return winner === undefined || winner.uid === policy.uid || !selects(policy, node) ? [] : [{ node: node.name, to: winner.name }];
  });
  return new Map([...Map.groupBy(taken, ({ to }) => to)].map(([to, list]) => [to, list.map(({ node }) => node)]));
}

/** A claim holds until its Node has changed: uncordoned or fenced under this claim's id, or a later one's, or gone. */
export const isHeld = (claim: Claim, node: NodeView | undefined): boolean =>
  node?.uid === claim.uid && !((node.annotations[ON_NODE.fence] ?? '') >= claim.id);

/** The claim that a policy holds on a node. */
export function claimOn({ status: { claims } }: PolicyView, node: NodeView): Claim | undefined {
  return (
    claims &&
    byNode(claims)
      .get(node.name)
      ?.find((claim) => isHeld(claim, node))
  );
}

/** Each node of a policy is asked for: the list is gone through once. */
const indexed = new WeakMap<readonly Claim[], ReadonlyMap<string, readonly Claim[]>>();

function byNode(claims: readonly Claim[]): ReadonlyMap<string, readonly Claim[]> {
  const before = indexed.get(claims);
  if (before !== undefined) return before;
  const index = Map.groupBy(claims, ({ node }) => node);
  indexed.set(claims, index);
  return index;
}

import { BY_HAND } from '../../api/names.ts';
import { isUrgent } from '../by-hand.ts';
import type { World } from '../world.ts';
import type { PolicyState } from './planned.ts';

/** A version for which a policy still waits to be approved, and which is planned as if it were. */
export interface Approved {
  policy: string;
  version: string;
}

/** The world in which every version that a node waits for is approved now, node by node: no target becomes another by it. */
export function asIfApproved(world: World, states: readonly PolicyState[]): { world: World; approved: Approved[] } {
  const approved = new Map<string, Approved>();
  const versions = new Map<string, string>();
  for (const { policy, facts } of states) {
    if (policy.spec.approval !== 'Manual') continue;
    for (const { node, target, byHand } of facts.members) {
      const { version } = target;
      if (version === undefined || [facts.byHand.approved, byHand.approved].includes(version)) continue;
      if (isUrgent(version, byHand, facts.byHand)) continue;
      versions.set(node.name, version);
      approved.set(`${policy.name} ${version}`, { policy: policy.name, version });
    }
  }
  const nodes = world.nodes.map((node) => {
    const version = versions.get(node.name);
    if (version === undefined) return node;
    return { ...node, annotations: { ...node.annotations, [BY_HAND.approvedVersion]: version } };
  });
  return { world: { ...world, nodes }, approved: [...approved.values()] };
}

import type { Facts, Member } from './facts.ts';
import { zoneOfNode } from './turn.ts';
import { compareVersions } from './versions.ts';
import type { NodeView } from './world.ts';

/** The order in which a policy's nodes are begun: by group, the leader's own node last, then zone, the oldest version, the name. */
export function claimOrder(facts: Facts, { node: a, group: groupOfA }: Member, { node: b, group: groupOfB }: Member): number {
  const own = facts.ownNode;
  // One whose drain takes too long must not take the slot again before the others had it.
  const attempts = (node: NodeView) => node.update?.status.attempts ?? 0;
  return (
    groupOfA - groupOfB ||
    Number(a.name === own) - Number(b.name === own) ||
    attempts(a) - attempts(b) ||
    byText(zoneOfNode(facts, a), zoneOfNode(facts, b)) ||
    compareVersions(a.os?.version ?? '0.0.0', b.os?.version ?? '0.0.0') ||
    byText(a.name, b.name)
  );
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

import type { Facts, Member } from './facts.ts';
import { zoneOfNode } from './turn.ts';
import { compareVersions } from './versions.ts';

/**
 * The order in which a policy's nodes are begun: those that are urgent by their own annotation, those that take no work before, then by group, the leader's own node
 * last, then zone, the oldest version, the name.
 */
export function claimOrder(facts: Facts, memberA: Member, memberB: Member): number {
  const { node: a, group: groupOfA } = memberA;
  const { node: b, group: groupOfB } = memberB;
  const own = facts.ownNode;
  return (
    Number(isNamed(memberB)) - Number(isNamed(memberA)) ||
    Number(b.outdated === true) - Number(a.outdated === true) ||
    groupOfA - groupOfB ||
    Number(a.name === own) - Number(b.name === own) ||
    // One whose drain takes too long must not take the slot again before the others had it.
    attempts(memberA) - attempts(memberB) ||
    byText(zoneOfNode(facts, a), zoneOfNode(facts, b)) ||
    compareVersions(a.os?.version ?? '0.0.0', b.os?.version ?? '0.0.0') ||
    byText(a.name, b.name)
  );
}

const isNamed = ({ byHand: { urgent }, target }: Member): boolean => urgent !== undefined && urgent === target.version;

const attempts = ({ node }: Member): number => node.update?.status.attempts ?? 0;

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

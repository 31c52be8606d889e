import { isBlockedByPods } from './blocked.ts';
import { isUrgent } from './by-hand.ts';
import type { Facts, Member } from './facts.ts';
import { enter, failureOf, type StatusChange } from './status.ts';
import { isCurrent } from './target.ts';
import { type Instant, timestamp } from './world.ts';

/** A node on the ground that is to reboot as it is; undefined where it is not, or where its urgent version, or its way back, does that. */
export function rebootGround(facts: Facts, member: Member, base: StatusChange, now: Instant) {
  const { node, target, status: before, reboot, byHand } = member;
  if (reboot === undefined || node.os === undefined) return undefined;
  if (target.version !== undefined) {
    const hurried = isUrgent(target.version, byHand, facts.byHand) && failureOf(before, target.version) === undefined;
    if (target.rollsBack || hurried) return undefined;
  }
  const { version } = node.os;
  const behind = target.version !== undefined || !isCurrent(target.verdict);
  const barred = isBlockedByPods(before);
  const verdict = barred
    ? ({ reason: 'CannotEvict', message: before.message ?? '' } as const)
    : ({ reason: 'Preflight', message: 'a reboot was asked for' } as const);
  const status = enter(before, barred ? 'Blocked' : 'Idle', verdict, now, {
    ...base,
    from: version,
    target: target.version ?? version,
    behindSince: behind ? (before.behindSince ?? (target.version && timestamp(now))) : undefined,
    retryAt: barred ? before.retryAt : undefined,
  });
  return { kind: 'reboot' as const, status, version, rollout: `reboot-${version}` };
}

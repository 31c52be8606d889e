import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { BarredPod, Command, Verdict } from './command.ts';
import { preflight } from './rules/preflight.ts';
import { type Candidate, pass } from './rules/rule.ts';
import { enter, passed } from './status.ts';
import { backoffMs, type Instant, instant, timestamp } from './world.ts';

/** A node that is Blocked because its pods may never be evicted as things stand. */
export interface Blocked {
  status: NodeUpdateStatus;
  commands: readonly Command[];
  /** It is to be looked at however many others are; else only where there is room. */
  due: boolean;
  until: Instant | undefined;
  barred?: readonly BarredPod[];
}

/** Whether a node was found Blocked by its pods, before its turn or in its drain. */
export const isBlockedByPods = ({ phase, reason }: NodeUpdateStatus): boolean => phase === 'Blocked' && reason === 'CannotEvict';

/**
 * Looks again at such a node, ahead of all rules: it stays Blocked, and takes no slot, until what blocked it has changed.
 * Undefined where nothing blocks it any more.
 */
export function lookAgain(candidate: Candidate, status: NodeUpdateStatus, now: Instant): Blocked | undefined {
  const verdict = preflight(candidate, now);
  if (verdict === pass) return undefined;
  if (verdict.reason === 'CannotEvict') return blocked(candidate, status, verdict, now);
  const due = passed(status.retryAt, now);
  return { status, commands: [], due, until: due ? undefined : instant(status.retryAt ?? '') };
}

/** A node whose pods have been looked at, and may not be evicted: it is looked at again after a backoff, and before where there is room. */
export function blocked({ world }: Candidate, before: NodeUpdateStatus, verdict: Verdict, now: Instant): Blocked {
  const { barred = [] } = verdict;
  if (isBlockedByPods(before) && !passed(before.retryAt, now))
    return { status: enter(before, 'Blocked', verdict, now), commands: [], due: false, until: instant(before.retryAt ?? ''), barred };
  const attempts = (before.attempts ?? 0) + 1;
  const retryAt = timestamp(now + backoffMs(world.retry, attempts));
  const status = enter(before, 'Blocked', verdict, now, { attempts, retryAt });
  return { status, commands: [{ type: 'WriteStatus', status }], due: false, until: instant(retryAt), barred };
}

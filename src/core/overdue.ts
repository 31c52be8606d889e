import type { NodeUpdateStatus } from '../api/node-update.ts';
import { durationMs } from '../api/primitives.ts';
import { type Finding, NODE_CONDITIONS } from './conditions.ts';
import { type Instant, instant, type PolicyView, timestamp } from './world.ts';

/** Says that a node has been behind its target for longer than its policy allows. No decision waits for that, so none is woken by it. */
export function overdue(
  { spec }: Pick<PolicyView, 'spec'>,
  { behindSince, target = 'its target' }: NodeUpdateStatus,
  now: Instant,
): Finding[] {
  const over = behindSince === undefined ? Number.NaN : instant(behindSince) + durationMs(spec.patchDeadline);
  if (!(over <= now)) return [];
  const message = `behind ${target} since ${behindSince}: patchDeadline (${spec.patchDeadline}) was over at ${timestamp(over)}`;
  return [{ type: NODE_CONDITIONS.overdue, status: 'True', reason: 'PatchDeadlineExceeded', message }];
}

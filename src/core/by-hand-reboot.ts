import type { NodeUpdateStatus } from '../api/node-update.ts';
import { type ByHand, type RebootTokens, rebootAskedBy } from './by-hand.ts';
import { hasMemory } from './status.ts';
import type { NodeView, PolicyView } from './world.ts';

/**
 * The tokens that ask for a reboot of a node and were not acted upon yet, and its status with what counts as acted upon. Where nothing remembers what was acted upon, what stands
 * there counts as done: a node that was asked once is not rebooted twice because its NodeUpdate, or its policy, is another now.
 */
export function rebootDue(
  policy: PolicyView,
  { update, os, record }: NodeView,
  status: NodeUpdateStatus,
  asked: ByHand,
  policyAsked: ByHand,
): { due?: RebootTokens; status: NodeUpdateStatus } {
  const before = policy.status.tokens?.reboot;
  if (asked.reboot === undefined && policyAsked.reboot === undefined && before === undefined) return { status };
  const known = hasMemory(update?.status);
  // Also where no policy had it meanwhile: that of before is no longer told.
  const moved = status.policy !== policy.name && record === undefined;
  const acted = {
    ...(!known && asked.reboot !== undefined && { reboot: asked.reboot }),
    ...((!known || moved) && before !== undefined && { policyReboot: before }),
  };
  const told = Object.keys(acted).length === 0 ? status : { ...status, tokens: { ...status.tokens, ...acted } };
  const due = os === undefined ? undefined : rebootAskedBy(told, asked, policyAsked);
  return { status: told, ...(due && { due }) };
}

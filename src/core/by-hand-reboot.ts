import type { NodeUpdateStatus } from '../api/node-update.ts';
import { type ByHand, type RebootTokens, rebootAskedBy } from './by-hand.ts';
import { hasMemory } from './status.ts';
import type { NodeView, PolicyView } from './world.ts';

/**
 * The tokens that ask for a reboot of a node and were not acted upon yet. Where nothing remembers what was acted upon, what stands
 * there counts as done: a node that was asked once is not rebooted twice because its NodeUpdate, or its policy, is another now.
 */
export function rebootDue(
  policy: PolicyView,
  { update, os, record }: NodeView,
  status: NodeUpdateStatus,
  asked: ByHand,
  policyAsked: ByHand,
): { due?: RebootTokens; tokens: NodeUpdateStatus['tokens'] } {
  const known = hasMemory(update?.status);
  const moved = status.policy !== undefined && status.policy !== policy.name && record === undefined;
  const before = policy.status.tokens?.reboot;
  const tokens = {
    ...status.tokens,
    ...(!known && asked.reboot !== undefined && { reboot: asked.reboot }),
    ...((!known || moved) && before !== undefined && { policyReboot: before }),
  };
  const due = os === undefined ? undefined : rebootAskedBy({ tokens }, asked, policyAsked);
  return { ...(due && { due }), tokens: Object.keys(tokens).length === 0 ? undefined : tokens };
}

import { ON_NODE } from '../api/names.ts';
import type { Instant, NodeView } from './world.ts';

/** Times in base 36, for as long as they have so many digits (until 2059), sort as texts. */
const DIGITS = 8;

/**
 * Unique for each claim: the node's uid and the time, so that one node's claims sort by time, and after the one that its fence names,
 * though the clock of the controller that wrote that was ahead; names the claim's orders too.
 */
export function claimID({ uid, annotations }: Pick<NodeView, 'uid' | 'annotations'>, now: Instant): string {
  const prefix = `${uid.slice(0, 13)}-`;
  const fence = annotations[ON_NODE.fence] ?? '';
  const time = fence.startsWith(prefix) ? fence.slice(prefix.length) : '';
  const last = time.length === DIGITS ? Number.parseInt(time, 36) : Number.NaN;
  return `${prefix}${(last >= now ? last + 1 : now).toString(36)}`;
}

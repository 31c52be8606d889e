import type { CountOrPercent } from '../api/update-policy.ts';

/** A count, or a percentage of a whole rounded down; at least 1. */
export function countOf(amount: CountOrPercent, whole: number): number {
  const count = typeof amount === 'number' ? amount : Math.floor((whole * Number.parseInt(amount, 10)) / 100);
  return Math.max(1, count);
}

/** How many of a policy's nodes may be unavailable at once: all but one at most, where there are two or more. */
export function unavailableLimit(maxUnavailable: CountOrPercent, nodes: number): number {
  return Math.min(countOf(maxUnavailable, nodes), Math.max(1, nodes - 1));
}

import type { NodeRow } from '../wire.ts';
import { type LookKey, lookOf } from './looks.ts';

/** Which nodes are shown. */
export interface Filter {
  /** States; all where there is none. */
  looks: ReadonlySet<LookKey>;
  /** A reason; any where it is empty. */
  reason: string;
  /** Words that must all be found somewhere in what is known of a node. */
  text: string;
}

export const NO_FILTER: Filter = { looks: new Set(), reason: '', text: '' };

export const isFiltering = ({ looks, reason, text }: Filter): boolean => looks.size > 0 || reason !== '' || text.trim() !== '';

/** Says of a node whether it is shown. */
export function matcher({ looks, reason, text }: Filter): (node: NodeRow) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (node) =>
    (looks.size === 0 || looks.has(lookOf(node).key)) &&
    (reason === '' || node.reason === reason) &&
    (words.length === 0 || hasAll(node, words));
}

function hasAll(
  { name, zone, group, policy, version, target, phase, reason, message, variant }: NodeRow,
  words: readonly string[],
): boolean {
  const all = [name, zone, group, policy, version, target, phase, reason, message, variant].join('\n').toLowerCase();
  return words.every((word) => all.includes(word));
}

/** How many nodes there are of each state, and the reasons that there are, most frequent first. */
export function census(nodes: Iterable<NodeRow>): { looks: ReadonlyMap<LookKey, number>; reasons: readonly (readonly [string, number])[] } {
  const looks = new Map<LookKey, number>();
  const reasons = new Map<string, number>();
  for (const node of nodes) {
    const { key } = lookOf(node);
    looks.set(key, (looks.get(key) ?? 0) + 1);
    if (node.reason !== undefined) reasons.set(node.reason, (reasons.get(node.reason) ?? 0) + 1);
  }
  return { looks, reasons: [...reasons].sort(([a, m], [b, n]) => n - m || a.localeCompare(b)) };
}

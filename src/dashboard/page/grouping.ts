import type { NodeRow } from '../wire.ts';

/** What of a node its place in the picture depends on. */
export type Placed = Pick<NodeRow, 'name' | 'zone' | 'group' | 'policy' | 'version'>;

/** By what the nodes are put together. */
export const GROUPINGS = ['zone', 'group', 'policy', 'version'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Nodes that are shown together, under one heading. */
export interface Section<T> {
  /** Unique among the sections of a grouping; empty for nodes without one. */
  key: string;
  title: string;
  nodes: readonly T[];
}

const MISSING: Readonly<Record<Grouping, string>> = {
  zone: 'no zone',
  group: 'no group',
  policy: 'no policy',
  version: 'version unknown',
};

/** Compares names as people do: `node-9` before `node-10`. */
export const natural: (a: string, b: string) => number = new Intl.Collator('en', { numeric: true }).compare;

/** Puts nodes together, in the order in which they come: sections by name, those without one last; groups in the order of their rollout. */
export function sectionsOf<T extends Placed>(nodes: Iterable<T>, by: Grouping, groupOrder: readonly string[] = []): Section<T>[] {
  const found = new Map<string, T[]>();
  for (const node of nodes) {
    const key = node[by] ?? '';
    const list = found.get(key);
    if (list === undefined) found.set(key, [node]);
    else list.push(node);
  }
  const ranks = new Map(by === 'group' ? groupOrder.map((name, index) => [name, index]) : []);
  const rank = (key: string): number => (key === '' ? groupOrder.length + 1 : (ranks.get(key) ?? groupOrder.length));
  return [...found]
    .sort(([a], [b]) => rank(a) - rank(b) || natural(a, b))
    .map(([key, list]) => ({ key, title: key === '' ? MISSING[by] : key, nodes: list }));
}

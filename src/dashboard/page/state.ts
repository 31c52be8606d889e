import { computed, signal } from '@preact/signals';
import type { NodeRow, TargetKind } from '../wire.ts';
import type { Offer } from './actions.ts';
import { census, type Filter, matcher, NO_FILTER } from './filter.ts';
import type { Fleet } from './fleet.ts';
import { type Grouping, sectionsOf } from './grouping.ts';

/** How the page gets on with its own server. */
export interface Link {
  state: 'opening' | 'open' | 'lost' | 'refused';
  /** By this browser's clock. */
  since: number;
  message?: string;
}

/** What the server has told; undefined before its first snapshot. */
export const fleet = signal<Fleet | undefined>(undefined);
export const link = signal<Link>({ state: 'opening', since: Date.now() });
/** Now by the API server's clock, once a second. */
export const now = signal(Date.now());

export type View = 'fleet' | 'plan' | 'history';
export const view = signal<View>('fleet');
/** How the fleet is shown. */
export const shape = signal<'picture' | 'table'>('picture');
export const grouping = signal<Grouping>('zone');
export const filter = signal<Filter>(NO_FILTER);
/** The node whose details are shown. */
export const opened = signal<string | undefined>(undefined);

/** An action that waits for its confirmation. */
export interface Asked {
  offer: Offer;
  kind: TargetKind;
  name: string;
}
export const asked = signal<Asked | undefined>(undefined);
export const helpShown = signal(false);

/** What was last done, or went wrong; shown until it is dismissed, and read aloud. */
export const notice = signal<{ text: string; tone: 'done' | 'failed' } | undefined>(undefined);

const allNodes = computed<readonly NodeRow[]>(() => {
  const { names = [], nodes } = fleet.value ?? {};
  const all: NodeRow[] = [];
  for (const name of names) {
    const node = nodes?.get(name);
    if (node !== undefined) all.push(node);
  }
  return all;
});
export const counts = computed(() => census(allNodes.value));
/** Those that the filter lets through. */
export const shownNodes = computed<readonly NodeRow[]>(() => allNodes.value.filter(matcher(filter.value)));
export const policies = computed(() => [...(fleet.value?.policies.values() ?? [])].sort((a, b) => a.name.localeCompare(b.name, 'en')));
const groupOrder = computed(() => [...new Set(policies.value.flatMap(({ groups = [] }) => groups))]);
export const sections = computed(() => sectionsOf(shownNodes.value, grouping.value, groupOrder.value));
/** The nodes of the picture, in the order of its tiles. */
export const tiles = computed<readonly NodeRow[]>(() => sections.value.flatMap(({ nodes }) => nodes));

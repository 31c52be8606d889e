/** Settings as a tree, as the API takes and gives them. */
export type SettingsTree = { [name: string]: unknown };

interface Entry {
  path: string[];
  value: unknown;
}

type Entries = Map<string, Entry>;

const bare = /^[a-zA-Z0-9_-]+$/;

/** The host's datastore: live settings, and transactions that wait for their commit. */
export class SettingsStore {
  readonly #live: Entries;
  readonly #pending = new Map<string, Entries>();

  constructor(initial: SettingsTree) {
    this.#live = entriesOf(initial);
  }

  /** The live settings whose full key (`settings.updates.seed`) begins with the prefix; undefined where there are none. */
  live(prefix = 'settings.'): SettingsTree | undefined {
    return treeOf(this.#live, prefix);
  }

  value(...path: string[]): unknown {
    return this.#live.get(keyOf(path))?.value;
  }

  /** Puts settings into a transaction. Nulls are passed over: nothing can be unset. */
  patch(transaction: string, settings: SettingsTree): void {
    const entries = this.#pending.get(transaction) ?? new Map();
    for (const [key, entry] of entriesOf(settings)) entries.set(key, entry);
    if (entries.size > 0) this.#pending.set(transaction, entries);
  }

  /** Makes a transaction live and returns its keys, those that changed nothing too; empty where nothing was pending. */
  commit(transaction: string): string[] {
    const entries = this.#pending.get(transaction) ?? new Map<string, Entry>();
    for (const [key, entry] of entries) this.#live.set(key, entry);
    this.#pending.delete(transaction);
    return [...entries.keys()];
  }

  /** Forgets a transaction and returns its keys. */
  drop(transaction: string): string[] {
    const keys = [...(this.#pending.get(transaction)?.keys() ?? [])];
    this.#pending.delete(transaction);
    return keys;
  }

  pending(transaction: string): SettingsTree {
    return treeOf(this.#pending.get(transaction) ?? new Map(), 'settings.') ?? {};
  }

  transactions(): string[] {
    return [...this.#pending.keys()];
  }

  /** What the host does early in its boot. */
  dropTransactions(): void {
    this.#pending.clear();
  }
}

function keyOf(path: readonly string[]): string {
  return ['settings', ...path].map((segment) => (bare.test(segment) ? segment : `"${segment}"`)).join('.');
}

function entriesOf(tree: SettingsTree, path: string[] = []): Entries {
  const entries: Entries = new Map();
  for (const [name, value] of Object.entries(tree)) {
    const here = [...path, name];
    if (value === null || value === undefined) continue;
    if (typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, entry] of entriesOf(value as SettingsTree, here)) entries.set(key, entry);
    } else {
      entries.set(keyOf(here), { path: here, value });
    }
  }
  return entries;
}

function treeOf(entries: Entries, prefix: string): SettingsTree | undefined {
  const matching = [...entries].filter(([key]) => key.startsWith(prefix));
  if (matching.length === 0) return undefined;
  const root: SettingsTree = {};
  for (const [, { path, value }] of matching) {
    let node = root;
    for (const segment of path.slice(0, -1)) {
      node[segment] ??= {};
      node = node[segment] as SettingsTree;
    }
    node[path.at(-1) ?? ''] = value;
  }
  return root;
}

import { Stale } from './errors.ts';
import type { Item, TableApi } from './table-api.ts';

/** The items of one cluster as they were read, or written by us since. */
export class Table {
  readonly #api: TableApi;
  readonly #assertLeading: () => void;
  #items = new Map<string, Item>();

  constructor(api: TableApi, assertLeading: () => void) {
    this.#api = api;
    this.#assertLeading = assertLeading;
  }

  async read(): Promise<void> {
    this.#items = new Map((await this.#api.all()).map((item) => [item.id, item]));
  }

  get(id: string): Item | undefined {
    return this.#items.get(id);
  }

  under(prefix: string): Item[] {
    return [...this.#items.values()].filter(({ id }) => id.startsWith(prefix));
  }

  /** Writes an item under the version that was seen; resolves with its new one. Throws Stale. */
  async put(id: string, seen: number, record: object): Promise<number> {
    // What this process knows by now to be past need not be asked of the table.
    if ((this.#items.get(id)?.version ?? 0) !== seen) throw new Stale(`${id} has changed`);
    this.#assertLeading();
    const item = await this.#api.put(id, seen, JSON.stringify(record));
    this.#items.set(id, item);
    return item.version;
  }

  async remove(id: string, seen: number): Promise<void> {
    this.#assertLeading();
    await this.#api.remove(id, seen);
    this.#items.delete(id);
  }
}

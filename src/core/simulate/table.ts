/** Values by name, and by the group that each belongs to. Setting one costs the same however many there are. */
export class Table<T> {
  readonly #groupOf: ((value: T) => string) | undefined;
  readonly #values = new Map<string, T>();
  readonly #groups = new Map<string, Map<string, T>>();
  #items: readonly T[] | undefined;

  constructor(groupOf?: (value: T) => string) {
    this.#groupOf = groupOf;
  }

  get(name: string): T | undefined {
    return this.#values.get(name);
  }

  /** All values; the same list as long as none has changed. */
  get items(): readonly T[] {
    this.#items ??= [...this.#values.values()];
    return this.#items;
  }

  /** The values of one group. */
  group(group: string): readonly T[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  /** Sets a value, or removes it where it is undefined. */
  set(name: string, value: T | undefined): void {
    const before = this.#values.get(name);
    if (before === value) return;
    this.#items = undefined;
    if (value === undefined) this.#values.delete(name);
    else this.#values.set(name, value);
    if (this.#groupOf === undefined) return;
    const left = before && this.#groupOf(before);
    const joined = value && this.#groupOf(value);
    if (left !== undefined && left !== joined) this.#groups.get(left)?.delete(name);
    if (value === undefined || joined === undefined) return;
    const group = this.#groups.get(joined) ?? new Map<string, T>();
    this.#groups.set(joined, group.set(name, value));
  }
}

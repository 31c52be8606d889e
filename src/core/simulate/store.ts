/** A write came with a resourceVersion that is no longer the object's, or its object is gone. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
}

/** Objects of one kind by name, with every state that they were ever in, so that caches can lag behind. */
export class Store<T extends { resourceVersion: string }> {
  readonly #states: ReadonlyMap<string, T>[] = [new Map()];

  /** Index of the present state. */
  get latest(): number {
    return this.#states.length - 1;
  }

  at(index: number): ReadonlyMap<string, T> {
    return this.#states[index] ?? new Map();
  }

  get items(): readonly T[] {
    return [...this.at(this.latest).values()];
  }

  get(name: string): T | undefined {
    return this.at(this.latest).get(name);
  }

  /** Creates or replaces an object, whoever wrote it last. */
  put(name: string, value: Omit<T, 'resourceVersion'>): T {
    const stored = { ...value, resourceVersion: String(this.#states.length) } as T;
    this.#states.push(new Map(this.at(this.latest)).set(name, stored));
    return stored;
  }

  /** Changes an object; with a `resourceVersion` only if it is still the object's. Throws ConflictError. */
  patch(name: string, resourceVersion: string | undefined, change: (value: T) => Partial<T>): T {
    const value = this.get(name);
    if (value === undefined) throw new ConflictError(`${name} is gone`);
    if (resourceVersion !== undefined && value.resourceVersion !== resourceVersion) throw new ConflictError(`${name} has changed`);
    return this.put(name, { ...value, ...change(value) });
  }

  delete(name: string): void {
    const rest = new Map(this.at(this.latest));
    if (rest.delete(name)) this.#states.push(rest);
  }
}

/** How far a cache moves on: to the present, by one state, or not at all. */
export type Lag = 'none' | 'one' | 'still';

/** One client's view of a store: behind it as far as it likes, but never behind the client's own writes. */
export class Cache<T extends { resourceVersion: string }> {
  readonly #store: Store<T>;
  readonly #own = new Map<string, { index: number; value: T | undefined }>();
  #index: number;

  constructor(store: Store<T>) {
    this.#store = store;
    this.#index = store.latest;
  }

  advance(lag: Lag): void {
    const { latest } = this.#store;
    if (lag === 'none') this.#index = latest;
    if (lag === 'one') this.#index = Math.min(latest, this.#index + 1);
    for (const [name, { index }] of this.#own) if (index <= this.#index) this.#own.delete(name);
  }

  /** The client has just written this object, or read it anew. */
  observe(name: string): void {
    this.#own.set(name, { index: this.#store.latest, value: this.#store.get(name) });
  }

  get items(): readonly T[] {
    if (this.#own.size === 0) return [...this.#store.at(this.#index).values()];
    const items = new Map(this.#store.at(this.#index));
    for (const [name, { value }] of this.#own) {
      if (value === undefined) items.delete(name);
      else items.set(name, value);
    }
    return [...items.values()];
  }
}

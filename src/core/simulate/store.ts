import { Table } from './table.ts';

/** A write came with a resourceVersion that is no longer the object's, or its object is gone. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
}

/** An object as it is from then on; undefined where it was removed. */
interface Change<T> {
  name: string;
  value: T | undefined;
}

/** Objects of one kind by name, with every change that was ever made to them, so that caches can lag behind. */
export class Store<T extends { resourceVersion: string }> {
  readonly groupOf: ((value: T) => string) | undefined;
  readonly #present: Table<T>;
  readonly #changes: Change<T>[] = [];
  readonly #histories = new Map<string, (T | undefined)[]>();

  /** `groupOf` names the group in which a value is found by `group`. */
  constructor(groupOf?: (value: T) => string) {
    this.groupOf = groupOf;
    this.#present = new Table(groupOf);
  }

  /** How many changes there were. */
  get latest(): number {
    return this.#changes.length;
  }

  /** The change that led from state `index` to the next. */
  change(index: number): Change<T> | undefined {
    return this.#changes[index];
  }

  /** The changes that there were since state `index`. */
  since(index: number): readonly Change<T>[] {
    return this.#changes.slice(index);
  }

  /** All states of one object, the latest last. */
  history(name: string): readonly (T | undefined)[] {
    return this.#histories.get(name) ?? [];
  }

  get items(): readonly T[] {
    return this.#present.items;
  }

  group(group: string): readonly T[] {
    return this.#present.group(group);
  }

  get(name: string): T | undefined {
    return this.#present.get(name);
  }

  /** Creates or replaces an object, whoever wrote it last. */
  put(name: string, value: Omit<T, 'resourceVersion'>): T {
    const stored = { ...value, resourceVersion: String(this.latest + 1) } as T;
    this.#set(name, stored);
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
    if (this.get(name) !== undefined) this.#set(name, undefined);
  }

  #set(name: string, value: T | undefined): void {
    this.#present.set(name, value);
    this.#changes.push({ name, value });
    const history = this.#histories.get(name) ?? [];
    history.push(value);
    this.#histories.set(name, history);
  }
}

/** How far a cache moves on: to the present, by one change, or not at all; or one change is lost, or the last one comes again. */
export type Lag = 'none' | 'one' | 'still' | 'lost' | 'doubled';

/** One client's view of a store: behind it as far as it likes, but never behind the client's own writes. */
export class Cache<T extends { resourceVersion: string }> {
  readonly #store: Store<T>;
  readonly #seen: Table<T>;
  /** Up to which change an object is known that the client has written, or read anew. */
  readonly #own = new Map<string, number>();
  #index = 0;

  constructor(store: Store<T>) {
    this.#store = store;
    this.#seen = new Table(store.groupOf);
    this.advance('none');
  }

  advance(lag: Lag): void {
    const { latest } = this.#store;
    if (lag === 'doubled') this.#take(this.#index - 1);
    if (lag === 'lost') this.#index = Math.min(latest, this.#index + 1);
    const end = lag === 'none' ? latest : lag === 'one' ? Math.min(latest, this.#index + 1) : this.#index;
    for (; this.#index < end; this.#index += 1) this.#take(this.#index);
    for (const [name, index] of this.#own) if (index <= this.#index) this.#own.delete(name);
  }

  #take(index: number): void {
    const change = this.#store.change(index);
    if (change !== undefined && (this.#own.get(change.name) ?? 0) <= index) this.#seen.set(change.name, change.value);
  }

  /** The client has just written this object, or read it anew. */
  observe(name: string): void {
    this.#own.set(name, this.#store.latest);
    this.#seen.set(name, this.#store.get(name));
  }

  get items(): readonly T[] {
    return this.#seen.items;
  }

  group(group: string): readonly T[] {
    return this.#seen.group(group);
  }

  get(name: string): T | undefined {
    return this.#seen.get(name);
  }
}

/** A client's view of one object; behind it as far as it likes, but never behind the client's own writes. */
export class ObjectCache<T extends { resourceVersion: string }> {
  readonly #store: Store<T>;
  readonly #name: string;
  #index = 0;

  constructor(store: Store<T>, name: string) {
    this.#store = store;
    this.#name = name;
    this.advance('none');
  }

  advance(lag: Lag): void {
    const { length } = this.#store.history(this.#name);
    if (lag === 'none') this.#index = length;
    // Of one object the next state makes up for one that was lost.
    if (lag === 'one' || lag === 'lost') this.#index = Math.min(length, this.#index + 1);
  }

  /** The client has just written the object, or read it anew. */
  observe(): void {
    this.advance('none');
  }

  get value(): T | undefined {
    return this.#store.history(this.#name)[this.#index - 1];
  }
}

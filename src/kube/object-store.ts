import { compareResourceVersions } from './resource-version.ts';

/** What a store says when an object appears, changes or goes. */
export type Change<T> =
  | { readonly type: 'put'; readonly key: string; readonly value: T; readonly previous?: T | undefined }
  | { readonly type: 'delete'; readonly key: string; readonly value?: undefined; readonly previous: T };

/** One state of one object. `value` undefined: it exists, and is of no interest. */
export interface Seen<T> {
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly value: T | undefined;
}

/**
 * The newest known state of a set of objects of one resource, whatever the order in which lists, watch events
 * and the answers to our own writes come in. It rests on one order of resourceVersions over all objects of a resource.
 */
export class ObjectStore<T> {
  readonly #items = new Map<string, T>();
  /** Of every object in `#items`, and of those without a value that the watch has not reached yet. */
  readonly #known = new Map<string, { uid: string; resourceVersion: string }>();
  readonly #withoutValue = new Set<string>();
  readonly #onChange: (change: Change<T>) => void;
  #watermark: string | undefined;

  constructor(onChange: (change: Change<T>) => void) {
    this.#onChange = onChange;
  }

  get items(): ReadonlyMap<string, T> {
    return this.#items;
  }

  /** The value kept of this very object, not of a namesake. */
  valueOf(key: string, uid: string): T | undefined {
    return this.#known.get(key)?.uid === uid ? this.#items.get(key) : undefined;
  }

  /** All that happened up to this resourceVersion is in the store. */
  get watermark(): string | undefined {
    return this.#watermark;
  }

  /** The answer to a write of our own, or to a read: taken where it is newer than what is known. */
  observe(seen: Seen<T>): void {
    if (this.#watermark !== undefined && compareResourceVersions(seen.resourceVersion, this.#watermark) <= 0) return;
    this.#putAhead(seen);
  }

  /** An ADDED or MODIFIED event, in the watch's order. */
  put(seen: Seen<T>): void {
    if (this.#isNewer(seen)) this.#put(seen);
    this.advance(seen.resourceVersion);
  }

  /** A DELETED event; its resourceVersion is that of the deletion. */
  delete(key: string, resourceVersion: string): void {
    const known = this.#known.get(key);
    if (known && compareResourceVersions(resourceVersion, known.resourceVersion) >= 0) this.#remove(key);
    this.advance(resourceVersion);
  }

  /** A bookmark. */
  advance(resourceVersion: string): void {
    if (this.#watermark !== undefined && compareResourceVersions(resourceVersion, this.#watermark) <= 0) return;
    this.#watermark = resourceVersion;
    this.#forgetWithoutValue(resourceVersion);
  }

  /** One page of a list. Part of a list says nothing about what is not in it, so deletions wait for `endList`. */
  putListed(seen: Seen<T>): void {
    this.#putAhead(seen);
  }

  /** The whole list of that resourceVersion held just these keys: what is older and not in it, is gone. */
  endList(keys: ReadonlySet<string>, resourceVersion: string): void {
    for (const [key, known] of [...this.#known]) {
      if (!keys.has(key) && compareResourceVersions(known.resourceVersion, resourceVersion) <= 0) this.#remove(key);
    }
    this.#watermark = resourceVersion;
    this.#forgetWithoutValue(resourceVersion);
  }

  /** The server's history went back (a backup was restored): whatever comes next is newer than all that is known. */
  rewind(): void {
    this.#watermark = undefined;
    for (const key of this.#withoutValue) this.#known.delete(key);
    this.#withoutValue.clear();
    for (const known of this.#known.values()) known.resourceVersion = '0';
  }

  #isNewer({ key, resourceVersion }: Seen<T>): boolean {
    const known = this.#known.get(key);
    return known === undefined || compareResourceVersions(resourceVersion, known.resourceVersion) > 0;
  }

  /** Where the watermark is still behind, a state without a value must be remembered, or an older one would pass for news. */
  #putAhead(seen: Seen<T>): void {
    if (!this.#isNewer(seen)) return;
    this.#put(seen);
    if (seen.value !== undefined) return;
    this.#known.set(seen.key, { uid: seen.uid, resourceVersion: seen.resourceVersion });
    this.#withoutValue.add(seen.key);
  }

  #put({ key, uid, resourceVersion, value }: Seen<T>): void {
    const known = this.#known.get(key);
    // Another uid under the name is another object.
    if (value === undefined || (known !== undefined && known.uid !== uid)) this.#remove(key);
    if (value === undefined) return;
    const previous = this.#items.get(key);
    this.#withoutValue.delete(key);
    this.#known.set(key, { uid, resourceVersion });
    this.#items.set(key, value);
    this.#onChange({ type: 'put', key, value, previous });
  }

  #remove(key: string): void {
    this.#known.delete(key);
    this.#withoutValue.delete(key);
    const previous = this.#items.get(key);
    if (previous === undefined) return;
    this.#items.delete(key);
    this.#onChange({ type: 'delete', key, previous });
  }

  #forgetWithoutValue(upTo: string): void {
    for (const key of [...this.#withoutValue]) {
      const known = this.#known.get(key);
      if (known === undefined || compareResourceVersions(known.resourceVersion, upTo) <= 0) {
        this.#known.delete(key);
        this.#withoutValue.delete(key);
      }
    }
  }
}

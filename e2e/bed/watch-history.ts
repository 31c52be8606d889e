import type { Api, KubeObject, Query } from './api.ts';
import { follow } from './follow.ts';
import type { NodeObject } from './node-object.ts';

/** One version of an object, in the order of the watch. */
export interface Version<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
  /** When the watch told it, in ms since the epoch. */
  readonly at: number;
  /** Versions before this one were not seen: the API server had forgotten them when the watch came back. */
  readonly missed: boolean;
}

/** Every version of every object since the start. */
export interface WatchHistory<T extends KubeObject> {
  readonly versions: readonly Version<T>[];
  /** The versions of one object; also of those of the same name before and after it. */
  of(name: string): readonly Version<T>[];
  /** Settles when the history holds this version or a later one: a test that has seen a write answered waits for this before it judges. */
  reaches(resourceVersion: string | undefined): Promise<void>;
  stop(): void;
}

/** Records all versions of what `path` lists; settles when the first list is in. */
export async function recordHistory<T extends KubeObject>(api: Api, path: string, query: Query = {}): Promise<WatchHistory<T>> {
  const versions: Version<T>[] = [];
  const ending = new AbortController();
  const synced = Promise.withResolvers<void>();
  const waiting = new Set<() => void>();
  follow<T>(
    api,
    path,
    query,
    ({ type, object, missed = false }) => {
      versions.push({ type, object, at: Date.now(), missed });
      for (const look of waiting) look();
    },
    ending.signal,
    synced.resolve,
  ).catch(synced.reject);
  await synced.promise;

  return {
    versions,
    of: (name) => versions.filter(({ object }) => object.metadata.name === name),
    reaches: (resourceVersion) =>
      new Promise((resolve) => {
        const look = () => {
          if (!versions.some(({ object }) => Number(object.metadata.resourceVersion) >= Number(resourceVersion))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    stop: () => ending.abort(),
  };
}

/** Cordoned, or not Ready. */
export function isUnavailable(node: NodeObject): boolean {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  return node.spec.unschedulable === true || ready?.status !== 'True';
}

export function isCordoned(node: NodeObject): boolean {
  return node.spec.unschedulable === true;
}

/** How many objects a predicate held for at once, and which. */
export interface Peak {
  readonly count: number;
  readonly names: readonly string[];
  /** When that began, in ms since the epoch. */
  readonly at: number;
}

/** The most objects for which `holds` was true at one instant; the earliest such instant. */
export function mostAtOnce<T extends KubeObject>(versions: readonly Version<T>[], holds: (object: T) => boolean): Peak {
  const now = new Set<string>();
  let peak: Peak = { count: 0, names: [], at: versions[0]?.at ?? 0 };
  for (const { type, object, at } of versions) {
    const { name } = object.metadata;
    if (type !== 'DELETED' && holds(object)) now.add(name);
    else now.delete(name);
    if (now.size > peak.count) peak = { count: now.size, names: [...now].sort(), at };
  }
  return peak;
}

/** The most nodes that were unavailable at one instant. */
export function maxUnavailable(history: { readonly versions: readonly Version<NodeObject>[] }): Peak {
  return mostAtOnce(history.versions, isUnavailable);
}

/** The names in the order in which `holds` became true for each, once for each time it did. */
export function inOrder<T extends KubeObject>(versions: readonly Version<T>[], holds: (object: T) => boolean): string[] {
  const now = new Set<string>();
  const order: string[] = [];
  for (const { type, object } of versions) {
    const { name } = object.metadata;
    if (type === 'DELETED' || !holds(object)) now.delete(name);
    else if (!now.has(name)) {
      now.add(name);
      order.push(name);
    }
  }
  return order;
}

/** The values that `of` gave for one object, without repetition: the phases it went through, its OS images, its boot IDs. */
export function changes<T extends KubeObject, V>(versions: readonly Version<T>[], name: string, of: (object: T) => V): V[] {
  const values: V[] = [];
  for (const { type, object } of versions) {
    if (type === 'DELETED' || object.metadata.name !== name) continue;
    const value = of(object);
    if (values.length === 0 || values.at(-1) !== value) values.push(value);
  }
  return values;
}

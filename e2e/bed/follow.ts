import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, ApiError, ApiUnreachable, type KubeObject, type Query } from './api.ts';

/** One version of an object, as a list or a watch showed it. */
export interface Seen<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
  /** True where it was missing from a new list: the versions in between, the last one too, were not seen. */
  readonly missed?: boolean;
}

interface List<T> {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: T[];
}

/**
 * Lists and then watches until `signal` ends it, across restarts of the API server; tells every version once and in order.
 * A watch that broke off goes on where it stopped; only where the server has forgotten that place is there a new list.
 * @param onSynced called when the first list has been told
 */
export async function follow<T extends KubeObject>(
  api: Api,
  path: string,
  query: Query,
  onSeen: (seen: Seen<T>) => void,
  signal: AbortSignal,
  onSynced: () => void = () => undefined,
): Promise<void> {
  const known = new Map<string, T>();
  let resourceVersion: string | undefined;

  const see = (type: Seen<T>['type'], object: T, missed = false) => {
    const key = object.metadata.uid ?? '';
    if (type === 'DELETED') known.delete(key);
    else known.set(key, object);
    onSeen(missed ? { type, object, missed } : { type, object });
  };

  const list = async () => {
    const answer = await api.get<List<T>>(path, query);
    const present = new Set(answer.items.map((item) => item.metadata.uid));
    for (const [uid, object] of [...known]) if (!present.has(uid)) see('DELETED', object, true);
    for (const item of answer.items) {
      const before = known.get(item.metadata.uid ?? '');
      if (before === undefined) see('ADDED', item);
      else if (before.metadata.resourceVersion !== item.metadata.resourceVersion) see('MODIFIED', item, true);
    }
    resourceVersion = answer.metadata.resourceVersion;
    onSynced();
  };

  const watch = async () => {
    for await (const event of api.watch<T>(path, { ...query, resourceVersion, allowWatchBookmarks: true }, signal)) {
      if (event.type === 'ERROR') {
        resourceVersion = undefined;
        return;
      }
      if (event.type !== 'BOOKMARK') see(event.type, event.object);
      resourceVersion = event.object.metadata.resourceVersion;
    }
  };

  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) await list();
      await watch();
    } catch (error) {
      if (error instanceof ApiError && error.status === 410) resourceVersion = undefined;
      else if (!(error instanceof ApiUnreachable || error instanceof ApiError)) throw error;
      await sleep(100, undefined, { signal }).catch(() => undefined);
    }
  }
}

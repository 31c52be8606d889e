import * as z from 'zod/mini';
import { API_VERSION } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { type Query, resourceOf } from '../kube/paths.ts';
import { NotInstalledError, type Right } from './errors.ts';

const PAGE = 500;
const OURS = `/apis/${API_VERSION}/`;
const identitySchema = z.object({ metadata: z.object({ name: z.string(), namespace: z.optional(z.string()) }) });

/** Lists what a command needs page by page, and remembers every right that it was refused, so that all are told at once. */
export class ListReader {
  readonly #client: Pick<KubeClient, 'get' | 'listPages'>;
  readonly #signal: AbortSignal | undefined;
  readonly missing: Right[] = [];
  /** The API server's own words of the first refusal. */
  said: string | undefined;
  /** Objects that this version of the program cannot read, as `nodeupdates/a`. */
  readonly unreadable: string[] = [];

  /** `signal` ends what is being read. */
  constructor(client: Pick<KubeClient, 'get' | 'listPages'>, signal?: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** The projections by name, with `namespace/` before it; those without one are left out. Empty where a right is missing. */
  async list<T>(path: string, project: (raw: unknown) => T | undefined, query: Query = {}): Promise<{ items: Map<string, T> }> {
    const items = new Map<string, T>();
    await this.#allowed('list', path, async () => {
      for await (const { items: raws, page } of this.#client.listPages(path, query, PAGE, this.#signal)) {
        if (page === 0) items.clear();
        for (const raw of raws) {
          const { name, namespace } = z.parse(identitySchema, raw).metadata;
          const value = this.#read(path, name, () => project(raw));
          if (value !== undefined) items.set(namespace === undefined ? name : `${namespace}/${name}`, value);
        }
      }
    });
    return { items };
  }

  /** One object; undefined where there is none, or where a right is missing. */
  get(path: string): Promise<unknown> {
    return this.#allowed('get', path, async () => {
      try {
        return await this.#client.get(path, this.#signal && { signal: this.#signal });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    });
  }

  async #allowed<T>(verb: Right['verb'], path: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (isNotFound(error) && path.startsWith(OURS)) throw new NotInstalledError();
      if (!(error instanceof ApiError && error.status === 403)) throw error;
      const namespace = /\/namespaces\/([^/]+)\//.exec(path)?.[1];
      const wanted = { verb, resource: nameOf(path), ...(namespace !== undefined && { namespace: decodeURIComponent(namespace) }) };
      this.missing.push(wanted);
      this.said ??= error.words;
      return undefined;
    }
  }

  #read<T>(path: string, name: string, project: () => T): T | undefined {
    try {
      return project();
    } catch (error) {
      if (!(error instanceof z.core.$ZodError)) throw error;
      this.unreadable.push(`${resourceOf(path)}/${name}`);
      return undefined;
    }
  }
}

/** `/apis/apps/v1/daemonsets` → `daemonsets.apps`: as `kubectl auth can-i` takes it. */
function nameOf(path: string): string {
  const group = /^\/apis\/([^/]+)\//.exec(path)?.[1];
  return group === undefined ? resourceOf(path) : `${resourceOf(path)}.${group}`;
}

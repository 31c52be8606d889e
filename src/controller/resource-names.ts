import * as z from 'zod/mini';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { isNotFound } from '../kube/errors.ts';

/** Where the objects of a kind lie. */
export interface Resource {
  group: string;
  /** `/api/v1`, `/apis/apps/v1`. */
  path: string;
  /** `deployments`. */
  name: string;
  namespaced: boolean;
}

/** Kinds come and go with their CRDs: what is known is asked for again after so long, in milliseconds. */
const MAX_AGE_MS = 600_000;
const MAX_KNOWN = 256;

const listSchema = z.object({
  resources: z.array(z.object({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});

/** Resources by their kind, as the API server's discovery names them; those found are kept for a while. */
export class ResourceNames {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #clock: Clock;
  readonly #known = new Map<string, { at: number; resource: Resource }>();

  constructor(client: Pick<KubeClient, 'get'>, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** The resource of a kind; undefined where the API server does not know it. Rejects as the client does. */
  async find(apiVersion: string, kind: string, signal: AbortSignal): Promise<Resource | undefined> {
    const key = `${apiVersion} ${kind}`;
    const known = this.#known.get(key);
    if (known !== undefined && this.#clock.monotonic() - known.at < MAX_AGE_MS) return known.resource;
    this.#known.delete(key);
    const slash = apiVersion.indexOf('/');
    const group = slash === -1 ? '' : apiVersion.slice(0, slash);
    const path = slash === -1 ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
    const { resources } = z.parse(listSchema, await this.#list(path, signal));
    // Subresources have a slash, and may have a kind of another group.
    const found = resources.find((resource) => resource.kind === kind && !resource.name.includes('/'));
    if (found === undefined) return undefined;
    const resource = { group, path, name: found.name, namespaced: found.namespaced };
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, { at: this.#clock.monotonic(), resource });
    return resource;
  }

  async #list(path: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#client.get(path, { signal });
    } catch (error) {
      if (isNotFound(error)) return { resources: [] };
      throw error;
    }
  }
}

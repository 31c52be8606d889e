import * as z from 'zod/mini';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';

/** An admission webhook that is asked about evictions. */
export interface EvictionWebhook {
  /** The name by which the API server speaks of it. */
  name: string;
  /** The object that registers it, as `kind/name`. */
  configuration: string;
  /** Whether evictions are refused while it does not answer. */
  failsClosed: boolean;
}

const KINDS = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'] as const;
const PATH = '/apis/admissionregistration.k8s.io/v1';
/** Configurations change seldom, and a drain may be refused many times a second. */
const MAX_AGE_MS = 30_000;
const PAGE = 250;

const names = z.optional(z.nullable(z.array(z.string())));
const configurationSchema = z.object({
  metadata: z.object({ name: z.string() }),
  webhooks: z.optional(
    z.nullable(
      z.array(
        z.object({
          name: z.string(),
          failurePolicy: z.optional(z.string()),
          rules: z.optional(z.nullable(z.array(z.object({ apiGroups: names, operations: names, resources: names })))),
        }),
      ),
    ),
  ),
});

/** The cluster's admission webhooks that are asked about evictions, read when somebody wants to know, and then kept for half a minute. */
export class EvictionWebhooks {
  readonly #client: Pick<KubeClient, 'listPages'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #known: { at: number; webhooks: Promise<readonly EvictionWebhook[]> } | undefined;

  constructor(client: Pick<KubeClient, 'listPages'>, clock: Clock, logger: Logger) {
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Never rejects: where they cannot be read, none is known. */
  list(): Promise<readonly EvictionWebhook[]> {
    const now = this.#clock.monotonic();
    if (this.#known === undefined || now - this.#known.at >= MAX_AGE_MS) this.#known = { at: now, webhooks: this.#read() };
    return this.#known.webhooks;
  }

  async #read(): Promise<readonly EvictionWebhook[]> {
    try {
      const found: EvictionWebhook[] = [];
      for (const kind of KINDS) {
        for await (const { items, page } of this.#client.listPages(`${PATH}/${kind.toLowerCase()}s`, {}, PAGE)) {
          // A list that the server forgot midway begins anew.
          if (page === 0) found.splice(0, found.length, ...found.filter(({ configuration }) => !configuration.startsWith(`${kind}/`)));
          found.push(...items.flatMap((item) => askedAboutEvictions(kind, item)));
        }
      }
      return found;
    } catch (error) {
      this.#logger.warn({ error }, 'the admission webhooks could not be read: refusals of evictions are not told by webhook');
      return [];
    }
  }
}

/** Those of a webhook configuration's webhooks whose rules match the creation of an Eviction. */
export function askedAboutEvictions(kind: string, raw: unknown): EvictionWebhook[] {
  const { metadata, webhooks } = z.parse(configurationSchema, raw);
  const has = (values: readonly string[] | null | undefined, ...wanted: string[]) =>
    values?.some((value) => wanted.includes(value)) ?? false;
  return (webhooks ?? [])
    .filter(({ rules }) =>
      rules?.some(
        ({ apiGroups, operations, resources }) =>
          has(apiGroups, '', '*') && has(operations, 'CREATE', '*') && has(resources, 'pods/eviction', 'pods/*', '*/eviction', '*/*'),
      ),
    )
    .map(({ name, failurePolicy }) => ({
      name,
      configuration: `${kind}/${metadata.name}`,
      failsClosed: failurePolicy !== 'Ignore',
    }));
}

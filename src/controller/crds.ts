import * as z from 'zod/mini';
import { customResourceDefinition, kindDefinitions } from '../api/crd.ts';
import { KubeClient } from '../kube/client.ts';
import { type Clock, delay, systemClock } from '../kube/clock.ts';
import { isNotFound } from '../kube/errors.ts';
import { programCredentials } from '../kube/program-credentials.ts';
import { VERSION } from '../version.ts';
import type { CrdsConfig } from './crds-config.ts';

const FIELD_MANAGER = 'lockkeeper-crds';
const COLLECTION = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const LOOK_AGAIN_MS = 250;

/** A CRD cannot be applied; the message says what to do. */
export class CrdError extends Error {
  readonly retryable = false;

  constructor(message: string) {
    super(message);
    this.name = 'CrdError';
  }
}

const crdSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), deletionTimestamp: z.optional(z.string()) }),
  status: z.optional(
    z.object({
      storedVersions: z.optional(z.nullable(z.array(z.string()))),
      conditions: z.optional(z.nullable(z.array(z.object({ type: z.string(), status: z.string(), message: z.optional(z.string()) })))),
    }),
  ),
});
type Crd = z.infer<typeof crdSchema>;
type WantedCrd = ReturnType<typeof customResourceDefinition>;

/** Applies the CRDs of this version; `print` gets a line for each. Rejects where one is refused, or not served in time. */
export async function runCrdsApply(config: CrdsConfig, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const clock = systemClock;
  const credentials = await programCredentials(config, clock);
  const client = new KubeClient({ credentials, userAgent: `lockkeeper-crds/${VERSION}`, clock });
  const limit = AbortSignal.timeout(config.timeoutMs);
  try {
    await applyCrds({ client, clock, print, signal: AbortSignal.any([signal, limit]) });
  } catch (error) {
    if (!limit.aborted || signal.aborted) throw error;
    throw new CrdError(`gave up after ${config.timeoutMs / 1000} s: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    client.close();
  }
}

interface Deps {
  client: Pick<KubeClient, 'get' | 'applyPatch'>;
  clock: Clock;
  print: (line: string) => void;
  signal: AbortSignal;
  /** The CRDs to apply; those of this version unless told. */
  wanted?: readonly WantedCrd[];
}

/** Looks at all CRDs before it writes the first, so that a refusal changes nothing. */
export async function applyCrds({
  client,
  clock,
  print,
  signal,
  wanted = kindDefinitions.map(customResourceDefinition),
}: Deps): Promise<void> {
  const found = new Map<string, Crd>();
  for (const { metadata, spec } of wanted) {
    const crd = await look(metadata.name);
    if (crd === undefined) continue;
    found.set(metadata.name, crd);
    refuse(
      metadata.name,
      crd,
      spec.versions.map(({ name }) => name),
    );
  }
  for (const crd of wanted) {
    const { name } = crd.metadata;
    const before = found.get(name);
    const body = z.parse(crdSchema, await client.applyPatch(path(name), crd, { fieldManager: FIELD_MANAGER, force: true, signal }));
    const unchanged = before?.metadata.resourceVersion === body.metadata.resourceVersion;
    print(`customresourcedefinition ${name}: ${before === undefined ? 'created' : unchanged ? 'unchanged' : 'changed'}`);
  }
  for (const { metadata } of wanted) await served(metadata.name);

  async function look(name: string): Promise<Crd | undefined> {
    try {
      return z.parse(crdSchema, await client.get(path(name), { signal }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** A default policy of the same upgrade must not come before its kind. */
  async function served(name: string): Promise<void> {
    for (;;) {
      const conditions = (await look(name))?.status?.conditions ?? [];
      if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) return;
      const refused = conditions.find(({ type, status }) => type === 'NamesAccepted' && status === 'False');
      if (refused !== undefined) throw new CrdError(`${name}: its names are taken by another kind: ${refused.message ?? ''}`);
      await delay(clock, LOOK_AGAIN_MS, signal);
      if (signal.aborted) throw new CrdError(`${name} is not served yet`);
    }
  }
}

const path = (name: string): string => `${COLLECTION}/${name}`;

function refuse(name: string, { metadata, status }: Crd, versions: readonly string[]): void {
  if (metadata.deletionTimestamp !== undefined)
    throw new CrdError(`${name} is being deleted, and its objects with it: try again once it is gone`);
  const lost = (status?.storedVersions ?? []).filter((version) => !versions.includes(version));
  if (lost.length > 0)
    throw new CrdError(
      `${name}: objects may be stored in ${lost.join(', ')}, which this version (${VERSION}) does not know: keep the newer Lockkeeper, or migrate them first`,
    );
}

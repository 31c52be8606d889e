import * as z from 'zod/mini';
import type { KubeClient } from './client.ts';
import { ApiProtocolError, isAlreadyExists, isConflict, isNotFound } from './errors.ts';

/** What we need of a coordination.k8s.io/v1 Lease. */
export interface Lease {
  readonly resourceVersion: string;
  /** Empty: nobody. */
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
}

/** A Lease's spec as it is written. */
export interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One Lease by its name. Writes hold only against the resourceVersion they were given. */
export interface LeaseAccess {
  readonly collection: string;
  /** undefined: there is none. */
  get(options: CallOptions): Promise<Lease | undefined>;
  create(spec: LeaseSpec, options: CallOptions): Promise<Lease>;
  patch(lease: Lease, spec: LeaseSpec, options: CallOptions): Promise<Lease>;
  /** As `patch`, for the holder: a conflict with an earlier write of our own, whose answer was lost, is got over. */
  patchHeldBy(identity: string, lease: Lease, spec: LeaseSpec, options: CallOptions): Promise<Lease>;
}

const leaseSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z.optional(
    z.object({
      holderIdentity: z.optional(z.string()),
      leaseDurationSeconds: z.optional(z.number()),
      leaseTransitions: z.optional(z.number()),
    }),
  ),
});

/** Reads a Lease; throws ApiProtocolError where it is none. */
export function parseLease(raw: unknown): Lease {
  const parsed = leaseSchema.safeParse(raw);
  if (!parsed.success) throw new ApiProtocolError('the answer is no Lease', { cause: parsed.error });
  const { metadata, spec } = parsed.data;
  return {
    resourceVersion: metadata.resourceVersion,
    holder: spec?.holderIdentity ?? '',
    durationMs: (spec?.leaseDurationSeconds ?? 0) * 1000,
    transitions: spec?.leaseTransitions ?? 0,
  };
}

/** Kubernetes' MicroTime: `2026-01-31T10:20:30.123000Z`. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

export function leaseAccess(client: Pick<KubeClient, 'request'>, namespace: string, name: string): LeaseAccess {
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
  const path = `${collection}/${encodeURIComponent(name)}`;
  const patch = async (lease: Lease, spec: LeaseSpec, options: CallOptions): Promise<Lease> => {
    const body = { metadata: { resourceVersion: lease.resourceVersion }, spec };
    return parseLease(await client.request({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json', ...options }));
  };
  return {
    collection,
    patch,
    async get(options) {
      try {
        return parseLease(await client.request({ method: 'GET', path, ...options }));
      } catch (error) {
        if (!isNotFound(error)) throw error;
        return undefined;
      }
    },
    async create(spec, options) {
      const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec };
      return parseLease(await client.request({ method: 'POST', path: collection, body, ...options }));
    },
    async patchHeldBy(identity, lease, spec, options) {
      try {
        return await patch(lease, spec, options);
      } catch (error) {
        if (!isConflict(error)) throw error;
        const now = parseLease(await client.request({ method: 'GET', path, ...options }));
        if (now.holder !== identity) throw error;
        return patch(now, spec, options);
      }
    },
  };
}

/** Leaves a Lease that `identity` holds to whoever comes first; one that another holds is left alone. */
export async function dropLease(
  access: LeaseAccess,
  identity: string,
  options: CallOptions & { readonly now: () => number },
): Promise<void> {
  const lease = await access.get(options);
  if (lease?.holder !== identity) return;
  await access.patch(lease, { holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(options.now()) }, options);
}

/** A Lease that is renewed again and again right when we want it. */
const MAX_TRIES = 20;

/**
 * Names `identity` the Lease's holder at once, whoever holds it. Resolves with the holder that was, and how long it may still act
 * unawares, in milliseconds: 0 where nobody held it.
 */
export async function seizeLease(
  access: LeaseAccess,
  identity: string,
  { durationMs, now, ...options }: CallOptions & { readonly durationMs: number; readonly now: () => number },
): Promise<{ holder: string; mayActMs: number }> {
  for (let tries = 1; ; tries += 1) {
    const lease = await access.get(options);
    const time = microTime(now());
    const spec = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(durationMs / 1000), acquireTime: time, renewTime: time };
    try {
      if (lease === undefined) await access.create({ ...spec, leaseTransitions: 0 }, options);
      else await access.patch(lease, { ...spec, leaseTransitions: lease.transitions + 1 }, options);
      const held = lease !== undefined && lease.holder !== '' && lease.holder !== identity;
      return { holder: lease?.holder ?? '', mayActMs: held ? lease.durationMs : 0 };
    } catch (error) {
      if (!(isConflict(error) || isAlreadyExists(error)) || tries >= MAX_TRIES) throw error;
    }
  }
}

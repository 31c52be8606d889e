import * as z from 'zod/mini';
import type { KubeClient } from './client.ts';
import { ApiProtocolError, isConflict } from './errors.ts';

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

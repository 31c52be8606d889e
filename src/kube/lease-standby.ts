import type { KubeClient } from './client.ts';
import { type Cancel, type Clock, onAbort } from './clock.ts';
import { type Lease, parseLease } from './lease.ts';
import type { Logger } from './logger.ts';
import { Reflector } from './reflector.ts';

export interface LeaseStandbyOptions {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  readonly collection: string;
  readonly name: string;
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** Waits for a Lease to become free, by a watch. */
export interface LeaseStandby {
  /**
   * Resolves when the Lease is nobody's (not before `notBefore` on the monotonic clock), names us, or has not changed for its
   * duration: with the Lease, or with undefined where there is none. Rejects when `signal` is aborted.
   */
  untilFree(signal: AbortSignal, notBefore: number): Promise<Lease | undefined>;
}

export function leaseStandby(options: LeaseStandbyOptions): LeaseStandby {
  const { clock, identity, leaseDurationMs } = options;
  // Outlives the single watch: a Lease that stood still before it was cut has stood still for that long.
  let changed: { resourceVersion: string; at: number } | undefined;

  const freeAt = (lease: Lease | undefined, notBefore: number): number => {
    if (lease === undefined || lease.holder === '') return notBefore;
    if (lease.holder === identity) return Number.NEGATIVE_INFINITY;
    if (changed?.resourceVersion !== lease.resourceVersion) changed = { resourceVersion: lease.resourceVersion, at: clock.monotonic() };
    // The holder may be of a version with a longer duration.
    return changed.at + Math.max(leaseDurationMs, lease.durationMs);
  };

  return {
    async untilFree(signal, notBefore) {
      const watching = new AbortController();
      const unlink = onAbort(signal, () => watching.abort(signal.reason));
      const free = Promise.withResolvers<void>();
      let lease: Lease | undefined;
      let cancel: Cancel = () => {};
      const judge = (): void => {
        cancel();
        const waitMs = freeAt(lease, notBefore) - clock.monotonic();
        if (waitMs <= 0) free.resolve();
        else cancel = clock.setTimeout(judge, waitMs);
      };
      const reflector = new Reflector<Lease>({
        client: options.client,
        path: options.collection,
        query: { fieldSelector: `metadata.name=${options.name}` },
        mode: 'stream',
        project: parseLease,
        onChange(change) {
          lease = change.value;
          judge();
        },
        logger: options.logger,
        clock,
        random: options.random,
        retry: { baseMs: 500, maxMs: 5_000, jitter: 0.5 },
      });
      const running = reflector.run(watching.signal);
      const unlinkFree = onAbort(watching.signal, () => free.reject(watching.signal.reason));
      try {
        // Only then may the absence of a Lease be believed.
        await Promise.race([reflector.waitForSync(watching.signal), free.promise]);
        judge();
        await free.promise;
        return lease;
      } finally {
        unlinkFree();
        cancel();
        watching.abort();
        unlink();
        await running;
      }
    },
  };
}

import { type Clock, delay } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { NotLeading, Stale } from './errors.ts';
import { LEASE_ID, leaseRecordSchema, readRecord } from './records.ts';
import type { TableApi } from './table-api.ts';

/** How a lease is held; durations in milliseconds. */
export interface LeaseOptions {
  holder: string;
  /** One that was not renewed for so long is free. */
  durationMs: number;
  renewMs: number;
  /** A holder that could not renew it for so long stops acting. Less than the duration. */
  giveUpMs: number;
  clock: Clock;
  logger: Logger;
}

/**
 * The single writer of a cluster: one item of the table, renewed under the version that was read. Its version is the token that fences:
 * it grows with each holder and each renewal. How long another's has not changed is measured by the own clock, never read from it.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #read: () => Promise<{ version: number; data: string } | undefined>;
  readonly #table: TableApi;
  #version = 0;
  /** Until when nobody else can hold it, on the monotonic clock. */
  #heldUntil = Number.NEGATIVE_INFINITY;

  constructor(table: TableApi, options: LeaseOptions) {
    this.#table = table;
    this.#options = options;
    this.#read = async () => (await table.all()).find(({ id }) => id === LEASE_ID);
  }

  /** Throws NotLeading where another process may act by now. */
  assertHeld(): void {
    if (this.#options.clock.monotonic() >= this.#heldUntil) throw new NotLeading();
  }

  get held(): boolean {
    return this.#options.clock.monotonic() < this.#heldUntil;
  }

  /** Waits until the lease is ours; rejects when the signal is aborted, or where the table could not be read so many times in a row. */
  async acquire(signal: AbortSignal, tries = Number.POSITIVE_INFINITY): Promise<void> {
    const { clock, logger, renewMs } = this.#options;
    for (let failures = 1; ; failures += 1) {
      signal.throwIfAborted();
      try {
        return await this.#acquire(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (failures >= tries) throw error;
        logger.error({ error, failures }, 'the lease cannot be taken yet');
        await delay(clock, renewMs, signal);
      }
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    const { clock, holder, logger, renewMs } = this.#options;
    let seen: { version: number; since: number } | undefined;
    for (;;) {
      signal.throwIfAborted();
      const item = await this.#read();
      const version = item?.version ?? 0;
      const lease = item && readRecord(leaseRecordSchema, LEASE_ID, item.data);
      const at = clock.monotonic();
      if (seen?.version !== version) {
        if (seen === undefined && lease !== undefined && lease.holder !== '')
          logger.info({ holder: lease.holder }, 'another process holds the lease: waits');
        seen = { version, since: at };
      }
      const free = lease === undefined || lease.holder === '' || lease.holder === holder || at - seen.since >= lease.durationMs;
      if (free && (await this.#write(version, holder))) return;
      await delay(clock, Math.min(renewMs, lease?.durationMs ?? renewMs), signal);
    }
  }

  /** Renews it until the signal is aborted; resolves as soon as it is lost. */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock, holder, logger, renewMs } = this.#options;
    while (this.held) {
      await delay(clock, renewMs, signal);
      if (signal.aborted) return;
      try {
        if (!(await this.#write(this.#version, holder))) {
          // One that got through, and whose answer did not, is seen by what stands there.
          const item = await this.#read();
          const mine = item !== undefined && readRecord(leaseRecordSchema, LEASE_ID, item.data).holder === holder;
          if (!mine) return this.#lost();
          this.#version = item.version;
        }
      } catch (error) {
        logger.warn({ error }, 'the lease could not be renewed yet');
      }
    }
    this.#lost();
  }

  /** Gives it back, so that the next process need not wait. */
  async release(): Promise<void> {
    if (!this.held) return;
    const version = this.#version;
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    await this.#put(version, '').catch((error: unknown) => this.#options.logger.debug({ error }, 'the lease was not given back'));
  }

  #lost(): void {
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    this.#options.logger.warn({}, 'the lease is lost');
  }

  async #write(seen: number, holder: string): Promise<boolean> {
    const { clock, giveUpMs } = this.#options;
    const at = clock.monotonic();
    try {
      this.#version = await this.#put(seen, holder);
      this.#heldUntil = at + giveUpMs;
      return true;
    } catch (error) {
      if (error instanceof Stale) return false;
      throw error;
    }
  }

  async #put(seen: number, holder: string): Promise<number> {
    const { durationMs } = this.#options;
    return (await this.#table.put(LEASE_ID, seen, JSON.stringify({ holder, durationMs }))).version;
  }
}

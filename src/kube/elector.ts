import { backoffMs } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { type Cancel, type Clock, delay, onAbort, systemClock } from './clock.ts';
import { isConflict, isNotFound } from './errors.ts';
import { type Lease, type LeaseAccess, type LeaseSpec, leaseAccess, microTime } from './lease.ts';
import { type LeaseStandby, leaseStandby } from './lease-standby.ts';
import type { Logger } from './logger.ts';

export interface ElectorOptions {
  readonly client: Pick<KubeClient, 'request' | 'listPages' | 'watch' | 'clockOffsetMs'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the replicas; the pod's name, so that `handOver` can name it. */
  readonly identity: string;
  /** After so long without a change the Lease is anybody's. */
  readonly leaseDurationMs?: number;
  readonly renewIntervalMs?: number;
  /** So long after the sending of its last successful renewal the leader stops; must be shorter than the duration. */
  readonly giveUpAfterMs?: number;
  readonly clock?: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Leads until the signal is aborted. A rejection gives the Lease back. No second term begins before it has settled. */
  readonly onStartedLeading: (signal: AbortSignal) => Promise<void> | void;
  /** The term is over; the signal has been aborted, and onStartedLeading may still be at its end. */
  readonly onStoppedLeading?: (reason: string) => void;
}

/** Somebody wanted to act as the leader, and we are not (any more). */
export class NotLeadingError extends Error {
  readonly retryable = false;

  constructor() {
    super('not the leader');
    this.name = 'NotLeadingError';
  }
}

interface Term {
  readonly stop: AbortController;
  lease: Lease;
  /** By the monotonic clock. */
  until: number;
  /** Takes back the timer that ends the term at `until`. */
  cancelExpiry: Cancel;
}

const renewBackoff = { baseMs: 500, maxMs: 2_000, jitter: 0.5 };
const standbyBackoff = { baseMs: 500, maxMs: 5_000, jitter: 0.5 };
/** After a lost race: the watch may still show the state from before it. */
const raceMs = 200;
const slowWorkMs = 30_000;

/** Leader election by a Lease: one write each `renewIntervalMs` by the leader, a quiet watch by the others. */
export class Elector {
  readonly #options: ElectorOptions;
  readonly #clock: Clock;
  readonly #durationMs: number;
  readonly #renewMs: number;
  readonly #giveUpMs: number;
  readonly #access: LeaseAccess;
  readonly #standby: LeaseStandby;
  #term: Term | undefined;
  /** The last term's work; never rejects. */
  #work: Promise<void> = Promise.resolve();
  #givingBack: Promise<void> = Promise.resolve();
  /** Having given the Lease back, leave it to others for a while. */
  #standAsideUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ElectorOptions) {
    const { client, namespace, name, identity, random, logger } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#durationMs = options.leaseDurationMs ?? 13_000;
    this.#renewMs = options.renewIntervalMs ?? 5_000;
    this.#giveUpMs = options.giveUpAfterMs ?? 9_000;
    if (!(this.#renewMs < this.#giveUpMs && this.#giveUpMs < this.#durationMs)) {
      throw new RangeError('a Lease needs renewIntervalMs < giveUpAfterMs < leaseDurationMs');
    }
    this.#access = leaseAccess(client, namespace, name);
    const { collection } = this.#access;
    this.#standby = leaseStandby({
      client,
      collection,
      name,
      identity,
      leaseDurationMs: this.#durationMs,
      clock: this.#clock,
      random,
      logger,
    });
  }

  /** Whether we may act as the leader now, by the clock: false at once in a process that was frozen for too long. */
  get leading(): boolean {
    const term = this.#term;
    return term !== undefined && this.#clock.monotonic() < term.until;
  }

  /** Throws NotLeadingError unless `leading`. Call it right before what only the leader may do. */
  assertLeading(): void {
    if (!this.leading) throw new NotLeadingError();
  }

  /** Stands by and leads, in turn, until `signal` is aborted; then gives the Lease back. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { random } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const term = await this.#acquire(signal);
        if (term) await this.#lead(term, signal);
        else await delay(this.#clock, raceMs * (0.5 + random()), signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        this.#options.logger.warn({ error, failures }, 'cannot take the lease');
        await delay(this.#clock, backoffMs(standbyBackoff, failures, random), signal);
      }
    }
    await this.#givingBack;
  }

  /** Ends the term, waits for its work (no longer than the Lease is ours) and leaves the Lease to whoever comes first. Never rejects. */
  release(): Promise<void> {
    return this.#giveBack('');
  }

  /** As `release`, but names the next holder, so that no other replica comes first. One that does not come loses it again in time. */
  handOver(identity: string): Promise<void> {
    return this.#giveBack(identity);
  }

  /** Resolves with a term when the Lease is ours; undefined: another was faster, look again. */
  async #acquire(signal: AbortSignal): Promise<Term | undefined> {
    const lease = await this.#standby.untilFree(signal, this.#standAsideUntil);
    await this.#workOver();
    signal.throwIfAborted();
    const sentAt = this.#clock.monotonic();
    const call = { timeoutMs: this.#giveUpMs, signal };
    try {
      const taken =
        lease === undefined
          ? await this.#access.create(this.#claim(0), call)
          : await this.#access.patch(lease, this.#claim(lease.transitions + (lease.holder === this.#options.identity ? 0 : 1)), call);
      return { stop: new AbortController(), lease: taken, until: sentAt + this.#giveUpMs, cancelExpiry() {} };
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Two terms' work must not run side by side. */
  async #workOver(): Promise<void> {
    const cancel = this.#clock.setTimeout(
      () => this.#options.logger.error({}, 'the work of the last term does not end: no new term before it'),
      slowWorkMs,
    );
    await this.#work;
    cancel();
  }

  async #lead(term: Term, signal: AbortSignal): Promise<void> {
    const { logger, identity } = this.#options;
    if (this.#clock.monotonic() >= term.until) return;
    this.#term = term;
    this.#armExpiry(term);
    logger.info({ identity }, 'leading');
    this.#work = this.#runWork(term);
    const unlink = onAbort(signal, () => void this.release());
    await this.#renew(term);
    unlink();
  }

  async #runWork(term: Term): Promise<void> {
    try {
      await this.#options.onStartedLeading(term.stop.signal);
    } catch (error) {
      if (term.stop.signal.aborted) return;
      this.#options.logger.error({ error }, "the leader's work failed: giving the lease back");
      // Not awaited: it waits for this very work.
      void this.release();
    }
  }

  /** Renews until the term ends. */
  async #renew(term: Term): Promise<void> {
    const { logger, random, identity } = this.#options;
    const { signal } = term.stop;
    let failures = 0;
    await delay(this.#clock, this.#renewMs, signal);
    while (!signal.aborted) {
      const sentAt = this.#clock.monotonic();
      const leftMs = term.until - sentAt;
      // A process that was frozen comes by here before its expired timers ran.
      if (leftMs <= 0) return this.#endTerm(term, 'the lease was not renewed in time');
      let waitMs = this.#renewMs;
      try {
        const lease = await this.#access.patchHeldBy(identity, term.lease, this.#renewal(), { timeoutMs: leftMs, signal });
        // What comes back too late is no renewal: `leading` may have said no already.
        if (this.#clock.monotonic() >= term.until) return this.#endTerm(term, 'the lease was renewed too late');
        term.lease = lease;
        term.until = sentAt + this.#giveUpMs;
        this.#armExpiry(term);
        failures = 0;
      } catch (error) {
        if (isConflict(error) || isNotFound(error)) return this.#endTerm(term, 'the lease is held by another');
        if (signal.aborted) return;
        failures += 1;
        logger.warn({ error, failures, leftMs: Math.round(leftMs) }, 'cannot renew the lease');
        waitMs = backoffMs(renewBackoff, failures, random);
      }
      await delay(this.#clock, waitMs, signal);
    }
  }

  #armExpiry(term: Term): void {
    term.cancelExpiry();
    const leftMs = term.until - this.#clock.monotonic();
    term.cancelExpiry = this.#clock.setTimeout(() => this.#endTerm(term, 'the lease was not renewed in time'), leftMs);
  }

  #endTerm(term: Term, reason: string): void {
    if (this.#term !== term) return;
    this.#term = undefined;
    term.cancelExpiry();
    term.stop.abort(new NotLeadingError());
    const { logger, identity, onStoppedLeading } = this.#options;
    logger.info({ identity, reason }, 'not leading any more');
    try {
      onStoppedLeading?.(reason);
    } catch (error) {
      logger.error({ error }, 'the handler of the end of a term failed');
    }
  }

  #giveBack(holder: string): Promise<void> {
    const term = this.#term;
    if (term) {
      this.#standAsideUntil = this.#clock.monotonic() + this.#durationMs;
      this.#endTerm(term, holder === '' ? 'released' : `handed over to ${holder}`);
      this.#givingBack = this.#writeHolder(term, holder);
    }
    return this.#givingBack;
  }

  async #writeHolder(term: Term, holder: string): Promise<void> {
    const { logger, identity } = this.#options;
    const over = new AbortController();
    // Between the ends of the work and of the lease's time, whichever is first.
    const work = this.#work.then(() => over.abort());
    await Promise.race([work, delay(this.#clock, term.until - this.#clock.monotonic(), over.signal)]);
    const timeoutMs = term.until - this.#clock.monotonic();
    // The work goes on, or the lease may be another's: let it run out by itself.
    if (!over.signal.aborted || timeoutMs <= 0) return;
    const now = this.#time();
    const spec: LeaseSpec =
      holder === ''
        ? { holderIdentity: '', leaseDurationSeconds: 1, renewTime: now }
        : { holderIdentity: holder, acquireTime: now, renewTime: now, leaseTransitions: term.lease.transitions + 1 };
    try {
      await this.#access.patchHeldBy(identity, term.lease, spec, { timeoutMs });
    } catch (error) {
      logger.warn({ error }, 'cannot give the lease back: it will run out');
    }
  }

  #renewal(): LeaseSpec {
    return { holderIdentity: this.#options.identity, leaseDurationSeconds: Math.ceil(this.#durationMs / 1000), renewTime: this.#time() };
  }

  #claim(transitions: number): LeaseSpec {
    return { ...this.#renewal(), acquireTime: this.#time(), leaseTransitions: transitions };
  }

  #time(): string {
    return microTime(this.#clock.now() + this.#options.client.clockOffsetMs);
  }
}

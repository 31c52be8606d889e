import { backoffMs } from '../kube/backoff.ts';
import { delay } from '../kube/clock.ts';
import { HostError, HostSocketDead } from './host-errors.ts';
import { OrderFailed, orderFailedBy } from './order-failed.ts';
import { applySettings, withOwnSettings } from './settings.ts';
import type { ActionResult, UpdateHost } from './update-host.ts';

const firstWithinMs = 5_000;
const jitter = 0.1;
const failureBackoff = { baseMs: 10_000, maxMs: 15 * 60_000, jitter: 0.5 };
/** Nobody but us is troubled, and the node is held meanwhile. */
const unreachableBackoff = { baseMs: 1_000, maxMs: 60_000, jitter: 0.5 };

/** Asks the host for news every so often, ±10 %, and soon after a start; after failures more and more rarely. */
export class Refreshes {
  readonly #update: UpdateHost;
  readonly #random: () => number;
  /** Drawn anew after each refresh. */
  #share: number;
  #startedAt: number;
  #failures = 0;
  #failedAt = 0;

  constructor(update: UpdateHost, random: () => number) {
    this.#update = update;
    this.#random = random;
    this.#share = random();
    this.#startedAt = update.clock.monotonic();
  }

  /** The host has booted: what it said before is of no use. */
  startAnew(): void {
    this.#update.refreshedAt = undefined;
    this.#startedAt = this.#update.clock.monotonic();
    this.#failures = 0;
  }

  /** Whether the host is to ignore its waves while it is asked; a change of mind is news to be asked for soon. */
  ignoreWaves(ignore: boolean): void {
    if (this.#update.pastWaves === ignore) return;
    this.#update.pastWaves = ignore;
    this.startAnew();
  }

  /** Resolves with the time until the next one is due, in milliseconds. */
  async refreshIfDue(intervalMs: number, signal: AbortSignal): Promise<number> {
    this.#noticeLoss();
    if (this.#waitMs(intervalMs) <= 0) await this.#refresh(signal);
    return Math.max(0, this.#waitMs(intervalMs));
  }

  /** An order has not reached the host: it is asked soon, as after a refresh that has not. */
  #noticeLoss(): void {
    if (this.#failures > 0 || this.#update.refreshedAt === undefined || !this.#isLost) return;
    this.#failures = 1;
    this.#failedAt = this.#update.clock.monotonic();
  }

  get #isLost(): boolean {
    return this.#update.notebook.status.refreshError?.code === 'HostUnreachable';
  }

  #waitMs(intervalMs: number): number {
    return this.#dueAt(intervalMs) - this.#update.clock.monotonic();
  }

  #dueAt(intervalMs: number): number {
    const { refreshedAt } = this.#update;
    if (this.#failures > 0) {
      const most = this.#isLost ? unreachableBackoff : failureBackoff;
      const backoff = { ...most, maxMs: Math.min(most.maxMs, intervalMs) };
      return this.#failedAt + backoffMs(backoff, this.#failures, () => this.#share);
    }
    if (refreshedAt === undefined) return this.#startedAt + Math.min(firstWithinMs, intervalMs * jitter) * this.#share;
    return refreshedAt + intervalMs * (1 - jitter + 2 * jitter * this.#share);
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { clock, logger, notebook } = this.#update;
    this.#share = this.#random();
    const failure = await this.#tryRefresh(signal);
    if (failure === undefined) {
      this.#failures = 0;
      notebook.note({ refreshError: null });
      return;
    }
    this.#failures += 1;
    this.#failedAt = clock.monotonic();
    logger.warn({ code: failure.code, failures: this.#failures, error: failure }, 'refresh failed');
    this.#update.noteTrouble(failure);
  }

  async #tryRefresh(signal: AbortSignal): Promise<OrderFailed | undefined> {
    try {
      this.#update.reviewProof(await this.#update.settledStatus(signal, this.#update.timings.actionMs.refresh));
      const { command } = this.#update.pastWaves ? await this.#refreshPastWaves(signal) : await this.#update.refresh(signal);
      return command.succeeded ? undefined : new OrderFailed('RefreshFailed', `refresh failed: ${command.stderr}`);
    } catch (error) {
      if (error instanceof OrderFailed) return error;
      if (!(error instanceof HostError) || error instanceof HostSocketDead) throw error;
      return orderFailedBy(error, 'RefreshFailed');
    }
  }

  async #refreshPastWaves(signal: AbortSignal): Promise<ActionResult> {
    const { client, clock, timings } = this.#update;
    if ((await client.updateSettings(signal)).ignoreWaves === true) return this.#update.refresh(signal, true);
    return withOwnSettings(this.#update, signal, async () => {
      await applySettings(this.#update, { ignoreWaves: true }, signal);
      // The updater reads its settings some time after the commit; if this was too early, the next refresh will see more.
      await delay(clock, timings.settlePollMs, signal);
      signal.throwIfAborted();
      return this.#update.refresh(signal, true);
    });
  }
}

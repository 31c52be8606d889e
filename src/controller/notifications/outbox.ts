import type { Notification } from '../../core/notifications/notification.ts';
import { backoffMs } from '../../kube/backoff.ts';
import { type Clock, delay } from '../../kube/clock.ts';
import type { Logger } from '../../kube/logger.ts';
import { WebhookError } from './webhook-error.ts';

/** What became of a notification, or of one attempt (`failed`: it is tried again). */
export type Outcome = 'sent' | 'failed' | 'dropped';

export interface OutboxDeps {
  webhook: string;
  /** One attempt; rejects with a WebhookError. */
  send: (notification: Notification, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  random: () => number;
  logger: Logger;
  onOutcome: (outcome: Outcome) => void;
  /** Is told how many wait, whenever that changes. */
  onWaiting: (waiting: number) => void;
  /** Is told when a notification is done with, sent or dropped. */
  onSettled: (notification: Notification) => void;
}

/** So many notifications wait for one webhook; of more the oldest are dropped. */
export const MAX_WAITING = 100;
/** After so long in the queue a notification is dropped, in milliseconds. */
export const MAX_WAIT_MS = 3_600_000;
const BACKOFF = { baseMs: 1_000, maxMs: 300_000, jitter: 0.2 };

interface Letter {
  notification: Notification;
  since: number;
}

/** What is to be told to one webhook: in order, one at a time, tried again with a backoff, bounded in number and time. Nobody waits for it. */
export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #letters = new Map<string, Letter>();
  readonly #stop = new AbortController();
  #sending: Promise<void> | undefined;
  #underWay: Letter | undefined;
  #failures = 0;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  /** Takes a notification, unless it waits already. */
  put(notification: Notification): void {
    if (this.#stop.signal.aborted || this.#letters.has(notification.id)) return;
    this.#letters.set(notification.id, { notification, since: this.#deps.clock.monotonic() });
    this.#deps.onWaiting(this.#letters.size);
    if (this.#letters.size > MAX_WAITING) this.#drop(this.#oldest(), 'more wait than the queue holds');
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Sends nothing more: what waits is left to whoever leads next. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#sending;
    this.#deps.onWaiting(0);
  }

  async #send(): Promise<void> {
    const { clock, onOutcome, onSettled, onWaiting, send } = this.#deps;
    const { signal } = this.#stop;
    for (let letter = this.#oldest(); letter !== undefined && !signal.aborted; letter = this.#oldest()) {
      if (clock.monotonic() - letter.since >= MAX_WAIT_MS) {
        this.#drop(letter, 'it has waited for too long');
        continue;
      }
      this.#underWay = letter;
      const failure = await send(letter.notification, signal).then(
        () => undefined,
        (error: unknown) => asWebhookError(error),
      );
      this.#underWay = undefined;
      if (signal.aborted && failure !== undefined) return;
      if (failure === undefined) {
        this.#failures = 0;
        this.#letters.delete(letter.notification.id);
        onOutcome('sent');
        onWaiting(this.#letters.size);
        onSettled(letter.notification);
        continue;
      }
      this.#failures += 1;
      if (failure.retryable) await delay(clock, this.#setBack(letter, failure), signal);
      else this.#drop(letter, failure.message);
    }
  }

  /** Tells of a failed attempt; returns how long to wait, in milliseconds. */
  #setBack({ notification: { id } }: Letter, { message: why, retryAfterMs = 0 }: WebhookError): number {
    const { logger, onOutcome, random, webhook } = this.#deps;
    const againInMs = Math.round(Math.max(backoffMs(BACKOFF, this.#failures, random), retryAfterMs));
    onOutcome('failed');
    logger.warn({ webhook, why, againInMs, id }, 'a notification was not taken; it is sent again');
    return againInMs;
  }

  /** The oldest that is not just being sent. */
  #oldest(): Letter | undefined {
    for (const letter of this.#letters.values()) if (letter !== this.#underWay) return letter;
    return undefined;
  }

  #drop(letter: Letter | undefined, why: string): void {
    if (letter === undefined || !this.#letters.delete(letter.notification.id)) return;
    const { id, type, policy, node } = letter.notification;
    this.#deps.onOutcome('dropped');
    this.#deps.onWaiting(this.#letters.size);
    this.#deps.logger.error({ webhook: this.#deps.webhook, id, type, policy, node, why }, 'a notification was dropped');
    this.#deps.onSettled(letter.notification);
  }
}

/** What else goes wrong (it leads no longer) says nothing about the receiver. */
const asWebhookError = (error: unknown): WebhookError =>
  error instanceof WebhookError ? error : new WebhookError('it could not be sent by this controller');

import type { Decision } from '../../core/command.ts';
import type { Notification } from '../../core/notifications/notification.ts';
import { notify, type Settled } from '../../core/notifications/notify.ts';
import type { Instant, World } from '../../core/world.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/logger.ts';
import type { NotificationsConfig, Webhook } from './config.ts';
import { Outbox, type Outcome } from './outbox.ts';
import { payloadOf } from './payload.ts';
import { post } from './post.ts';
import { readReceiver } from './receiver.ts';

export interface NotifierDeps {
  config: NotificationsConfig;
  clock: Clock;
  random: () => number;
  /** Milliseconds since the epoch by the API server's clock. */
  now: () => number;
  logger: Logger;
  /** Throws where this replica leads no longer. */
  assertLeading: () => void;
  /** There is something to write down. */
  changed: () => void;
  onOutcome: (webhook: string, outcome: Outcome) => void;
  onWaiting: (webhook: string, waiting: number) => void;
}

/** So long one attempt may take, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Many times what all policies of a cluster come to; what is beyond it may be told twice. */
const MAX_UNWRITTEN = 1_024;

/** Tells webhooks what a leader's decisions come to; in the background, and at most so much of it as its bounds allow. */
export class Notifier {
  readonly #deps: NotifierDeps;
  readonly #outboxes: ReadonlyMap<string, Outbox>;
  /** What webhooks are done with, and no persisted status says yet. */
  #settled: readonly Settled[] = [];

  constructor(deps: NotifierDeps) {
    this.#deps = deps;
    this.#outboxes = new Map(deps.config.webhooks.map((webhook) => [webhook.name, this.#outboxOf(webhook)]));
  }

  /** Sends what is to be told now, and gives the decision with what webhooks are done with in it. */
  review(world: World, decision: Decision, at: Instant): Decision {
    const { webhooks: audience, windowNoticeMs } = this.#deps.config;
    const notices = notify(world, decision, this.#settled, { audience, windowNoticeMs }, at);
    this.#settled = notices.unwritten;
    for (const { webhook, notification } of notices.due) this.#outboxes.get(webhook)?.put(notification);
    return notices.decision;
  }

  /** Sends nothing more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.stop()));
  }

  #outboxOf(webhook: Webhook): Outbox {
    const { config, assertLeading, now, changed, onOutcome, onWaiting, ...deps } = this.#deps;
    return new Outbox({
      ...deps,
      webhook: webhook.name,
      send: async (notification, signal) => {
        const receiver = await readReceiver(config.folder, webhook.name);
        // One that was frozen must not tell what others have told meanwhile.
        assertLeading();
        const payload = payloadOf(webhook.format, notification, config.cluster);
        await post(receiver, payload, { now: now(), timeoutMs: TIMEOUT_MS, proxy: config.proxy, signal });
      },
      onOutcome: (outcome) => onOutcome(webhook.name, outcome),
      onWaiting: (waiting) => onWaiting(webhook.name, waiting),
      onSettled: ({ policyUID, id }: Notification) => {
        this.#settled = [...this.#settled, { policyUID, id, webhook: webhook.name, at: now() }].slice(-MAX_UNWRITTEN);
        changed();
      },
    });
  }
}

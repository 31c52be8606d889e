import { API_VERSION } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Logger } from '../kube/logger.ts';
import { visible } from '../kube/visible.ts';

/** What an Event is about. */
export type EventTarget =
  | { kind: 'Node' | 'UpdatePolicy'; name: string; uid: string; namespace?: never }
  | { kind: 'Pod'; namespace: string; name: string; uid: string };

/** One Event, as `kubectl describe` shows it. */
export interface EventNote {
  about: EventTarget;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** Writes Events; never in the way of the work, and bounded: what cannot be written is dropped. */
export class EventRecorder {
  readonly #client: Pick<KubeClient, 'create'>;
  readonly #instance: string;
  readonly #now: () => number;
  readonly #logger: Logger;
  readonly #waiting: { path: string; event: object; reason: string }[] = [];
  #sending = 0;
  #sequence = 0;

  constructor(client: Pick<KubeClient, 'create'>, instance: string, now: () => number, logger: Logger) {
    this.#client = client;
    this.#instance = instance;
    this.#now = now;
    this.#logger = logger;
  }

  /** Sends an Event in the background; false where too many are under way. */
  record({ about, type, reason, message }: EventNote): boolean {
    if (this.#sending + this.#waiting.length >= MAX_PENDING) return false;
    const at = this.#now();
    this.#sequence += 1;
    const time = new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
    // Where `kubectl describe` looks for those of objects without a namespace.
    const namespace = about.namespace ?? 'default';
    const event = {
      metadata: { name: `${about.name.slice(0, 200)}.${at.toString(16)}${this.#sequence.toString(16)}`, namespace },
      involvedObject: { apiVersion: about.kind === 'UpdatePolicy' ? API_VERSION : 'v1', ...about },
      type,
      reason,
      // Event messages are printed as they are by more than one program.
      message: visible(message).slice(0, 1000),
      source: { component: 'lockkeeper' },
      reportingComponent: 'lockkeeper.dev/controller',
      reportingInstance: this.#instance.slice(0, 128),
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    this.#waiting.push({ path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`, event, reason });
    this.#send();
    return true;
  }

  #send(): void {
    while (this.#sending < MAX_SENDING) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#sending += 1;
      this.#client
        .create(next.path, next.event)
        .catch((error) => this.#logger.debug({ error, reason: next.reason }, 'an Event could not be written'))
        .finally(() => {
          this.#sending -= 1;
          this.#send();
        });
    }
  }
}

const MAX_PENDING = 256;
/** Their connections are the Lease's, too: where Events hang, it is renewed all the same. */
const MAX_SENDING = 8;

import type { BlockedPod } from '../api/node-update.ts';
import type { BarredPod } from '../core/command.ts';
import type { PodView } from '../core/world.ts';
import type { EventRecorder, EventTarget } from './events.ts';

/** The API server forgets an Event after an hour unless told otherwise: what still holds is told again before that. */
const AGAIN_MS = 30 * 60_000;
/** Of so many pods it is known what their owners were told; beyond that the oldest are forgotten, and told again. */
const MAX_KNOWN = 4_096;

/** Which drain a pod holds up. */
export interface HeldDrain {
  node: string;
  /** The version that the node is updated to. */
  to?: string | undefined;
}

/** Tells the owners of pods that hold up a drain, by an Event on each pod: once for each reason, and again while it lasts. */
export class BlockedPodEvents {
  readonly #events: Pick<EventRecorder, 'record'>;
  readonly #now: () => number;
  /** What was last told of a pod, by its uid, the oldest first. */
  readonly #told = new Map<string, { what: string; at: number }>();

  constructor(events: Pick<EventRecorder, 'record'>, now: () => number) {
    this.#events = events;
    this.#now = now;
  }

  /** Tells that a pod is blocked, unless that was told a short while ago. */
  tell({ namespace, name, uid }: PodView, blocked: BlockedPod, { node, to }: HeldDrain): void {
    const message = `${node} is drained for ${updateTo(to)}, and waits for this pod. ${help(blocked)} (${blocked.reason}: ${blocked.message ?? ''})`;
    this.#tell({ kind: 'Pod', namespace, name, uid }, `${blocked.reason} ${blocked.budget ?? ''}`, message);
  }

  /** Tells that a node is not even cordoned as long as a pod may not be evicted, unless that was told a short while ago. */
  tellBarred({ pod: { namespace, name, uid }, why }: BarredPod, { node, to }: HeldDrain): void {
    const message = `${node} waits with ${updateTo(to)} until this pod may be evicted; it belongs to ${why}.`;
    this.#tell({ kind: 'Pod', namespace, name, uid }, why, message);
  }

  #tell(about: EventTarget & { uid: string }, what: string, message: string): void {
    const { uid } = about;
    const at = this.#now();
    const before = this.#told.get(uid);
    if (before?.what === what && at - before.at < AGAIN_MS) return;
    // What was dropped is told at the next refusal.
    if (!this.#events.record({ about, type: 'Warning', reason: 'EvictionBlocked', message })) return;
    this.#told.delete(uid);
    this.#told.set(uid, { what, at });
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= MAX_KNOWN) break;
      this.#told.delete(oldest);
    }
  }
}

const updateTo = (version: string | undefined): string => (version === undefined ? 'its update' : `its update to ${version}`);

/** What the pod's owner could do. */
function help({ reason, budget }: BlockedPod): string {
  switch (reason) {
    case 'DisruptionBudget':
      return `It goes once ${budget === undefined ? 'its PodDisruptionBudget' : `the PodDisruptionBudget ${budget}`} allows a disruption: unhealthy pods that recover, another replica or a larger maxUnavailable would help.`;
    case 'MoreThanOneBudget':
      return `No pod of several PodDisruptionBudgets can be evicted: change the selectors of ${budget ?? 'these'} so that one of them covers it.`;
    case 'BlockedByWebhook':
      return 'An admission webhook refuses its eviction, or does not answer: ask whoever runs it.';
    case 'NamespaceTerminating':
      return 'Its namespace is being deleted, and it should go with it.';
    case 'Throttled':
    case 'ServerError':
    case 'NoAnswer':
      return 'Its eviction is tried again by itself.';
    default:
      return 'The API server refuses its eviction: see its words.';
  }
}

import type { NotificationType } from '../../api/notifications.ts';
import { ADVICE, type Reason } from '../reasons.ts';
import type { Instant } from '../world.ts';

/** What webhooks are told: one fact about a policy or a node, with the one reason that status shows for it. */
export interface Notification {
  /** The same for as long as the fact is, whoever tells it: what receivers know repeats by. */
  id: string;
  type: NotificationType;
  /** Since when it is so, or, of a window, from when on it is worth saying. */
  at: Instant;
  policy: string;
  policyUID: string;
  node?: string;
  reason: Reason;
  message: string;
  /** What a person can do. */
  advice: string;
}

/**
 * An id: what it is about, and since when. Two that differ only in the latter are the same trouble again.
 * The parts are names and uids of the API server's, none of which holds an `@`.
 */
export const idOf = (type: NotificationType, about: readonly string[], since: string): string => `${[type, ...about].join('/')}@${since}`;

/** What an id is about, without since when. */
export const subjectOf = (id: string): string => id.slice(0, id.lastIndexOf('@'));

/** The type that an id begins with. */
export const typeOf = (id: string): string => id.slice(0, id.indexOf('/'));

/** The advice for a reason, with the names put in. */
export const adviceOn = (reason: Reason, names: { policy: string; node?: string }): string =>
  ADVICE[reason].replaceAll(/\b(NODE|POLICY)\b/g, (word) => (word === 'NODE' ? (names.node ?? word) : names.policy));

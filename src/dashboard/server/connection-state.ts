import { explain, NotInstalledError } from '../../cli/errors.ts';
import type { Clock } from '../../kube/clock.ts';
import { CredentialsError } from '../../kube/credentials.ts';
import { ApiError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/logger.ts';
import type { Connection, MissingRight } from '../wire.ts';

/** A collection that is watched, for people and for RBAC. */
export interface Watched {
  /** As in `kubectl auth can-i list RESOURCE`. */
  resource: string;
  /** What is not shown without it. */
  hides: string;
  /** One of our own kinds: where the API server does not know it, Lockkeeper is not installed. */
  ours: boolean;
}

/** How one watch is: a logger for its reflector, and what to call as it gets on. */
export interface WatchState {
  logger: Logger;
  connected(): void;
}

/** How the watches get on, as one word for the page. */
export interface ConnectionState {
  watch(watched: Watched, isSynced: () => boolean): WatchState;
  current(): Omit<Connection, 'heardAt'>;
  missing(): readonly MissingRight[];
}

interface Known extends Watched {
  isSynced: () => boolean;
  open: boolean;
  error?: unknown;
}

/** Follows what the watches say of themselves; calls `changed` whenever that may be news. */
export function connectionState(clock: Clock, changed: () => void): ConnectionState {
  const all: Known[] = [];
  let told: Omit<Connection, 'heardAt'> = { state: 'connecting', since: clock.now() };
  return {
    watch(watched, isSynced) {
      const known: Known = { ...watched, isSynced, open: false };
      all.push(known);
      const wrong = (fields: object): void => {
        if (!('error' in fields) || !isOfTheConnection(fields.error)) return;
        known.open = false;
        known.error = fields.error;
        changed();
      };
      return {
        logger: { debug() {}, info() {}, warn: wrong, error: wrong },
        connected() {
          known.open = true;
          known.error = undefined;
          changed();
        },
      };
    },
    current() {
      const now = stateOf(all);
      if (now.state !== told.state || now.message !== told.message)
        told = { ...now, since: now.state === told.state ? told.since : clock.now() };
      return told;
    },
    missing: () => all.flatMap(missingOf),
  };
}

/** What cannot be projected is one object's trouble: it has no status of the API server's, and no credentials. */
const isOfTheConnection = (error: unknown): boolean => error instanceof Error && 'retryable' in error;

const isForbidden = (error: unknown): boolean => error instanceof ApiError && error.status === 403;

function missingOf({ error, resource, hides, isSynced }: Known): MissingRight[] {
  return isForbidden(error) ? [{ verb: isSynced() ? 'watch' : 'list', resource, hides }] : [];
}

function stateOf(all: readonly Known[]): Pick<Connection, 'state' | 'message'> {
  const bad = all.filter(({ error }) => error !== undefined && !isForbidden(error));
  const unauthorized = bad.find(({ error }) => (error instanceof ApiError && error.status === 401) || error instanceof CredentialsError);
  if (unauthorized !== undefined) return { state: 'unauthorized', message: explain(unauthorized.error) };
  const absent = bad.find(({ error, ours }) => ours && error instanceof ApiError && error.status === 404);
  if (absent !== undefined) return { state: 'notInstalled', message: explain(new NotInstalledError()) };
  if (bad[0] !== undefined) return { state: 'broken', message: explain(bad[0].error) };
  return { state: all.every(({ open, error }) => open || isForbidden(error)) ? 'live' : 'connecting' };
}

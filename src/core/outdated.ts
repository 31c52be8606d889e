import type { NodeUpdateStatus } from '../api/node-update.ts';
import { asReason, type Reason } from './reasons.ts';
import { isCurrent } from './target.ts';
import { type Instant, instant, type NodeView } from './world.ts';

/** How long after it registered a node's agent may take to say what its host runs and is offered. */
const FIRST_REPORT_MS = 5 * 60_000;

/** The update of a node goes on, or comes by itself when others are through. Whatever else holds one may last. */
const ITS_TURN: ReadonlySet<Reason> = new Set([
  'AwaitingStagingSlot',
  'Staging',
  'Preflight',
  'Claimed',
  'CapacityReached',
  'AwaitingGroup',
  'AwaitingZone',
  'LeaderLast',
  'HandingOver',
  'CheckPending',
]);

/** Of these, what the others' updates must end for. */
const OTHERS_TURN: ReadonlySet<Reason> = new Set(['CapacityReached', 'AwaitingGroup', 'AwaitingZone', 'LeaderLast']);
/** A drain that is held for as long as it takes. */
const HELD: ReadonlySet<Reason> = new Set(['DrainHeld', 'ForceForbidden']);

/**
 * Whether a node in flight may stay there until a person comes, or its pods find a place, perhaps on the very node that waits for it:
 * what waits for its turn may wait for ever.
 */
export function isStuck({ phase, reason }: NodeUpdateStatus): boolean {
  const why = asReason(reason);
  return phase === 'Failed' || (why !== undefined && HELD.has(why));
}

/** What becomes of the taint with which a node registered so as to be updated before it takes work. */
export interface Taint {
  /** The node is at its target, or held by anything but its turn: it is to take work. */
  remove: boolean;
  /** When that changes by time alone. */
  until?: Instant;
}

/**
 * Whether a node that carries the taint `lockkeeper.dev/outdated` is to lose it, by the status that was decided for it; `stuck` says
 * whether a node of its policy is.
 */
export function outdatedTaint(node: NodeView, status: NodeUpdateStatus, now: Instant, stuck = false): Taint {
  if (node.outdated !== true) return { remove: false };
  switch (status.phase) {
    case 'Draining':
    case 'Rebooting':
    case 'Verifying':
    case 'RollingBack':
    case 'Uncordoning':
      return { remove: false };
    case 'Idle':
    case 'Staging':
    case 'Staged': {
      const reason = asReason(status.reason);
      if (reason !== undefined && ITS_TURN.has(reason)) return { remove: stuck && OTHERS_TURN.has(reason) };
      // What it should run is not known before its agent has said what there is.
      const until = instant(node.createdAt) + FIRST_REPORT_MS;
      const early = reason === 'AwaitingReport' || reason === 'AgentMissing' || isCurrent(status);
      return early && !hasReported(node) && until > now ? { remove: false, until } : { remove: true };
    }
    case undefined:
    case 'Soaking':
    case 'Blocked':
    case 'RolledBack':
    case 'Failed':
      return { remove: true };
  }
}

const hasReported = ({ bootID, host }: NodeView): boolean => host?.status.bootID === bootID && host.status.available !== undefined;

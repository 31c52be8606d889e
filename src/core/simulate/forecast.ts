import type { Phase } from '../../api/node-update.ts';
import { decide } from '../decide.ts';
import { asReason, type Reason } from '../reasons.ts';
import type { Instant, World } from '../world.ts';

/** How long things take on one node, in milliseconds. */
export interface Durations {
  /** From the Stage order to the proof. */
  stagingMs: number;
  /** From the first eviction until the last pod is gone, and its volumes are detached. */
  drainMs: number;
  /** From the request for the reboot until the kubelet reports the new boot. */
  rebootMs: number;
  /** From then until the node is Ready. */
  readyMs: number;
  /** One hook's Job. */
  hookMs: number;
}

/** What a forecast takes for granted, besides that nothing goes wrong and nobody meddles. */
export interface Assumptions {
  /** By the node's name, for some nodes are known to be slower than others. */
  durationsOf: (node: string) => Durations;
  /** Where to stop looking ahead. */
  until: Instant;
}

/** Why a node was where it was, from a time on. */
export interface Stay {
  at: Instant;
  phase: Phase;
  reason: Reason;
  message: string;
}

/** What becomes of one node. */
export interface NodeForecast {
  node: string;
  policy?: string;
  from?: string;
  /** The version that it runs at the end of the forecast. */
  to?: string;
  stagedAt?: Instant;
  claimedAt?: Instant;
  cordonedAt?: Instant;
  drainedAt?: Instant;
  rebootedAt?: Instant;
  uncordonedAt?: Instant;
  /** What it waited for, a stay for each change of phase or reason; the last one holds at the end of the forecast. */
  stays: readonly Stay[];
}

/** What happens if everything goes as assumed. */
export interface Forecast {
  startsAt: Instant;
  /** In the order in which they are claimed; then those that never are, by name. */
  nodes: readonly NodeForecast[];
  /** When the last node was given back, and had soaked; absent where something keeps it from ending. */
  endsAt?: Instant;
  /** Nodes that are behind at the end of the forecast, or still in flight: their last stay says why. */
  left: readonly string[];
}

/**
 * Runs the decision of the controller in virtual time, from a real cluster as it is now to the end of all rollouts: without faults,
 * without people, without new nodes or releases. Deterministic; `world` is left as it is.
 */
export function forecast(world: World, now: Instant, _assumptions: Assumptions): Forecast {
  const nodes = decide(world, now).nodes.map(({ node, status }): NodeForecast => {
    const { phase = 'Idle', reason, message = '', policy, from } = status;
    return {
      node,
      ...(policy !== undefined && { policy }),
      ...(from !== undefined && { from }),
      stays: [{ at: now, phase, reason: asReason(reason) ?? 'NoPolicy', message }],
    };
  });
  const left = nodes.filter(({ stays }) => stays.at(-1)?.reason !== 'UpToDate').map(({ node }) => node);
  return { startsAt: now, nodes, left, ...(left.length === 0 && { endsAt: now }) };
}

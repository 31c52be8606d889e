import type { CordonRecord } from '../../api/cordon-record.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import type { UpdatePolicySpec } from '../../api/update-policy.ts';
import type { ByHand } from '../by-hand.ts';
import type { Command, DrainDecision, JobRef, Verdict } from '../command.ts';
import { type Instant, instant, type NodeView, type World } from '../world.ts';

/** A node that carries our record: everything that a step of its flight looks at. */
export interface Flight {
  world: World;
  node: NodeView;
  record: CordonRecord;
  /** The NodeUpdate's status; empty where it is gone or belongs to an earlier claim. */
  status: NodeUpdateStatus;
  byHand: ByHand;
  /** A `retry` token was not acted upon yet. */
  retried: boolean;
  /** The tokens as they are kept once they have been acted upon. */
  tokens: NodeUpdateStatus['tokens'];
  /** The policy that claimed the node is gone or going: the node is taken back as long as its reboot was not asked. */
  orphaned: boolean;
  /** Its policy's schedule has closed, and the policy says `onClose: Release`: the node is taken back as long as its reboot was not asked. */
  closed: Verdict | undefined;
  /** A `skip` token was not acted upon yet. */
  skipped: boolean;
  /** Of the policy as it is now: what it says of a drain that takes too long, and whether it is paused. */
  onTimeout: UpdatePolicySpec['drain']['onTimeout'];
  policyPaused: boolean;
  now: Instant;
}

/** What a step does: at most one change of phase, its commands, and what the next decision needs to see. */
export interface Step {
  status: NodeUpdateStatus;
  commands: readonly Command[];
  drain?: DrainDecision;
  lookAt?: boolean;
  jobs?: readonly JobRef[];
  until?: Instant | undefined;
}

export const rebootOrderID = (record: { claim: string }): string => `${record.claim}.reboot`;
export const cancelOrderID = (claim: string): string => `${claim}.cancel`;

/** The node runs under another boot ID than the one that its update began with. */
export const hasRebooted = ({ node, record }: Pick<Flight, 'node' | 'record'>): boolean =>
  node.bootID !== '' && node.bootID !== record.bootID;

/** Our Reboot order lies in the letterbox. */
export const rebootOrdered = ({ node, record }: Flight): boolean => node.host?.spec.order?.id === rebootOrderID(record);

/** The agent's answer to our Reboot order, if it has given one. */
export function rebootAnswer({ node, record }: Flight) {
  const answer = node.host?.status.answer;
  return answer?.id === rebootOrderID(record) ? answer : undefined;
}

/** The agent has written the fence: from here on only another boot ID, or the deadline, ends the wait. */
export const rebootAsked = (flight: Flight): boolean => rebootAnswer(flight)?.state === 'RebootAsked';

/** Until when another boot ID is waited for; by the record alone where the status that held it is lost. */
export function rebootDeadline({ status, record }: Flight): Instant {
  const deadline = status.deadlines?.reboot;
  return deadline === undefined ? instant(record.drainDeadline) + record.rebootTimeoutMs : instant(deadline);
}

/** Our Cancel lies in the letterbox: the node is on its way back whatever its status says. */
export const cancelled = ({ node, record }: Pick<Flight, 'node' | 'record'>): boolean =>
  node.host?.spec.order?.id === cancelOrderID(record.claim);

/** Cancels whatever lies in the letterbox; nothing where another boot has made every order void, or where it is cancelled already. */
export const cancel = (flight: Flight): Command[] =>
  hasRebooted(flight) || flight.node.host === undefined || cancelled(flight)
    ? []
    : [{ type: 'Order', order: { id: cancelOrderID(flight.record.claim), action: 'Cancel' } }];

/** A step that only explains. */
export const stay = (status: NodeUpdateStatus, verdict: Verdict, more: Omit<Partial<Step>, 'status'> = {}): Step => ({
  status,
  commands: [],
  until: verdict.until,
  ...more,
});

/** Cordons again where somebody uncordoned a node in flight. */
export const keepCordoned = ({ node }: Flight): Command[] => (node.unschedulable ? [] : [{ type: 'CordonAgain' }]);

/** Fields that say whose flight this is; written with the first status of the flight. */
export function inFlight({ record }: Pick<Flight, 'record'>) {
  return {
    policy: record.policy,
    claim: record.claim,
    from: record.from,
    target: record.target,
    bootIDBefore: record.bootID,
    deadlines: { drain: record.drainDeadline },
    retryAt: undefined,
    next: undefined,
    because: undefined,
  };
}

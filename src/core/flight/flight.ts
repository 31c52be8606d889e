import { type CordonRecord, isRebootOnly } from '../../api/cordon-record.ts';
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
  /** On the way back: the record as it is, of the update that failed. */
  there?: CordonRecord;
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

/** The way back has orders of its own, and anew under each boot that it begins under: none that was answered before is meant. */
const orderPrefix = ({ claim, rollback }: Pick<CordonRecord, 'claim' | 'rollback'>): string =>
  rollback === undefined ? claim : `${claim}.back-${rollback.bootID.slice(0, 36)}`;

export const rebootOrderID = (record: Pick<CordonRecord, 'claim' | 'rollback'>): string => `${orderPrefix(record)}.reboot`;
export const stageOrderID = (record: Pick<CordonRecord, 'claim' | 'rollback'>): string => `${orderPrefix(record)}.stage`;
export const cancelOrderID = (record: Pick<CordonRecord, 'claim' | 'rollback'>): string => `${orderPrefix(record)}.cancel`;

/** What a Reboot order asks of the agent, in words. */
export const rebootWork = (record: CordonRecord): string =>
  isRebootOnly(record) ? 'reboot the host' : `activate ${record.target} and reboot`;

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
  if (deadline !== undefined) return instant(deadline);
  const before = record.rollback === undefined ? instant(record.drainDeadline) : stagingDeadline(record.rollback);
  return before + record.rebootTimeoutMs;
}

/** How long a node on its way back may take to stage what it ran before. */
const ROLLBACK_STAGING_MS = 30 * 60_000;

/** Until when a node on its way back must have staged what it ran before. */
export const stagingDeadline = ({ at }: NonNullable<CordonRecord['rollback']>): Instant => instant(at) + ROLLBACK_STAGING_MS;

/** What a record says of the way back: from what the node runs to what it ran, under the boot under which that began. The record itself where it has none. */
export function returnOf(record: CordonRecord): CordonRecord {
  const { rollback, from, target, daemonSetContainers = [] } = record;
  if (rollback === undefined) return record;
  const ended = [...daemonSetContainers, ...(rollback.daemonSetContainers ?? [])];
  return { ...record, from: target, target: from, bootID: rollback.bootID, daemonSetContainers: ended };
}

/** The version that has failed where an update does: what the node was brought to, also where it was to be taken back from that. */
export const failingVersion = ({ from, target, rollsBack }: CordonRecord): string => (rollsBack === true ? from : target);

/** A flight as its way back, where that has begun. */
export const wayBack = (flight: Flight): Flight =>
  flight.record.rollback === undefined ? flight : { ...flight, record: returnOf(flight.record), there: flight.record };

/** Our Cancel lies in the letterbox: the node is on its way back whatever its status says. */
export const cancelled = ({ node, record }: Pick<Flight, 'node' | 'record'>): boolean =>
  node.host?.spec.order?.id === cancelOrderID(record);

/** Cancels whatever lies in the letterbox; nothing where another boot has made every order void, or where it is cancelled already. */
export const cancel = (flight: Flight): Command[] =>
  hasRebooted(flight) || flight.node.host === undefined || cancelled(flight)
    ? []
    : [{ type: 'Order', order: { id: cancelOrderID(flight.record), action: 'Cancel' } }];

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

import type { CordonRecord } from '../api/cordon-record.ts';
import type { Failure, NodeUpdateStatus, Phase } from '../api/node-update.ts';
import type { Verdict } from './command.ts';
import { shortened } from './shortened.ts';
import { type Instant, instant, type NodeView, timestamp, toSecond } from './world.ts';

const MAX_FAILURES = 16;
const MAX_HISTORY = 10;
const MAX_MESSAGE = 1024;

/** Fields of a status that a step sets besides phase and verdict; `undefined` removes one. */
export type StatusChange = { [Key in keyof NodeUpdateStatus]?: NodeUpdateStatus[Key] | undefined };

/**
 * The status of a node that is now in a phase for a reason; `since` moves only when the phase does. The same object where that says
 * nothing new: of a fleet few nodes have news.
 */
export function enter(
  previous: NodeUpdateStatus,
  phase: Phase,
  verdict: Verdict,
  now: Instant,
  change: StatusChange = {},
): NodeUpdateStatus {
  const since = previous.phase === phase && previous.since !== undefined ? previous.since : timestamp(now);
  const message = shortened(verdict.message, MAX_MESSAGE);
  const same = previous.since === since && previous.reason === verdict.reason && previous.message === message;
  if (same && previous.phase === phase && hasAll(previous, change)) return previous;
  const merged: Record<string, unknown> = { ...previous, ...change, phase, reason: verdict.reason, message, since };
  const status: Record<string, unknown> = {};
  for (const key in merged) if (merged[key] !== undefined) status[key] = merged[key];
  return status as NodeUpdateStatus;
}

/** Whether a status was ever written: that of a node that registered anew, or whose NodeUpdate was removed, remembers nothing. */
export const hasMemory = (status: NodeUpdateStatus | undefined): boolean => status?.phase !== undefined;

function hasAll(status: NodeUpdateStatus, change: StatusChange): boolean {
  for (const key in change) if (status[key as keyof NodeUpdateStatus] !== change[key as keyof NodeUpdateStatus]) return false;
  return true;
}

/** Fields that only mean something while a node is in flight: removed when it is released. */
export const LANDED: StatusChange = {
  claim: undefined,
  next: undefined,
  because: undefined,
  bootIDBefore: undefined,
  drain: undefined,
  deadlines: undefined,
};

/** Until when a node soaks that is updated and schedulable again; undefined where it does not, or no longer. */
export function soakOf({ phase, next, deadlines }: NodeUpdateStatus, now: Instant): string | undefined {
  const soaks = phase === 'Soaking' || (phase === 'Uncordoning' && next === 'Soaking');
  return soaks && !passed(deadlines?.soak, now) ? deadlines?.soak : undefined;
}

/** The verdict of a node that soaks. */
export const soakingUntil = (version: string, until: string): Verdict => ({
  reason: 'Soaking',
  message: `runs ${version}, is schedulable again, and keeps its slot until ${toSecond(until)}`,
  until: instant(until),
});

/**
 * A node's failures with one more, remembered with what the node looked like, so that later news of it can be told. `rebooted`: its
 * kubelet has reported another boot, or is not Ready, after the reboot was asked.
 */
export function withFailure(
  previous: NodeUpdateStatus,
  node: NodeView,
  target: string,
  verdict: Verdict,
  now: Instant,
  rebooted = false,
): Failure[] {
  const failure: Failure = {
    target,
    at: timestamp(now),
    reason: verdict.reason,
    message: shortened(verdict.message, MAX_MESSAGE),
    bootID: node.bootID,
    readySince: node.ready.since,
    ...(rebooted && { rebooted }),
  };
  return [...withoutFailure(previous, target), failure].slice(-MAX_FAILURES);
}

/** A node's failures without those of one target. */
export function withoutFailure(previous: NodeUpdateStatus, target: string): Failure[] {
  return (previous.failures ?? []).filter((failure) => failure.target !== target);
}

/** The remembered failure of a target on a node. */
export function failureOf(status: NodeUpdateStatus | undefined, target: string): Failure | undefined {
  return status?.failures?.find((failure) => failure.target === target);
}

/**
 * A node's history with one more update that has ended. However many attempts have come since, the last that was brought about stays:
 * it says where the node came from, should its release be taken back.
 */
export function withHistory(
  previous: NodeUpdateStatus,
  { from, target: to, at: startedAt, urgent }: Pick<CordonRecord, 'from' | 'target' | 'at' | 'urgent'>,
  outcome: string,
  now: Instant,
) {
  const entry = { from, to, startedAt, finishedAt: timestamp(now), outcome, ...(urgent && { urgent }) };
  const all = [...(previous.history ?? []), entry];
  const kept = all.slice(-MAX_HISTORY);
  const updated = all.findLast((one) => one.outcome === 'Updated');
  return updated === undefined || kept.includes(updated) ? kept : [updated, ...kept.slice(1)];
}

/** Whether a time that a status carries has passed; one that is absent or unreadable has. */
export function passed(time: string | undefined, now: Instant): boolean {
  const at = time === undefined ? Number.NaN : instant(time);
  return !(at > now);
}

/** An empty list is left out of a status. */
export const emptyToAbsent = <T>(list: T[]): T[] | undefined => (list.length === 0 ? undefined : list);

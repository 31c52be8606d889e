import { durationMs } from '../../../api/primitives.ts';
import { type Instant, instant, timestamp } from '../../world.ts';
import type { Source } from './source.ts';
import { listed, nodesAre } from './words.ts';

/** The schedule is closed for good. */
export const neverOpens: Source = ({ facts: { schedule, problems } }) =>
  schedule.open || schedule.nextChange !== undefined || problems.length > 0
    ? undefined
    : { name: 'NeverOpens', endless: true, message: 'the schedule names no time to come at which nodes may be begun' };

/** A node does not fit into a window. */
export const windowTooShort: Source = ({ policy, facts }, { targets }, durations) => {
  const windows = policy.spec.schedule?.windows ?? [];
  const takes = Math.max(0, ...targets.map((os) => durations?.updateMs({ ...os, version: os.to }) ?? 0));
  const short = windows.filter(({ duration }) => durationMs(duration) < takes);
  if (short.length === 0 || facts.problems.length > 0) return undefined;
  const release = policy.spec.schedule?.onClose === 'Release';
  const open = `a node takes ${minutes(takes)}, and a window is open for ${short.map(({ duration }) => duration).join(', ')}`;
  return {
    name: 'WindowTooShort',
    endless: release && short.length === windows.length,
    message: release
      ? `${open}: a node whose host was not asked to reboot when it closes is given back (onClose: Release); make the window longer`
      : `${open}: nodes begun in it finish after it has closed (onClose: Finish)`,
  };
};

const minutes = (ms: number): string => `${Math.max(1, Math.ceil(ms / 60_000))} min`;

/** The plan does not look as far as that. */
export const beyondHorizon: Source = ({ until, facts }, { held }) => {
  const late = held.filter(({ reason }) => reason === 'OutsideWindow' || reason === 'InExclusion').map(({ node }) => node);
  if (late.length === 0 || facts.schedule.nextChange === undefined) return undefined;
  const message = `${nodesAre(late, 'is', 'are')} not reached by ${timestamp(until)}, which is as far as the plan looks: ${listed(late)}`;
  return { name: 'BeyondHorizon', endless: false, message, nodes: late };
};

/** Nodes that are overdue by the time that their turn comes. */
export const patchDeadline: Source = ({ policy, nodes }, { steps }) => {
  const { patchDeadline: deadline } = policy.spec;
  const since = new Map(nodes.map(({ name, update }) => [name, update?.status.behindSince]));
  const overdueAt = (node: string): Instant => instant(since.get(node) ?? '') + durationMs(deadline);
  const late = steps.filter(({ node, endsAt }) => instant(endsAt ?? '') > overdueAt(node)).map(({ node }) => node);
  if (late.length === 0) return undefined;
  return {
    name: 'PatchDeadlineMissed',
    endless: false,
    message: `${nodesAre(late, 'is', 'are')} updated later than patchDeadline allows (${deadline} behind): ${listed(late)}`,
    nodes: late,
  };
};

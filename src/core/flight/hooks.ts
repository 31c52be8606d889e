import type { CordonRecord } from '../../api/cordon-record.ts';
import type { HookPosition, HookStatus, RecordedHook } from '../../api/hook.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { durationMs } from '../../api/primitives.ts';
import type { UpdatePolicySpec } from '../../api/update-policy.ts';
import type { Command, HookRun, JobRef, Verdict } from '../command.ts';
import { type Instant, instant, timestamp } from '../world.ts';
import type { Flight } from './flight.ts';

/** A Job ends by itself at its deadline; one that has not been seen to end so long after it counts as timed out, in milliseconds. */
const SLACK_MS = 5_000;

/** What the hooks of one position have come to; `hooks` is what the node's status says of all of them. */
export type Hooks = { hooks: HookStatus[] | undefined } & (
  | { state: 'done' }
  | { state: 'failed'; message: string }
  | { state: 'running'; message: string; commands: Command[]; jobs: readonly JobRef[]; until: Instant | undefined }
);

/** A policy's hooks as a record keeps them; nothing where it has none. */
export function recordedHooks({ hooks }: Pick<UpdatePolicySpec, 'hooks'>): Pick<CordonRecord, 'hooks'> {
  if (hooks.length === 0) return {};
  return {
    hooks: hooks.map(({ at, cronJob, timeout }) => ({
      at,
      namespace: cronJob.namespace,
      name: cronJob.name,
      timeoutMs: durationMs(timeout),
    })),
  };
}

/** What the hooks of a new claim have come to: nothing yet. */
export const pendingHooks = ({ hooks, claim }: Pick<CordonRecord, 'hooks' | 'claim'>): HookStatus[] | undefined =>
  hooks?.map((hook, index) => pending(claim, hook, index, 0));

/** How long the hooks of a position may take in all, in milliseconds. */
export const hooksTimeMs = (hooks: readonly RecordedHook[] | undefined, position: HookPosition): number =>
  (hooks ?? []).filter(({ at }) => at === position).reduce((total, { timeoutMs }) => total + timeoutMs, 0);

/** Until when a drain may take: the record's deadline leaves the hooks BeforeDrain all their time, and here it counts from their end. */
export function drainDeadline({ record, status }: Pick<Flight, 'record' | 'status'>): Instant {
  const latest = instant(record.drainDeadline);
  const before = (status.hooks ?? []).filter(({ at }) => at === 'BeforeDrain').map(({ endedAt }) => endedAt);
  if (before.length === 0 || before.includes(undefined)) return latest;
  const begins = instant(record.evictFrom ?? record.at);
  const timeoutMs = latest - begins - hooksTimeMs(record.hooks, 'BeforeDrain');
  return Math.min(latest, Math.max(begins, ...before.map((ended) => instant(ended ?? ''))) + timeoutMs);
}

/** Whether a hook of a position was begun. */
export const hooksBegun = ({ status }: Pick<Flight, 'status'>, position: HookPosition): boolean =>
  status.hooks?.some(({ at, outcome }) => at === position && outcome !== 'Pending') ?? false;

/** The statuses of a node's hooks with those of a position that failed to be run anew, each by a Job of another name. */
export function retriedHooks({ status, record }: Pick<Flight, 'status' | 'record'>, position: HookPosition): HookStatus[] | undefined {
  return statuses(record, status.hooks)?.map((entry, index) => {
    const hook = record.hooks?.[index];
    const failed = entry.outcome === 'Failed' || entry.outcome === 'TimedOut';
    return hook !== undefined && entry.at === position && failed ? pending(record.claim, hook, index, (entry.attempt ?? 0) + 1) : entry;
  });
}

/**
 * Runs a position's hooks one after the other, each once: its Job is known by its name, whoever made it. One that fails ends the
 * position; but every Finally hook runs, whatever became of those before it.
 */
export function runHooks(flight: Flight, position: HookPosition): Hooks {
  const { record } = flight;
  const hooks = statuses(record, flight.status.hooks);
  for (const [index, hook] of (record.hooks ?? []).entries()) {
    const before = hooks?.[index];
    if (hooks === undefined || before === undefined || hook.at !== position) continue;
    const { entry, run } = stepOf(flight, hook, before);
    hooks[index] = entry;
    if (entry.outcome === 'Pending' || entry.outcome === 'Running') return running(flight, hook, entry, hooks, run);
    if (entry.outcome !== 'Succeeded' && position !== 'Finally')
      return { state: 'failed', hooks, message: `hook ${position} failed: ${entry.message ?? entry.outcome}` };
  }
  return { state: 'done', hooks };
}

/** A node's status with what its hooks have come to. */
export const withHooks = (status: NodeUpdateStatus, { hooks }: Hooks): NodeUpdateStatus =>
  hooks === undefined ? status : { ...status, hooks };

/** Before a Job is made, it is persisted how those before it ended: they are not looked at any more. */
export const beginHooks = (status: NodeUpdateStatus, commands: readonly Command[]): Command[] =>
  commands.length === 0 ? [] : [{ type: 'WriteStatus', status }, ...commands];

/** The reason of a step that waits for a hook. */
export const hookVerdict = (message: string): Verdict => ({ reason: 'HookRunning', message });

interface HookStep {
  entry: HookStatus;
  /** Its Job is to be made. */
  run?: boolean;
}

function stepOf(flight: Flight, hook: RecordedHook, before: HookStatus): HookStep {
  if (before.outcome !== 'Pending' && before.outcome !== 'Running') return { entry: before };
  const { world, now } = flight;
  const ended = (outcome: 'Failed' | 'TimedOut', why: string): HookStep => ({ entry: { ...before, outcome, message: why } });
  if (!world.hookNamespaces.includes(hook.namespace)) return ended('Failed', notAllowed(hook.namespace, world.hookNamespaces));
  const job = world.jobs.get(before.job);
  const began = before.outcome === 'Running';
  const deadline = before.deadline ?? timestamp((job?.state === 'Active' ? instant(job.createdAt) || now : now) + hook.timeoutMs);
  const late = began && instant(deadline) + SLACK_MS <= now;
  switch (job?.state) {
    case undefined:
      if (late) return ended('TimedOut', `its Job ${before.job} could not be looked at in time`);
      return { entry: before, run: !began };
    case 'Absent':
      if (!began) return { entry: before, run: true };
      return ended('Failed', `its Job ${before.job} is gone, and nobody knows how it ended: let the CronJob keep more finished Jobs`);
    case 'Active':
      if (late) return ended('TimedOut', `its Job ${before.job} has not ended in time: ${logOf(hook, before)}`);
      return { entry: { ...before, outcome: 'Running', deadline, log: logOf(hook, before) } };
    case 'Succeeded':
      return { entry: { ...before, outcome: 'Succeeded', endedAt: job.endedAt ?? timestamp(now), log: logOf(hook, before) } };
    case 'Failed': {
      const words = `its Job ${before.job} failed (${job.message}): ${logOf(hook, before)}`;
      return { entry: { ...ended(job.timedOut ? 'TimedOut' : 'Failed', words).entry, log: logOf(hook, before) } };
    }
    case 'Refused':
      return ended('Failed', job.message);
  }
}

function running({ record, node }: Flight, hook: RecordedHook, entry: HookStatus, hooks: HookStatus[], run = false): Hooks {
  const { name, namespace, timeoutMs, at } = hook;
  const job = jobRef(record.claim, entry, hook);
  const made: HookRun = {
    ...job,
    at,
    cronJob: name,
    node: node.name,
    from: record.from,
    to: record.target,
    policy: record.policy,
    timeoutMs,
  };
  return {
    state: 'running',
    hooks,
    message: `runs the hook ${at} of CronJob ${namespace}/${name}: Job ${entry.job}${entry.deadline === undefined ? '' : `, until ${entry.deadline} at the latest`}`,
    commands: run ? [{ type: 'RunHook', hook: made }] : [],
    jobs: [job],
    until: entry.deadline === undefined ? undefined : instant(entry.deadline) + SLACK_MS,
  };
}

/** What is wrong with a hook's namespace, and what to do. */
export const notAllowed = (namespace: string, allowed: readonly string[]): string =>
  `namespace ${namespace} is not one of the chart's hooks.namespaces (${allowed.join(', ') || 'none'}): add it there, or take the hook out of the policy`;

function statuses(record: CordonRecord, known: readonly HookStatus[] | undefined): HookStatus[] | undefined {
  const fresh = pendingHooks(record);
  return fresh?.map((entry, index) => {
    const before = known?.[index];
    return before?.at === entry.at && before.job === jobKey(record, index, before.attempt ?? 0) ? before : entry;
  });
}

function pending(claim: string, hook: RecordedHook, index: number, attempt: number): HookStatus {
  return {
    at: hook.at,
    job: `${hook.namespace}/${jobName(claim, index, attempt)}`,
    outcome: 'Pending',
    ...(attempt > 0 && { attempt }),
  };
}

/** One name for each claim, hook and attempt: whoever makes the Job a second time is refused by the API server. */
const jobName = (claim: string, index: number, attempt: number): string =>
  `lockkeeper-${claim}-${index}${attempt === 0 ? '' : `-${attempt}`}`;

const jobKey = ({ claim, hooks }: CordonRecord, index: number, attempt: number): string =>
  `${hooks?.[index]?.namespace}/${jobName(claim, index, attempt)}`;

const jobRef = (claim: string, { job }: HookStatus, { namespace }: RecordedHook): JobRef => ({
  namespace,
  name: job.slice(namespace.length + 1),
  claim,
});

const logOf = ({ namespace }: RecordedHook, { job }: HookStatus): string =>
  `kubectl logs -n ${namespace} job/${job.slice(namespace.length + 1)}`;

import * as z from 'zod/mini';
import { API_VERSION } from '../../api/names.ts';
import type { ScheduleSpec } from '../../api/schedule.ts';
import { visible } from '../../kube/visible.ts';
import { type Found, THEIR_LABELS } from './found.ts';
import { carrySchedule, type OldSchedule } from './schedule.ts';

/** An UpdatePolicy that does what the old operator did, as far as one can. */
export interface Carried {
  policy: { apiVersion: string; kind: 'UpdatePolicy'; metadata: { name: string }; spec: PolicySpec };
  /** What was found, and what becomes of it. */
  lines: readonly string[];
  /** What cannot be said in a policy, and why. */
  problems: readonly string[];
}

interface PolicySpec {
  nodeSelector: { matchLabels: Readonly<Record<string, string>> };
  priority: number;
  approval: 'Manual' | 'Automatic';
  paused?: true;
  schedule?: ScheduleSpec;
  rollout: { maxUnavailable: number | string };
  drain?: { loadBalancerDelay: string };
}

/** What the user decides of it. */
export interface CarryOptions {
  policy: string;
  approval: 'Manual' | 'Automatic';
  windowDuration?: string | undefined;
}

/** Before the chart's own policy, which selects all nodes. */
const PRIORITY = 100;
const countSchema = z.int().check(z.minimum(1), z.maximum(1_000_000));

/** The policy for the old operator's nodes. A setting that cannot be carried over is a problem, and never a guess. */
export function carryOver(found: Pick<Found, 'controller' | 'agents'>, { policy: name, approval, windowDuration }: CarryOptions): Carried {
  const problems: string[] = [];
  const lines: string[] = [];
  const read = (workload: Found['controller'], variable: string): string | undefined => {
    if (workload?.env.has(variable) !== true) return undefined;
    const value = workload.env.get(variable);
    if (value === undefined) problems.push(`${variable} comes from a ConfigMap or another place: look there`);
    return value;
  };
  const { controller, agents } = found;
  const schedule = scheduleOf(
    {
      cron: read(controller, 'SCHEDULER_CRON_EXPRESSION'),
      start: read(controller, 'UPDATE_WINDOW_START'),
      stop: read(controller, 'UPDATE_WINDOW_STOP'),
    },
    windowDuration,
    lines,
    problems,
  );
  const concurrent = read(controller, 'MAX_CONCURRENT_UPDATE') ?? '1';
  const maxUnavailable = maxUnavailableOf(concurrent);
  if (maxUnavailable === undefined)
    problems.push(`MAX_CONCURRENT_UPDATE=${visible(concurrent)}: maxUnavailable must be a number of at least 1, or a percentage`);
  else lines.push(`max concurrent updates ${visible(concurrent)} → rollout.maxUnavailable ${maxUnavailable}`);
  const wait = read(agents, 'EXCLUDE_FROM_LB_WAIT_TIME_IN_SEC') ?? '0';
  const delay = /^\d{1,5}$/.test(wait) ? Number(wait) : undefined;
  if (delay === undefined) problems.push(`EXCLUDE_FROM_LB_WAIT_TIME_IN_SEC=${visible(wait)} is no number of seconds`);
  else if (delay > 0) lines.push(`wait after the exclusion from load balancers ${delay}s → drain.loadBalancerDelay ${delay}s`);
  return {
    policy: {
      apiVersion: API_VERSION,
      kind: 'UpdatePolicy',
      metadata: { name },
      spec: {
        nodeSelector: { matchLabels: THEIR_LABELS },
        priority: PRIORITY,
        approval,
        // It can be looked at, and does nothing before somebody has solved them.
        ...(problems.length > 0 && { paused: true }),
        ...(schedule !== undefined && { schedule }),
        rollout: { maxUnavailable: maxUnavailable ?? 1 },
        ...(delay !== undefined && delay > 0 && { drain: { loadBalancerDelay: `${delay}s` } }),
      },
    },
    lines,
    problems,
  };
}

function scheduleOf(
  old: { [key in keyof OldSchedule]: string | undefined },
  duration: string | undefined,
  lines: string[],
  problems: string[],
): ScheduleSpec | undefined {
  const set = Object.entries(old).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const said =
    set.length === 0
      ? 'none'
      : visible(
          old.cron === undefined
            ? `${old.start ?? ''} to ${old.stop ?? ''} (to the end of that hour, as its later releases have it)`
            : JSON.stringify(old.cron),
        );
  const carried = carrySchedule(Object.fromEntries(set), duration);
  if ('problem' in carried) {
    problems.push(visible(carried.problem));
    return undefined;
  }
  const windows = carried.schedule?.windows?.map(({ cron, duration: length }) => `${JSON.stringify(cron)} for ${length}`);
  lines.push(`schedule ${said} → ${windows === undefined ? 'none: always open' : `windows ${windows.join(' and ')}, UTC`}`);
  return carried.schedule;
}

/** `unlimited` is as the old controller reads it; ours leaves one node where there are two or more. */
function maxUnavailableOf(concurrent: string): number | string | undefined {
  if (concurrent.toLowerCase() === 'unlimited') return '100%';
  const count = countSchema.safeParse(/^\+?\d{1,7}$/.test(concurrent) ? Number(concurrent) : undefined);
  return count.success ? count.data : undefined;
}

import type { PlanAssumption } from '../../api/plan.ts';
import { durationMs } from '../../api/primitives.ts';
import { isOf, variantsOf } from '../releases.ts';
import type { Durations } from '../simulate/forecast.ts';
import { instant, type NodeOS, type NodeView, type PolicyView } from '../world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** What is assumed of a node as long as no update has been measured: a node in a cloud with ordinary workloads. */
export const ASSUMED: Durations = {
  stagingMs: 5 * MINUTE,
  drainMs: 4 * MINUTE,
  rebootMs: 2 * MINUTE,
  readyMs: 30 * SECOND,
  hookMs: MINUTE,
};

/** A median, and of how many. */
interface Median {
  ms: number;
  samples: number;
}

/** How long things take on each node of a policy, and what of that is measured. */
export interface PolicyDurations {
  of: (node: NodeView) => Durations;
  /** From cordon to uncordon, as expected. */
  updateMs: (os: NodeOS) => number;
  assumptions: readonly PlanAssumption[];
}

/**
 * How long each step takes on the nodes of a policy: updates that ended well, of nodes of the same variant and architecture, else of
 * any nodes, give the median of the whole; its parts keep the shares that they are assumed to have.
 */
export function durationsOf({ name: policy, spec }: PolicyView, members: readonly NodeView[], all: readonly NodeView[]): PolicyDurations {
  const hooks = spec.hooks.length;
  const waits = durationMs(spec.drain.loadBalancerDelay) + spec.rollout.minReadySeconds * SECOND;
  const drainMs = spec.drain.mode === 'None' ? 0 : ASSUMED.drainMs;
  const work = drainMs + ASSUMED.rebootMs + ASSUMED.readyMs + hooks * ASSUMED.hookMs;
  const assumptions: PlanAssumption[] = [];
  const known = variantsOf(members).map((os) => {
    const update = medianOf(updates, os, all);
    const staging = medianOf(downloads, os, all);
    const updateMs = update?.ms ?? waits + work;
    const share = Math.max(updateMs - waits, SECOND) / work;
    const durations: Durations = {
      stagingMs: staging?.ms ?? ASSUMED.stagingMs,
      drainMs: within(spec.drain.timeout, drainMs * share),
      rebootMs: within(spec.reboot.timeout, ASSUMED.rebootMs * share),
      readyMs: within(spec.reboot.timeout, ASSUMED.readyMs * share),
      hookMs: Math.min(...spec.hooks.map(({ timeout }) => within(timeout, ASSUMED.hookMs * share)), ASSUMED.hookMs * share),
    };
    const { variant, arch } = os;
    const of = { policy, variant, arch };
    assumptions.push(
      { name: 'UpdateDuration', ...of, ...measured(update, updateMs), message: 'from cordon to uncordon' },
      { name: 'StagingDuration', ...of, ...measured(staging, durations.stagingMs), message: 'from the order to download to the proof' },
    );
    return { os, updateMs, durations };
  });
  const find = (os: NodeOS | undefined) => (os === undefined ? undefined : known.find((one) => isOf(one.os, os)));
  return {
    of: ({ os }) => find(os)?.durations ?? ASSUMED,
    updateMs: (os) => find(os)?.updateMs ?? waits + work,
    assumptions,
  };
}

/** Nothing takes longer than it may: what does not end in time is none of a plan's business. */
const within = (timeout: string, ms: number): number => Math.min(ms, Math.max(0, durationMs(timeout) - SECOND));

const measured = (median: Median | undefined, ms: number) => ({
  seconds: Math.round(ms / SECOND),
  ...(median !== undefined && { samples: median.samples }),
});

/** The median of nodes like these, else of all. */
function medianOf(read: (node: NodeView) => readonly number[], os: NodeOS, all: readonly NodeView[]): Median | undefined {
  const alike = all.filter((node) => node.os !== undefined && isOf(os, node.os)).flatMap(read);
  const values = (alike.length > 0 ? alike : all.flatMap(read)).filter((ms) => ms > 0).sort((a, b) => a - b);
  const [low, high] = [values[(values.length - 1) >> 1], values[values.length >> 1]];
  return low === undefined || high === undefined ? undefined : { ms: (low + high) / 2, samples: values.length };
}

/** A node's updates that ended well, as its NodeUpdate remembers them. */
const updates = ({ update }: NodeView): readonly number[] =>
  (update?.status.history ?? [])
    .filter(({ outcome }) => outcome === 'Updated')
    .map(({ startedAt, finishedAt }) => instant(finishedAt) - instant(startedAt));

/** A node's last download, as its agent answered. */
function downloads({ host }: NodeView): readonly number[] {
  const { order } = host?.spec ?? {};
  const { answer } = host?.status ?? {};
  if (order?.action !== 'Stage' || answer?.id !== order.id || answer.state !== 'Done' || answer.finishedAt === undefined) return [];
  return [instant(answer.finishedAt) - instant(answer.startedAt)];
}

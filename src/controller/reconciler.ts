import { gather, type Self } from '../cluster/gather.ts';
import type { Decision } from '../core/command.ts';
import { decide } from '../core/decide.ts';
import type { Instant, KubernetesVersion, RetrySettings, World } from '../core/world.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { Announcer } from './announcer.ts';
import type { AnswerTimes } from './answer-times.ts';
import { type Applied, type Applier, policyKey } from './apply.ts';
import type { BlockedPodEvents } from './blocked-pod-events.ts';
import type { Checks } from './checks.ts';
import type { Drainer } from './drainer.ts';
import type { HookJobs } from './hook-jobs.ts';
import type { LifecycleSignals } from './lifecycle-signals.ts';
import type { Notifier } from './notifications/notifier.ts';
import type { PodViews } from './pod-views.ts';
import type { Reflectors } from './reflectors.ts';
import { Setbacks } from './setbacks.ts';
import type { ProgressThrottle } from './throttle.ts';

/** The parts that a pass drives. */
export interface ReconcilerDeps {
  reflectors: Reflectors;
  podViews: PodViews;
  hookJobs: HookJobs;
  checks: Checks;
  drainer: Drainer;
  applier: Applier;
  announcer: Announcer;
  /** Tells the owners of pods for which a node is Blocked. */
  podEvents?: Pick<BlockedPodEvents, 'tellBarred'>;
  throttle: ProgressThrottle;
  /** Absent: Nodes are told nothing by conditions. */
  lifecycle?: Pick<LifecycleSignals, 'tell'>;
  /** Absent: there are no webhooks. */
  notifier?: Pick<Notifier, 'review' | 'stop'>;
  self: Self | undefined;
  retry: RetrySettings;
  /** The control plane's Kubernetes, as far as it is known. */
  kubernetes: () => KubernetesVersion | undefined;
  /** Namespaces in which hooks may run. */
  hookNamespaces: readonly string[];
  /** Hosts whose Prometheus checks may ask. */
  prometheusHosts: readonly string[];
  /** Milliseconds since the epoch by the API server's clock. */
  now: () => number;
  clock: Clock;
  logger: Logger;
  /** Default: `decide`. */
  decide?: typeof decide;
  /** The leader's own node is next: give the lease to a standby. */
  handOver: () => void;
  onDecision?: (world: World, decision: Decision, milliseconds: number) => void;
  /** Told which nodes a decision acts upon. */
  answers?: Pick<AnswerTimes, 'decided'>;
}

/** Rounds of one pass: a node walks at most a handful of steps at once, and nothing may spin. */
const MAX_ROUNDS = 12;
/** Owners of so many pods of a node are told that theirs holds it up. */
const MAX_BARRED = 64;
/** A pass whose writes failed is looked at again after so long, even if no watch says anything; nor does an overdue wake-up spin. */
const RETRY_MS = 1_000;
const NEVER_MS = 3_600_000;

/** One pass: gather, decide, apply, until nothing is left to do now. */
export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #setbacks: Setbacks;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#setbacks = new Setbacks(deps.clock, deps.logger);
  }

  /** Runs a pass; resolves with the wait until time alone may change the decision, in milliseconds. */
  async pass(signal: AbortSignal): Promise<{ requeueAfterMs: number }> {
    const { applier, throttle, announcer, now } = this.#deps;
    const failed = this.#setbacks.waiting();
    const refused = new Map<string, unknown>();
    let retry = false;
    const note = (applied: Applied): void => {
      retry ||= applied.failed.size > 0;
      for (const name of applied.failed) failed.add(name);
      for (const [name, error] of applied.refused) refused.set(name, error);
    };
    for (let round = 0; ; round += 1) {
      const { world, decision, at } = this.#decide();
      const acted = await applier.act(world, decision.policies, decision.nodes, failed, signal);
      note(acted);
      const undone = failed.union(acted.left);
      announcer.announce(world, decision, undone);
      for (const { node, status, barred = [] } of decision.nodes)
        for (const one of barred.slice(0, MAX_BARRED)) this.#deps.podEvents?.tellBarred(one, { node, to: status.target });
      for (const { policy, claims } of decision.policies)
        if (claims !== undefined && !failed.has(policyKey(policy))) throttle.wrote(policy, now());
      if (acted.done > 0 && round < MAX_ROUNDS) continue;

      const picked = throttle.pick(world, decision.policies, decision.nodes, now());
      const reported = await applier.report(world, picked.policies, picked.nodes, undone, signal);
      note(reported);
      throttle.left(reported.left);
      await this.#deps.lifecycle?.tell(world, decision, signal);
      const left = acted.left.union(reported.left);
      if (decision.handOver && failed.size === 0 && left.size === 0) this.#deps.handOver();
      this.#setbacks.note(refused, failed.union(left));
      retry ||= round >= MAX_ROUNDS || (decision.wakeAt ?? Number.POSITIVE_INFINITY) <= at;
      const wakes = [decision.wakeAt, picked.due].map((due) => (due === undefined || due <= at ? undefined : due - now()));
      const waits = [left.size > 0 ? 0 : undefined, retry ? RETRY_MS : undefined, this.#setbacks.wait(), ...wakes].filter(
        (wait) => wait !== undefined,
      );
      return { requeueAfterMs: Math.max(1, Math.min(NEVER_MS, ...waits)) };
    }
  }

  /** Stops what passes have begun. */
  async stop(): Promise<void> {
    const { drainer, podViews, hookJobs, checks, notifier } = this.#deps;
    await Promise.all([drainer.stop(), podViews.stop(), hookJobs.stop(), checks.stop(), notifier?.stop()]);
  }

  #decide(): { world: World; decision: Decision; at: Instant } {
    const { reflectors, podViews, hookJobs, checks, drainer, notifier, now, clock } = this.#deps;
    const { self, retry, kubernetes, hookNamespaces, prometheusHosts } = this.#deps;
    const world = gather({
      objects: reflectors,
      self,
      retry,
      pods: podViews.snapshot(),
      blockedPods: drainer.blocked(),
      hookNamespaces,
      jobs: hookJobs.snapshot(),
      kubernetes: kubernetes(),
      checks: checks.snapshot(),
      prometheusHosts,
    });
    const started = clock.monotonic();
    const at = now();
    const decided = (this.#deps.decide ?? decide)(world, at);
    const decision = notifier?.review(world, decided, at) ?? decided;
    this.#deps.onDecision?.(world, decision, clock.monotonic() - started);
    this.#deps.answers?.decided(new Set(decision.nodes.filter(({ commands }) => commands.length > 0).map(({ node }) => node)));
    podViews.want(decision.lookAt);
    hookJobs.want(decision.jobs);
    checks.want(decision.checks);
    const statuses = new Map(decision.nodes.map(({ node, status }) => [node, status]));
    drainer.want(
      decision.drains.map((drain) => {
        const { policy, from, target } = statuses.get(drain.node) ?? {};
        return { ...drain, policy, from, to: target };
      }),
    );
    return { world, decision, at };
  }
}

import type { Decision } from '../core/command.ts';
import { decide } from '../core/decide.ts';
import type { RetrySettings, World } from '../core/world.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { Announcer } from './announcer.ts';
import type { Applier } from './apply.ts';
import type { Drainer } from './drainer.ts';
import { gather, type Self } from './gather.ts';
import type { PodViews } from './pod-views.ts';
import type { Reflectors } from './reflectors.ts';
import type { ProgressThrottle } from './throttle.ts';

/** The parts that a pass drives. */
export interface ReconcilerDeps {
  reflectors: Reflectors;
  podViews: PodViews;
  drainer: Drainer;
  applier: Applier;
  announcer: Announcer;
  throttle: ProgressThrottle;
  self: Self | undefined;
  retry: RetrySettings;
  /** Milliseconds since the epoch by the API server's clock. */
  now: () => number;
  clock: Clock;
  logger: Logger;
  /** The leader's own node is next: give the lease to a standby. */
  handOver: () => void;
  onDecision?: (world: World, decision: Decision, milliseconds: number) => void;
}

/** Rounds of one pass: a node walks at most a handful of steps at once, and nothing may spin. */
const MAX_ROUNDS = 12;
/** A pass whose writes failed is looked at again after so long, even if no watch says anything. */
const RETRY_MS = 1_000;
const NEVER_MS = 3_600_000;

/** One pass: gather, decide, apply, until nothing is left to do now. */
export class Reconciler {
  readonly #deps: ReconcilerDeps;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
  }

  /** Runs a pass; resolves with the wait until time alone may change the decision, in milliseconds. */
  async pass(signal: AbortSignal): Promise<{ requeueAfterMs: number }> {
    const { applier, throttle, now } = this.#deps;
    const failed = new Set<string>();
    for (let round = 0; ; round += 1) {
      const { world, decision } = this.#decide();
      const acted = await applier.act(world, decision.policies, decision.nodes, failed, signal);
      this.#deps.announcer.announce(world, decision, new Set([...failed, ...acted.failed]));
      for (const { policy, claims } of decision.policies) if (claims !== undefined) throttle.wrote(policy, now());
      for (const name of acted.failed) failed.add(name);
      if (acted.done > 0 && round < MAX_ROUNDS) continue;

      const picked = throttle.pick(world, decision.policies, decision.nodes, now());
      const reported = await applier.report(world, picked.policies, picked.nodes, failed, signal);
      if (decision.handOver && failed.size === 0) this.#deps.handOver();
      const retry = failed.size > 0 || reported.failed.size > 0 || round >= MAX_ROUNDS;
      const wakes = [retry ? now() + RETRY_MS : undefined, decision.wakeAt, picked.due].filter((at) => at !== undefined);
      return { requeueAfterMs: Math.max(1, Math.min(NEVER_MS, ...wakes.map((at) => at - now()))) };
    }
  }

  /** Stops what passes have begun. */
  async stop(): Promise<void> {
    await Promise.all([this.#deps.drainer.stop(), this.#deps.podViews.stop()]);
  }

  #decide(): { world: World; decision: Decision } {
    const { reflectors, podViews, drainer, self, retry, now, clock } = this.#deps;
    const world = gather({ reflectors, self, retry, pods: podViews.snapshot(), blockedPods: drainer.blocked() });
    const started = clock.monotonic();
    const decision = decide(world, now());
    this.#deps.onDecision?.(world, decision, clock.monotonic() - started);
    podViews.want(decision.lookAt);
    const statuses = new Map(decision.nodes.map(({ node, status }) => [node, status]));
    drainer.want(
      decision.drains.map((drain) => {
        const { policy, from, target } = statuses.get(drain.node) ?? {};
        return { ...drain, policy, from, to: target };
      }),
    );
    return { world, decision };
  }
}

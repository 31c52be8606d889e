import type { BlockedPod } from '../api/node-update.ts';
import type { DrainDecision } from '../core/command.ts';
import { podKey } from '../core/drain-plan.ts';
import type { PodView } from '../core/world.ts';
import { backoffMs } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { type Requeue, WorkQueue } from '../kube/work-queue.ts';
import { type EvictionOutcome, outcomeOf, selects } from './eviction.ts';
import type { Budget } from './views.ts';

/** How a drain evicts. */
export interface DrainerDeps {
  client: Pick<KubeClient, 'evict'>;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Evictions at once on one node. */
  concurrency?: number;
  budgets: () => readonly Budget[];
  /** Throws where this replica may no longer act. */
  assertLeading: () => void;
  /** A pod is blocked by another reason than before. */
  changed: () => void;
  onEviction?: (outcome: EvictionOutcome['kind'] | 'failed') => void;
}

const CONCURRENCY = 20;
const RETRY = { baseMs: 1_000, maxMs: 30_000, jitter: 0.2 };
/** A pod whose eviction was accepted is asked again after so long, should it still be there untouched. */
const ACCEPTED_NET_MS = 60_000;

/** Evicts the pods of the nodes that are being drained, each node and each pod independent of the others. */
export class Drainer {
  readonly #deps: DrainerDeps;
  readonly #drains = new Map<string, NodeDrain>();

  constructor(deps: DrainerDeps) {
    this.#deps = deps;
  }

  /** Drains these nodes as far as the decision says, and stops all other drains. */
  want(decisions: readonly DrainDecision[]): void {
    const wanted = new Map(decisions.map((decision) => [decision.node, decision]));
    for (const [node, drain] of this.#drains) {
      if (wanted.get(node)?.claim === drain.claim) continue;
      drain.stop();
      this.#drains.delete(node);
    }
    for (const [node, decision] of wanted) {
      let drain = this.#drains.get(node);
      if (drain === undefined) {
        drain = new NodeDrain(this.#deps, decision);
        this.#drains.set(node, drain);
      }
      drain.update(decision);
    }
  }

  /** What could not be evicted yet, by node. */
  blocked(): Map<string, readonly BlockedPod[]> {
    return new Map([...this.#drains].map(([node, drain]) => [node, drain.blocked()]));
  }

  /** A budget may have opened: those that it blocked are tried at once, as many as it allows. */
  budgetChanged(namespace: string): void {
    for (const budget of this.#deps.budgets()) {
      if (budget.namespace !== namespace) continue;
      let allowed = budget.disruptionsAllowed;
      for (const drain of this.#drains.values()) allowed -= drain.retryBlockedBy(budget, allowed);
    }
  }

  /** Stops all drains; what was accepted by the API server goes on there. */
  stop(): void {
    this.want([]);
  }
}

class NodeDrain {
  readonly claim: string;
  readonly #deps: DrainerDeps;
  readonly #queue: WorkQueue<string>;
  readonly #stop = new AbortController();
  readonly #pods = new Map<string, PodView>();
  readonly #blocked = new Map<string, BlockedPod>();
  readonly #refusals = new Map<string, number>();
  readonly #accepted = new Set<string>();
  #decision: DrainDecision;

  constructor(deps: DrainerDeps, decision: DrainDecision) {
    this.claim = decision.claim;
    this.#deps = deps;
    this.#decision = decision;
    this.#queue = new WorkQueue<string>({
      worker: (uid, signal) => this.#evict(uid, signal),
      concurrency: deps.concurrency ?? CONCURRENCY,
      backoff: RETRY,
      random: deps.random,
      clock: deps.clock,
      logger: deps.logger,
    });
    this.#queue.run(this.#stop.signal).catch((error) => deps.logger.error({ error }, 'a drain ended unexpectedly'));
  }

  update(decision: DrainDecision): void {
    this.#decision = decision;
    const wanted = new Set(decision.evict.map(({ uid }) => uid));
    for (const uid of this.#pods.keys()) if (!wanted.has(uid)) this.#forget(uid);
    for (const pod of decision.evict) {
      const known = this.#pods.has(pod.uid);
      this.#pods.set(pod.uid, pod);
      if (!known) this.#queue.add(pod.uid);
    }
  }

  blocked(): BlockedPod[] {
    return [...this.#blocked.values()].sort((a, b) => (a.pod < b.pod ? -1 : 1));
  }

  retryBlockedBy(budget: Budget, allowed: number): number {
    let retried = 0;
    for (const [uid, { reason }] of this.#blocked) {
      const pod = this.#pods.get(uid);
      if (retried >= allowed || reason !== 'DisruptionBudget' || pod === undefined || !selects(budget, pod)) continue;
      this.#queue.add(uid);
      retried += 1;
    }
    return retried;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #evict(uid: string, signal: AbortSignal): Promise<Requeue | undefined> {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return undefined;
    this.#deps.assertLeading();
    const outcome = await this.#ask(pod, signal);
    this.#deps.onEviction?.(outcome.kind);
    const line = { node: this.#decision.node, claim: this.claim, pod: podKey(pod), action: 'Evict' };
    switch (outcome.kind) {
      case 'accepted':
        if (!this.#accepted.has(uid)) this.#deps.logger.info(line, 'evicted');
        this.#accepted.add(uid);
        this.#unblock(uid);
        return { requeueAfterMs: ACCEPTED_NET_MS };
      case 'gone':
        this.#unblock(uid);
        return undefined;
      case 'blocked': {
        const refusals = (this.#refusals.get(uid) ?? 0) + 1;
        this.#refusals.set(uid, refusals);
        const before = this.#blocked.get(uid);
        this.#blocked.set(uid, outcome.blocked);
        if (before?.reason !== outcome.blocked.reason || before.budget !== outcome.blocked.budget) {
          this.#deps.logger.info({ ...line, reason: outcome.blocked.reason, message: outcome.blocked.message }, 'an eviction was refused');
          this.#deps.changed();
        }
        return { requeueAfterMs: Math.max(outcome.retryAfterMs ?? 0, backoffMs(RETRY, refusals, this.#deps.random)) };
      }
    }
  }

  async #ask(pod: PodView, signal: AbortSignal): Promise<EvictionOutcome> {
    const { gracePeriodSeconds } = this.#decision;
    const deleteOptions = { preconditions: { uid: pod.uid }, ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }) };
    try {
      await this.#deps.client.evict(pod.namespace, pod.name, { deleteOptions }, { signal });
      return { kind: 'accepted' };
    } catch (error) {
      const outcome = outcomeOf(error, pod, this.#deps.budgets());
      if (outcome !== undefined) return outcome;
      if (!signal.aborted) this.#deps.onEviction?.('failed');
      throw error;
    }
  }

  #unblock(uid: string): void {
    if (this.#blocked.delete(uid)) this.#deps.changed();
  }

  #forget(uid: string): void {
    this.#queue.forget(uid);
    this.#pods.delete(uid);
    this.#blocked.delete(uid);
    this.#refusals.delete(uid);
    this.#accepted.delete(uid);
  }
}

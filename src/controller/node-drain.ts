import type { BlockedPod } from '../api/node-update.ts';
import type { Budget } from '../cluster/views.ts';
import type { DrainDecision } from '../core/command.ts';
import { podKey } from '../core/drain-settings.ts';
import type { PodView } from '../core/world.ts';
import { backoffMs } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { ApiError } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';
import { type Requeue, WorkQueue } from '../kube/work-queue.ts';
import type { BudgetRoom } from './budget-room.ts';
import { blockedPod, budgetKey, describeBudget, type EvictionOutcome, mayBeAWebhooks, outcomeOf, selects } from './eviction.ts';
import type { EvictionTurns } from './eviction-turns.ts';
import type { EvictionWebhook } from './eviction-webhooks.ts';

/** How a drain evicts. */
export interface DrainDeps {
  client: Pick<KubeClient, 'evict'> & { delete(path: string, body: object, options: { signal: AbortSignal }): Promise<unknown> };
  clock: Clock;
  random: () => number;
  logger: Logger;
  budgets: () => readonly Budget[];
  /** The admission webhooks that are asked about evictions; asked for where one may have refused. */
  webhooks: () => Promise<readonly EvictionWebhook[]>;
  /** Throws where this replica may no longer act. */
  assertLeading: () => void;
  /** A pod is blocked, by another reason than before, or no longer. */
  changed: () => void;
  /** A pod is still blocked after a few tries: its owner should know. */
  onBlocked?: (pod: PodView, blocked: BlockedPod, drain: Pick<WantedDrain, 'node' | 'to'>) => void;
  onEviction?: (outcome: EvictionOutcome['kind']) => void;
}

/** A drain as it was decided, with what the audit trail tells of it. */
export type WantedDrain = DrainDecision & { policy?: string | undefined; from?: string | undefined; to?: string | undefined };

/** More than a node has pods: those that wait for their turn hold up nobody. */
const WORKERS = 1_024;
const RETRY = { baseMs: 1_000, maxMs: 30_000, jitter: 0.2 };
/** A pod is asked for again after so long, should it still be there untouched although its eviction was accepted, or its budget full. */
const NET_MS = 60_000;
/** After so many tries in a row a pod that is said to be gone, or whose eviction gets no answer, counts as blocked, and owners are told. */
const PATIENT_TRIES = 3;

/** Evicts the pods of one node, for one claim, each pod independent of the others. */
export class NodeDrain {
  /** The node's claim that it drains for. */
  readonly claim: string;
  readonly #deps: DrainDeps;
  readonly #turns: EvictionTurns;
  readonly #room: BudgetRoom;
  readonly #queue: WorkQueue<string>;
  readonly #running: Promise<void>;
  readonly #stop = new AbortController();
  readonly #pods = new Map<string, PodView>();
  readonly #blocked = new Map<string, BlockedPod>();
  /** Tries in a row without success. */
  readonly #tries = new Map<string, number>();
  /** When the API server last accepted a pod's eviction, by the monotonic clock. */
  readonly #accepted = new Map<string, number>();
  /** When it was last asked for a pod, or was first not asked for its budget's sake, by the monotonic clock. */
  readonly #asked = new Map<string, number>();
  #decision: WantedDrain;

  constructor(deps: DrainDeps, turns: EvictionTurns, room: BudgetRoom, decision: WantedDrain) {
    this.claim = decision.claim;
    this.#deps = deps;
    this.#turns = turns;
    this.#room = room;
    this.#decision = decision;
    this.#queue = new WorkQueue<string>({
      worker: (uid, signal) => this.#evict(uid, signal),
      concurrency: WORKERS,
      backoff: RETRY,
      random: deps.random,
      clock: deps.clock,
      logger: deps.logger,
    });
    this.#running = this.#queue
      .run(this.#stop.signal)
      .catch((error) => deps.logger.error({ node: decision.node, error }, 'a drain ended unexpectedly'));
  }

  /** Takes a later decision of the same claim: evicts what is new in it, and forgets what is not in it any more. */
  update(decision: WantedDrain): void {
    const anew = decision.force !== this.#decision.force;
    this.#decision = decision;
    const wanted = new Set(decision.evict.map(({ uid }) => uid));
    for (const uid of this.#pods.keys()) if (!wanted.has(uid)) this.#forget(uid);
    for (const pod of decision.evict) {
      const known = this.#pods.has(pod.uid);
      this.#pods.set(pod.uid, pod);
      if (!known || anew) this.#queue.add(pod.uid);
    }
  }

  /** What could not be evicted yet, by name. */
  blocked(): BlockedPod[] {
    return [...this.#blocked.values()].sort((a, b) => (a.pod < b.pod ? -1 : 1));
  }

  /** Tries pods that this budget has kept at once, so many at most; says how many. */
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

  /** Tries those at once that no budget covers any more, or one alone of several. */
  retryUncovered(namespace: string, budgets: readonly Budget[]): void {
    for (const [uid, { reason }] of this.#blocked) {
      const pod = this.#pods.get(uid);
      if (pod?.namespace !== namespace) continue;
      const covering = budgets.filter((budget) => selects(budget, pod)).length;
      if ((reason === 'DisruptionBudget' && covering === 0) || (reason === 'MoreThanOneBudget' && covering < 2)) this.#queue.add(uid);
    }
  }

  /** Resolves when no request is under way any more. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.#running;
  }

  async #evict(uid: string, signal: AbortSignal): Promise<Requeue | undefined> {
    const first = this.#pods.get(uid);
    if (first === undefined) return undefined;
    const budget = this.#room.covering(first);
    const lane = { node: this.#decision.node, budget: budget && budgetKey(budget) };
    return this.#turns.run(lane, async () => {
      const pod = this.#pods.get(uid);
      if (pod === undefined || signal.aborted) return undefined;
      // A budget that opened while the pod was being evicted asks for a second time.
      const restMs = (this.#accepted.get(uid) ?? Number.NEGATIVE_INFINITY) + NET_MS - this.#deps.clock.monotonic();
      if (restMs > 0) return { requeueAfterMs: restMs };
      const full = this.#keptBy(pod);
      if (full !== undefined) return this.#note(pod, { kind: 'blocked', blocked: full });
      this.#deps.assertLeading();
      // As it is seen now: by the time of the answer its status may have been written, and count this one.
      const under = pod.ready ? this.#room.covering(pod) : undefined;
      const outcome = await this.#ask(pod, signal);
      if (outcome.kind === 'accepted' && under !== undefined) this.#room.spend(under);
      this.#deps.onEviction?.(outcome.kind);
      return this.#note(pod, outcome);
    });
  }

  /** What keeps a pod whose budget is known to be full: the API server need not be asked, but for once in a while. */
  #keptBy(pod: PodView): BlockedPod | undefined {
    const now = this.#deps.clock.monotonic();
    const budget = this.#decision.force === true ? undefined : this.#room.full(pod);
    const askedAt = this.#asked.get(pod.uid);
    if (budget === undefined || (askedAt !== undefined && now - askedAt >= NET_MS)) {
      this.#asked.set(pod.uid, now);
      return undefined;
    }
    if (askedAt === undefined) this.#asked.set(pod.uid, now);
    const kept = blockedPod(pod, 'DisruptionBudget', describeBudget(budget, pod), budgetKey(budget));
    const before = this.#blocked.get(pod.uid);
    // The API server's own words are kept for as long as they hold.
    return before !== undefined && before.budget === kept.budget && before.message?.startsWith(kept.message ?? '') ? before : kept;
  }

  /** Past its budgets. The right to it is the chart's to give. */
  async #delete(pod: PodView, options: object, signal: AbortSignal): Promise<EvictionOutcome> {
    const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}`;
    try {
      await this.#deps.client.delete(path, options, { signal });
      return { kind: 'accepted' };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ApiError && error.status === 403)
        return { kind: 'blocked', blocked: blockedPod(pod, 'DeleteForbidden', error.words) };
      return outcomeOf(error, pod, []);
    }
  }

  #note(pod: PodView, outcome: EvictionOutcome): Requeue | undefined {
    const { uid } = pod;
    // The watch may have told of the pod's end before the answer came.
    const wanted = this.#pods.has(uid);
    const { node, policy, from, to } = this.#decision;
    const line = {
      action: this.#decision.force === true ? 'Delete' : 'Evict',
      node,
      pod: podKey(pod),
      policy,
      claim: this.claim,
      from,
      to,
      why: this.#decision.force === true ? 'the drain took too long (drain.onTimeout: Force)' : 'the node is drained for its update',
    };
    if (outcome.kind === 'accepted' && !this.#accepted.has(uid)) this.#deps.logger.info(line, 'evicted');
    if (!wanted) return undefined;
    switch (outcome.kind) {
      case 'accepted':
        this.#accepted.set(uid, this.#deps.clock.monotonic());
        this.#tries.delete(uid);
        this.#unblock(uid);
        return { requeueAfterMs: NET_MS };
      case 'terminating':
        this.#unblock(uid);
        return { requeueAfterMs: this.#backoff(uid) };
      case 'gone':
      case 'unanswered': {
        const requeueAfterMs = this.#backoff(uid);
        if ((this.#tries.get(uid) ?? 0) < PATIENT_TRIES) return { requeueAfterMs };
        const [reason, what] =
          outcome.kind === 'gone' ? ['Refused', 'it is said to be gone, and is still listed'] : ['NoAnswer', 'its eviction gets no answer'];
        this.#block(pod, blockedPod(pod, reason, `${what}: ${outcome.words}`), line);
        return { requeueAfterMs };
      }
      case 'blocked': {
        const requeueAfterMs = Math.max(outcome.retryAfterMs ?? 0, this.#backoff(uid));
        this.#block(pod, outcome.blocked, line);
        return { requeueAfterMs };
      }
    }
  }

  #block(pod: PodView, blocked: BlockedPod, line: object): void {
    const before = this.#blocked.get(pod.uid);
    this.#blocked.set(pod.uid, blocked);
    const { reason, budget, message } = blocked;
    if ((this.#tries.get(pod.uid) ?? 0) >= PATIENT_TRIES) this.#deps.onBlocked?.(pod, blocked, this.#decision);
    if (before?.reason === reason && before.budget === budget) return;
    this.#deps.logger.info({ ...line, reason, budget, why: message }, 'a pod cannot be evicted now');
    this.#deps.changed();
  }

  /** Counts a try without success; the wait until the next one. */
  #backoff(uid: string): number {
    const tries = (this.#tries.get(uid) ?? 0) + 1;
    this.#tries.set(uid, tries);
    return backoffMs(RETRY, tries, this.#deps.random);
  }

  async #ask(pod: PodView, signal: AbortSignal): Promise<EvictionOutcome> {
    const { gracePeriodSeconds, force } = this.#decision;
    const deleteOptions = { preconditions: { uid: pod.uid }, ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }) };
    if (force === true) return this.#delete(pod, deleteOptions, signal);
    try {
      await this.#deps.client.evict(pod.namespace, pod.name, { deleteOptions }, { signal });
      return { kind: 'accepted' };
    } catch (error) {
      signal.throwIfAborted();
      const webhooks = mayBeAWebhooks(error) ? await this.#deps.webhooks() : [];
      return outcomeOf(error, pod, this.#deps.budgets(), webhooks);
    }
  }

  #unblock(uid: string): void {
    if (this.#blocked.delete(uid)) this.#deps.changed();
  }

  #forget(uid: string): void {
    this.#queue.forget(uid);
    this.#pods.delete(uid);
    this.#blocked.delete(uid);
    this.#tries.delete(uid);
    this.#accepted.delete(uid);
    this.#asked.delete(uid);
  }
}

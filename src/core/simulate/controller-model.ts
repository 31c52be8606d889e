import type { BlockedPod } from '../../api/node-update.ts';
import type { ChecksRequest, Decision, DrainDecision, JobRef, PolicyDecision } from '../command.ts';
import { decide } from '../decide.ts';
import { podKey } from '../drain-settings.ts';
import type { ChecksView, Instant, JobView, NodeView, World } from '../world.ts';
import type { Cluster } from './cluster.ts';
import { freshCaches, isSame, NodeWriter } from './node-writer-model.ts';
import type { SimPod } from './objects.ts';
import { ConflictError, type Lag } from './store.ts';

/** How far each cache moves on before a pass; all to the present where nothing is said. */
export type Lags = { policies?: Lag; nodes?: Lag; updates?: Lag; hosts?: Lag; pods?: Lag; jobs?: Lag };

/**
 * A controller that believes it leads: gathers from caches that lag, decides, and carries the decision out as the real one does,
 * one API call at a time; it can be frozen or killed between any two.
 */
export class ControllerModel {
  readonly #cluster: Cluster;
  readonly #decide: typeof decide;
  #caches;
  #work: Iterator<void> | undefined;
  /** Nodes whose pods the next pass sees: listing them is news to it. */
  #looking: readonly string[] = [];
  #drains: readonly DrainDecision[] = [];
  /** Jobs that the next pass sees. */
  #watching: readonly JobRef[] = [];
  /** Checks that the next pass sees. */
  #checking: readonly ChecksRequest[] = [];
  /** How far its clock is ahead, in milliseconds. */
  skewMs = 0;
  /** When the last pass wanted to look again. */
  wakeAt: Instant | undefined;

  constructor(cluster: Cluster, decides: typeof decide = decide) {
    this.#cluster = cluster;
    this.#decide = decides;
    this.#caches = freshCaches(cluster);
  }

  /** Begins a pass, unless one is still being carried out. */
  begin(lags: Lags = {}): void {
    if (this.#work !== undefined) return;
    for (const kind of ['policies', 'nodes', 'updates', 'hosts', 'pods', 'jobs'] as const) this.#caches[kind].advance(lags[kind] ?? 'none');
    this.#work = this.#pass();
    this.step();
  }

  /** Makes the next API call of the pass; false where the pass is over. */
  step(): boolean {
    if (this.#work === undefined) return false;
    if (this.#work.next().done === true) this.#work = undefined;
    return this.#work !== undefined;
  }

  /** Stands for what the next pass will see besides the objects. */
  get attention(): string {
    return [...this.#looking, ...this.#watching.map(({ name }) => name), ...this.#checking.map(({ policy }) => policy)].join();
  }

  /** Evicts what the last decision wanted evicted, as far as budgets allow, or deletes it. */
  evict(): void {
    for (const { claim, evict, force } of this.#drains)
      for (const wanted of evict) {
        const pod = this.#cluster.pods.get(podKey(wanted));
        if (pod?.uid !== wanted.uid || pod.terminating || (pod.guarded !== false && force !== true)) continue;
        this.#cluster.witness.evicts?.(claim, pod);
        this.#cluster.patchPod(pod, { terminating: true });
      }
  }

  /** Is killed, and starts anew with nothing but what the API server has. */
  restart(): void {
    this.#work = undefined;
    this.#caches = freshCaches(this.#cluster);
    this.#looking = [];
    this.#watching = [];
    this.#checking = [];
    this.#drains = [];
  }

  /** Registration is long before anything else happens to a node: no cache misses it. */
  observeRegistration(name: string): void {
    this.#caches.nodes.observe(name);
  }

  get #now(): Instant {
    return this.#cluster.now + this.skewMs;
  }

  *#pass(): Generator<void> {
    const world = this.#gather();
    const decidedAt = this.#now;
    const decision = this.#decide(world, decidedAt);
    this.#cluster.witness.decided?.(world, decision, decidedAt);
    this.#looking = decision.lookAt;
    this.#watching = decision.jobs;
    this.#checking = decision.checks;
    this.#drains = decision.drains;
    this.wakeAt = decision.wakeAt;
    const failed = new Set<string>();
    const acted = yield* this.#act(world, decision, failed, decidedAt);
    if (!acted) yield* this.#report(world, decision, failed, decidedAt);
  }

  #gather(): World {
    const { policies, nodes, updates, hosts, pods } = this.#caches;
    const looked = new Map(this.#looking.map((name) => [name, pods.group(name)]));
    return {
      ...this.#cluster.surroundings(),
      policies: policies.items,
      nodes: nodes.items.map((node): NodeView => {
        const update = updates.get(node.name);
        const host = hosts.get(node.name);
        return {
          ...node,
          ...(update?.nodeUID === node.uid && { update }),
          ...(host?.nodeUID === node.uid && { host }),
          agent: this.#cluster.agentOf(node.name),
        };
      }),
      pods: looked,
      blockedPods: new Map(this.#drains.map((drain) => [drain.node, blocked(drain, looked.get(drain.node) ?? [])])),
      jobs: this.#jobs(),
      checks: this.#checks(),
    };
  }

  #checks(): Map<string, ChecksView> {
    const at = this.#now;
    return new Map(
      this.#checking.map(({ policy, generation }) => {
        const failed = this.#cluster.failedCheck(policy);
        return [policy, { generation, at, ...(failed !== undefined && { failed }) }];
      }),
    );
  }

  #jobs(): Map<string, JobView> {
    const { jobs } = this.#caches;
    return new Map(
      this.#watching.map(({ namespace, name }) => {
        const key = `${namespace}/${name}`;
        return [key, jobs.get(key)?.view ?? { state: 'Absent' }];
      }),
    );
  }

  *#act(world: World, { policies, nodes }: Decision, failed: Set<string>, decidedAt: Instant): Generator<void, boolean> {
    let acted = false;
    const views = viewsByName(world);
    for (const decision of policies) {
      if (decision.claims === undefined) continue;
      yield;
      acted = this.#attempt(failed, decision.policy, () => this.#writePolicy(world, decision)) || acted;
    }
    for (const decision of nodes) {
      const view = views.get(decision.node);
      if (view === undefined || decision.commands.length === 0) continue;
      const writer = new NodeWriter(this.#cluster, this.#caches, world, view, decidedAt);
      for (const command of decision.commands) {
        yield;
        let done = true;
        for (const call of writer.carryOut(command)) {
          done = this.#attempt(failed, decision.node, call);
          if (!done) break;
          yield;
        }
        if (!done) break;
        acted = true;
      }
    }
    return acted;
  }

  *#report(world: World, { policies, nodes }: Decision, failed: Set<string>, decidedAt: Instant): Generator<void> {
    const views = viewsByName(world);
    for (const { node, status } of nodes) {
      const view = views.get(node);
      if (failed.has(node) || view?.update === undefined || isSame(view.update.status, status)) continue;
      yield;
      this.#attempt(failed, node, () => new NodeWriter(this.#cluster, this.#caches, world, view, decidedAt).writeStatus(status));
    }
    for (const decision of policies) {
      if (failed.has(decision.policy) || isSame(world.policies.find(({ name }) => name === decision.policy)?.status, decision.status))
        continue;
      yield;
      this.#attempt(failed, decision.policy, () => this.#writePolicy(world, decision));
    }
  }

  #writePolicy(world: World, { policy: name, status }: PolicyDecision): void {
    const view = world.policies.find((policy) => policy.name === name);
    const before = this.#cluster.policies.get(name);
    const after = this.#cluster.policies.patch(name, view?.resourceVersion, () => ({ status }));
    this.#caches.policies.observe(name);
    if (before !== undefined) this.#cluster.witness.policyWritten?.(world, before, after);
  }

  #attempt(failed: Set<string>, name: string, call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      failed.add(name);
      return false;
    }
  }
}

const viewsByName = ({ nodes }: World): ReadonlyMap<string, NodeView> => new Map(nodes.map((node) => [node.name, node]));

const blocked = ({ evict }: DrainDecision, pods: readonly { uid: string; guarded?: SimPod['guarded'] }[]): BlockedPod[] =>
  evict
    .filter(({ uid }) => pods.some((pod) => pod.uid === uid && pod.guarded !== false))
    .map((pod) => ({ pod: podKey(pod), reason: 'DisruptionBudget', budget: 'shop/web' }));

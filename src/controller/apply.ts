import type { CordonRecord } from '../api/cordon-record.ts';
import { kindPath, UPDATE_POLICY } from '../api/kinds.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Claim } from '../api/update-policy.ts';
import type { Command, NodeDecision, PolicyDecision } from '../core/command.ts';
import type { PolicyView, World } from '../core/world.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { NotLeadingError } from '../kube/elector.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { forEachBounded } from './bounded.ts';
import { type LaneKind, Lanes } from './lanes.ts';
import { NodeWriter, StaleDecisionError, type WriterDeps } from './node-writer.ts';
import { mergePatchBetween } from './patches.ts';

/** What became of writes since this was asked last. */
export interface Applied {
  /** How many were done. */
  done: number;
  /** Nodes, by name, and policies, by `policyKey`, whose writes failed: nothing more is written for them in this pass. */
  failed: Set<string>;
  /** Those of them that failed for another reason than that the world has moved on. */
  refused: Map<string, unknown>;
}

/** Names a policy where nodes are named, too; no node has such a name. */
export const policyKey = (policy: string): string => `policy/${policy}`;

const CONCURRENCY = 16;

/** How an Applier waits for what it has begun. */
export interface Patience {
  clock: Clock;
  /** After so long, in milliseconds, it goes on without the nodes whose writes still are under way. */
  withinMs: number;
  /** Writes that it did not wait for have ended. */
  onLate: () => void;
}

/**
 * Carries out what was decided: claims first, then each node's commands in order, nodes side by side. A node whose writes are under
 * way is left alone until they have ended: with patience, the others need not wait for it.
 */
export class Applier {
  readonly #deps: WriterDeps;
  readonly #patience: Patience | undefined;
  readonly #lanes: Lanes;
  #outcomes: Record<LaneKind, Applied> = { act: nothing(), report: nothing() };
  /** Why nothing more may be written. */
  #over: { error: unknown } | undefined;

  /** Without patience it waits for all that it begins. */
  constructor(deps: WriterDeps, patience?: Patience) {
    this.#deps = deps;
    this.#patience = patience;
    this.#lanes = new Lanes(CONCURRENCY, patience?.clock ?? systemClock);
  }

  /** Nodes whose writes are under way. */
  get busy(): ReadonlySet<string> {
    return this.#lanes.busy;
  }

  /** What was refused, by name, among the writes that nobody has waited for. */
  takeLate(): ReadonlyMap<string, unknown> {
    return joined(this.#taken('act'), this.#taken('report')).refused;
  }

  /** Resolves when no write is under way any more. */
  async stop(): Promise<void> {
    await this.#lanes.settled();
  }

  /** Carries out claims, then commands; what is named in `skip` (as in `failed`) is left alone. Rejects only when the signal is aborted or the term is over. */
  async act(
    world: World,
    policies: readonly PolicyDecision[],
    nodes: readonly NodeDecision[],
    skip: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Applied> {
    const views = new Map(world.policies.map((policy) => [policy.name, policy]));
    const statuses = new Map(nodes.map(({ node, status }) => [node, status]));
    const claiming = policies.filter(({ claims, policy }) => claims !== undefined && !skip.has(policyKey(policy)));
    await forEachBounded(claiming, CONCURRENCY, async (decision) => {
      const view = views.get(decision.policy);
      const written = await this.#attempt('act', policyKey(decision.policy), signal, () => this.#writePolicy(view, decision, signal));
      if (written) this.#logClaims(view, decision, statuses);
    });
    const byName = new Map(world.nodes.map((node) => [node.name, node]));
    for (const { node, commands, status } of nodes) {
      const view = byName.get(node);
      if (view === undefined || commands.length === 0 || skip.has(node)) continue;
      this.#begin('act', node, async () => {
        const writer = new NodeWriter(this.#deps, view, signal);
        for (const command of commands) {
          this.#deps.sending?.(node);
          if (!(await this.#attempt('act', node, signal, () => writer.carryOut(command)))) return;
          if (command.type !== 'WriteStatus') this.#logCommand(node, command, status);
        }
      });
    }
    return this.#outcome('act');
  }

  /** Writes the statuses that are not as decided. Rejects only when the signal is aborted or the term is over. */
  async report(
    world: World,
    policies: readonly PolicyDecision[],
    nodes: readonly NodeDecision[],
    skip: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Applied> {
    const byName = new Map(world.nodes.map((node) => [node.name, node]));
    for (const { node, status } of nodes) {
      const view = byName.get(node);
      if (view?.update === undefined || skip.has(node)) continue;
      this.#begin('report', node, async () => {
        await this.#attempt('report', node, signal, () => new NodeWriter(this.#deps, view, signal).writeStatus(status));
      });
    }
    const told = await this.#outcome('report');
    const views = new Map(world.policies.map((policy) => [policy.name, policy]));
    await forEachBounded(
      policies.filter(({ policy }) => !skip.has(policyKey(policy))),
      CONCURRENCY,
      async (decision) => {
        await this.#attempt('report', policyKey(decision.policy), signal, () =>
          this.#writePolicy(views.get(decision.policy), decision, signal),
        );
      },
    );
    return joined(told, this.#taken('report'));
  }

  #begin(kind: LaneKind, node: string, work: () => Promise<void>): void {
    const outcome = this.#outcomes[kind];
    this.#lanes.start(kind, node, async () => {
      try {
        await work();
      } catch (error) {
        // Nobody may write any more: whoever looks at the outcome next is told.
        this.#over ??= { error };
      }
      // Whoever began it has taken the outcome, and waits no longer.
      if (outcome !== this.#outcomes[kind]) this.#patience?.onLate();
    });
  }

  /** What has become of writes of a kind, those begun by earlier decisions too. */
  async #outcome(kind: LaneKind): Promise<Applied> {
    await this.#lanes.settled(this.#patience?.withinMs);
    if (this.#over !== undefined) {
      await this.#lanes.settled();
      const { error } = this.#over;
      this.#over = undefined;
      throw error;
    }
    return this.#taken(kind);
  }

  #taken(kind: LaneKind): Applied {
    const outcome = this.#outcomes[kind];
    this.#outcomes[kind] = nothing();
    return outcome;
  }

  /** A policy's whole status in one patch under the resourceVersion that the decision saw: the claims are the lock. */
  async #writePolicy(view: PolicyView | undefined, { policy, status }: PolicyDecision, signal: AbortSignal): Promise<boolean> {
    if (view === undefined) throw new StaleDecisionError(`policy ${policy} is gone`);
    const patch = mergePatchBetween({ ...view.status }, { ...status });
    if (patch === undefined) return false;
    this.#deps.assertLeading();
    const body = { metadata: { resourceVersion: view.resourceVersion }, status: patch };
    this.#deps.reflectors.policies.observe(await this.#deps.client.mergePatch(kindPath(UPDATE_POLICY, policy, 'status'), body, { signal }));
    return true;
  }

  async #attempt(kind: LaneKind, name: string, signal: AbortSignal, work: () => Promise<boolean>): Promise<boolean> {
    try {
      this.#deps.assertLeading();
      if (await work()) this.#outcomes[kind].done += 1;
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NotLeadingError) throw error;
      this.#outcomes[kind].failed.add(name);
      const stale = error instanceof StaleDecisionError || isConflict(error) || isNotFound(error);
      if (stale) this.#deps.logger.debug({ name, error }, 'the world has moved on: deciding anew');
      else this.#outcomes[kind].refused.set(name, error);
      return false;
    }
  }

  #logCommand(node: string, command: Command, status: NodeUpdateStatus): void {
    const { policy, reason, message } = status;
    this.#deps.logger.info({ action: command.type, node, policy, ...detailsOf(command, status), reason, why: message }, 'acted');
  }

  #logClaims(view: PolicyView | undefined, { policy, claims = [] }: PolicyDecision, statuses: ReadonlyMap<string, NodeUpdateStatus>): void {
    const before = view?.status.claims ?? [];
    const log = (action: 'Claim' | 'DropClaim', { id, node }: Claim): void => {
      const { from, target, reason, message = 'the node is gone' } = statuses.get(node) ?? {};
      this.#deps.logger.info({ action, node, policy, claim: id, from, to: target, reason, why: message }, 'acted');
    };
    const isIn = (list: readonly Claim[], { id }: Claim): boolean => list.some((claim) => claim.id === id);
    for (const claim of claims) if (!isIn(before, claim)) log('Claim', claim);
    for (const claim of before) if (!isIn(claims, claim)) log('DropClaim', claim);
  }
}

const nothing = (): Applied => ({ done: 0, failed: new Set(), refused: new Map() });

const joined = (a: Applied, b: Applied): Applied => ({
  done: a.done + b.done,
  failed: a.failed.union(b.failed),
  refused: new Map([...a.refused, ...b.refused]),
});

const recorded = ({ claim, from, target, urgent }: CordonRecord) => ({ claim, from, to: target, ...(urgent && { urgent }) });

/** What the audit trail tells of a command besides its node: a node that has landed says no longer where it came from, its record does. */
function detailsOf(command: Command, { claim, from, target }: NodeUpdateStatus): object {
  switch (command.type) {
    case 'Order':
      return { claim, from, to: command.order.version ?? target, order: command.order.action, orderID: command.order.id };
    case 'OrderReboot': {
      const { order, record } = command;
      return { ...recorded(record), order: order.action, orderID: order.id, bootID: order.bootID };
    }
    case 'Cordon':
    case 'UpdateRecord':
    case 'Uncordon':
      return recorded(command.record);
    case 'RunHook': {
      const { at, namespace, name, cronJob } = command.hook;
      return { claim: command.hook.claim, from, to: target, hook: at, cronJob: `${namespace}/${cronJob}`, job: `${namespace}/${name}` };
    }
    case 'Fence':
      return { claim: command.claim, from, to: target };
    case 'CreateObjects':
    case 'WriteStatus':
    case 'LabelManaged':
    case 'SetRefresh':
    case 'CordonAgain':
    case 'Untaint':
    case 'Sweep':
      return { claim, from, to: target };
  }
}

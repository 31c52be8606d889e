import { kindPath, UPDATE_POLICY } from '../api/kinds.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Command, NodeDecision, PolicyDecision } from '../core/command.ts';
import type { PolicyView, World } from '../core/world.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { forEachBounded } from './bounded.ts';
import { NodeWriter, StaleDecisionError, type WriterDeps } from './node-writer.ts';
import { mergePatchBetween } from './patches.ts';

/** What became of the writes of a decision. */
export interface Applied {
  /** How many writes were done. */
  done: number;
  /** Nodes and policies whose writes failed: nothing more is written for them in this pass. */
  failed: Set<string>;
}

const CONCURRENCY = 16;

/** Carries out what was decided: claims first, then each node's commands in order, nodes side by side. */
export class Applier {
  readonly #deps: WriterDeps;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
  }

  /** Carries out claims, then commands; what is named in `skip` is left alone. Rejects only when the signal is aborted. */
  async act(
    world: World,
    policies: readonly PolicyDecision[],
    nodes: readonly NodeDecision[],
    skip: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Applied> {
    const applied: Applied = { done: 0, failed: new Set() };
    const views = new Map(world.policies.map((policy) => [policy.name, policy]));
    const claiming = policies.filter(({ claims, policy }) => claims !== undefined && !skip.has(policy));
    await forEachBounded(claiming, CONCURRENCY, async (decision) => {
      const view = views.get(decision.policy);
      const written = await this.#attempt(applied, decision.policy, signal, () => this.#writePolicy(view, decision, signal));
      if (written) this.#logClaims(view, decision);
    });
    const byName = new Map(world.nodes.map((node) => [node.name, node]));
    const busy = nodes.filter(({ commands, node }) => commands.length > 0 && !skip.has(node));
    await forEachBounded(busy, CONCURRENCY, async ({ node, commands, status }) => {
      const view = byName.get(node);
      if (view === undefined) return;
      const writer = new NodeWriter(this.#deps, world, view, signal);
      for (const command of commands) {
        if (!(await this.#attempt(applied, node, signal, () => writer.carryOut(command)))) return;
        if (command.type !== 'WriteStatus') this.#logCommand(node, command, status);
      }
    });
    return applied;
  }

  /** Writes the statuses that are not as decided. Rejects only when the signal is aborted. */
  async report(
    world: World,
    policies: readonly PolicyDecision[],
    nodes: readonly NodeDecision[],
    skip: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Applied> {
    const applied: Applied = { done: 0, failed: new Set() };
    const byName = new Map(world.nodes.map((node) => [node.name, node]));
    await forEachBounded(
      nodes.filter(({ node }) => !skip.has(node)),
      CONCURRENCY,
      async ({ node, status }) => {
        const view = byName.get(node);
        if (view?.update === undefined) return;
        await this.#attempt(applied, node, signal, () => new NodeWriter(this.#deps, world, view, signal).writeStatus(status));
      },
    );
    const views = new Map(world.policies.map((policy) => [policy.name, policy]));
    await forEachBounded(
      policies.filter(({ policy }) => !skip.has(policy)),
      CONCURRENCY,
      async (decision) => {
        await this.#attempt(applied, decision.policy, signal, () => this.#writePolicy(views.get(decision.policy), decision, signal));
      },
    );
    return applied;
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

  async #attempt(applied: Applied, name: string, signal: AbortSignal, work: () => Promise<unknown>): Promise<boolean> {
    try {
      this.#deps.assertLeading();
      if ((await work()) !== false) applied.done += 1;
      return true;
    } catch (error) {
      signal.throwIfAborted();
      applied.failed.add(name);
      const stale = error instanceof StaleDecisionError || isConflict(error) || isNotFound(error);
      if (stale) this.#deps.logger.debug({ name, error }, 'the world has moved on: deciding anew');
      else this.#deps.logger.warn({ name, error }, 'a write failed; it is tried again');
      return false;
    }
  }

  #logCommand(node: string, command: Command, status: NodeUpdateStatus): void {
    const order =
      command.type === 'Order' || command.type === 'OrderReboot' ? { order: command.order.action, orderID: command.order.id } : {};
    const { policy, from, target, reason, message } = status;
    this.#deps.logger.info({ action: command.type, node, ...order, policy, from, to: target, reason, why: message }, 'acted');
  }

  #logClaims(view: PolicyView | undefined, { policy, claims = [] }: PolicyDecision): void {
    const before = view?.status.claims ?? [];
    for (const { id, node } of claims)
      if (!before.some((claim) => claim.id === id)) this.#deps.logger.info({ action: 'Claim', node, policy, claim: id }, 'acted');
    for (const { id, node } of before)
      if (!claims.some((claim) => claim.id === id)) this.#deps.logger.info({ action: 'DropClaim', node, policy, claim: id }, 'acted');
  }
}

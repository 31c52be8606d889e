import type { CordonRecord } from '../api/cordon-record.ts';
import { kindPath, UPDATE_POLICY } from '../api/kinds.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Claim } from '../api/update-policy.ts';
import type { Command, NodeDecision, PolicyDecision } from '../core/command.ts';
import type { PolicyView, World } from '../core/world.ts';
import type { Clock } from '../kube/clock.ts';
import { NotLeadingError } from '../kube/elector.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { forEachBounded } from './bounded.ts';
import { NodeWriter, StaleDecisionError, type WriterDeps } from './node-writer.ts';
import { mergePatchBetween } from './patches.ts';

/** What became of the writes of a decision. */
export interface Applied {
  /** How many writes were done. */
  done: number;
  /** Nodes, by name, and policies, by `policyKey`, whose writes failed: nothing more is written for them in this pass. */
  failed: Set<string>;
  /** Those of them that failed for another reason than that the world has moved on. */
  refused: Map<string, unknown>;
  /** Nodes that nothing was written for, as others have news: what is decided for them is to be decided anew. */
  left: Set<string>;
}

/** What carrying out decisions needs. */
export interface ApplierDeps extends WriterDeps {
  clock: Pick<Clock, 'monotonic'>;
  /** Whether a node has news since the decision; default: none has. */
  hasNews?: () => boolean;
}

/** Names a policy where nodes are named, too; no node has such a name. */
export const policyKey = (policy: string): string => `policy/${policy}`;

const CONCURRENCY = 16;
/** So long, in milliseconds, news of a node wait for writes of other nodes to begin: each decision anew costs time, too. */
const SLICE_MS = 50;

/**
 * Carries out what was decided: claims first, then each node's commands in order, nodes side by side. Where there is much to write and
 * a node has news meanwhile, a part of the nodes is left to the next decision: never some of one node's commands.
 */
export class Applier {
  readonly #deps: ApplierDeps;
  readonly #writing = new Set<string>();

  constructor(deps: ApplierDeps) {
    this.#deps = deps;
  }

  /** Whether a node is written to at this moment. */
  isWriting(node: string): boolean {
    return this.#writing.has(node);
  }

  /** Carries out claims, then commands; what is named in `skip` (as in `failed`) is left alone. Rejects only when the signal is aborted or the term is over. */
  async act(
    world: World,
    policies: readonly PolicyDecision[],
    nodes: readonly NodeDecision[],
    skip: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Applied> {
    const applied = nothingApplied();
    const views = new Map(world.policies.map((policy) => [policy.name, policy]));
    const statuses = new Map(nodes.map(({ node, status }) => [node, status]));
    const claiming = policies.filter(({ claims, policy }) => claims !== undefined && !skip.has(policyKey(policy)));
    await forEachBounded(claiming, CONCURRENCY, async (decision) => {
      const view = views.get(decision.policy);
      const written = await this.#attempt(applied, policyKey(decision.policy), signal, () => this.#writePolicy(view, decision, signal));
      if (written) this.#logClaims(view, decision, statuses);
    });
    const byName = new Map(world.nodes.map((node) => [node.name, node]));
    const busy = nodes.filter(({ commands, node }) => commands.length > 0 && !skip.has(node));
    // Somebody waits for a node in flight: its commands come before the downloads and objects of all others.
    const isInFlight = ({ node }: NodeDecision): boolean => byName.get(node)?.record !== undefined;
    const inOrder = busy.toSorted((a, b) => Number(isInFlight(b)) - Number(isInFlight(a)));
    await this.#inSlice(inOrder, applied, async ({ node, commands, status }) => {
      const view = byName.get(node);
      if (view === undefined) return;
      const writer = new NodeWriter(this.#deps, view, signal);
      for (const command of commands) {
        this.#deps.sending?.(node);
        if (!(await this.#attempt(applied, node, signal, () => writer.carryOut(command)))) return;
        if (command.type !== 'WriteStatus') this.#logCommand(node, command, status);
      }
    });
    return applied;
  }

  /** Writes the statuses that are not as decided. Rejects only when the signal is aborted or the term is over. */
  async report(
    world: World,
    policies: readonly PolicyDecision[],
    nodes: readonly NodeDecision[],
    skip: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Applied> {
    const applied = nothingApplied();
    const byName = new Map(world.nodes.map((node) => [node.name, node]));
    await this.#inSlice(
      nodes.filter(({ node }) => !skip.has(node)),
      applied,
      async ({ node, status }) => {
        const view = byName.get(node);
        if (view?.update === undefined) return;
        await this.#attempt(applied, node, signal, () => new NodeWriter(this.#deps, view, signal).writeStatus(status));
      },
    );
    const views = new Map(world.policies.map((policy) => [policy.name, policy]));
    await forEachBounded(
      policies.filter(({ policy }) => !skip.has(policyKey(policy))),
      CONCURRENCY,
      async (decision) => {
        await this.#attempt(applied, policyKey(decision.policy), signal, () =>
          this.#writePolicy(views.get(decision.policy), decision, signal),
        );
      },
    );
    return applied;
  }

  /** Works on nodes in their order until there is news and the turn of others is over. */
  async #inSlice(nodes: readonly NodeDecision[], applied: Applied, work: (node: NodeDecision) => Promise<void>): Promise<void> {
    const { clock, hasNews = () => false } = this.#deps;
    const since = clock.monotonic();
    let begun = 0;
    await forEachBounded(nodes, CONCURRENCY, async (decision) => {
      const { node } = decision;
      if (begun >= CONCURRENCY && clock.monotonic() - since >= SLICE_MS && hasNews()) {
        applied.left.add(node);
        return;
      }
      begun += 1;
      this.#writing.add(node);
      try {
        await work(decision);
      } finally {
        this.#writing.delete(node);
      }
    });
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

  async #attempt(applied: Applied, name: string, signal: AbortSignal, work: () => Promise<boolean>): Promise<boolean> {
    try {
      this.#deps.assertLeading();
      if (await work()) applied.done += 1;
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NotLeadingError) throw error;
      applied.failed.add(name);
      const stale = error instanceof StaleDecisionError || isConflict(error) || isNotFound(error);
      if (stale) this.#deps.logger.debug({ name, error }, 'the world has moved on: deciding anew');
      else applied.refused.set(name, error);
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

const nothingApplied = (): Applied => ({ done: 0, failed: new Set(), refused: new Map(), left: new Set() });

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

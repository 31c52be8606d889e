import { isDeepStrictEqual } from 'node:util';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { UpdatePolicyStatus } from '../api/update-policy.ts';
import type { NodeDecision, PolicyDecision } from '../core/command.ts';
import type { Instant, World } from '../core/world.ts';

/** How often mere progress (pods left, counts) is written, in milliseconds. */
const PROGRESS_MS = 5_000;
/** How long a reason that is about to pass must last to be written, in milliseconds. */
const PASSING_MS = 1_000;

/**
 * Keeps mere progress from being written more often than every 5 s, and what is over within a second from being written at all:
 * what a person or a crash recovery depends on passes at once.
 */
export class ProgressThrottle {
  readonly #written = new Map<string, Instant>();
  /** Since when a node is at what is about to pass. */
  readonly #passing = new Map<string, Instant>();
  /** Nodes that were picked, and not written. */
  #left: ReadonlySet<string> = new Set();

  /** What is to be written now, and when what was held back is due. */
  pick(world: World, policies: readonly PolicyDecision[], nodes: readonly NodeDecision[], now: Instant) {
    let due: Instant | undefined;
    const pass = (key: string, before: object | undefined, after: object, essence: (status: object) => object): boolean => {
      if (before !== undefined && isDeepStrictEqual(before, after)) return false;
      const last = this.#written.get(key);
      const minor = before !== undefined && isDeepStrictEqual(essence(before), essence(after));
      // The API server's clock may go back: what was written in its future is long ago.
      if (minor && last !== undefined && now >= last && now - last < PROGRESS_MS) {
        due = Math.min(due ?? Number.POSITIVE_INFINITY, last + PROGRESS_MS);
        return false;
      }
      this.#written.set(key, now);
      return true;
    };
    const lasts = (node: string, { reason }: NodeUpdateStatus): boolean => {
      if (reason !== 'Preflight') {
        this.#passing.delete(node);
        return true;
      }
      const since = this.#passing.get(node) ?? now;
      this.#passing.set(node, since);
      if (now - since >= PASSING_MS) return true;
      due = Math.min(due ?? Number.POSITIVE_INFINITY, since + PASSING_MS);
      return false;
    };
    const nodeViews = new Map(world.nodes.map((node) => [node.name, node.update?.status]));
    const policyViews = new Map(world.policies.map((policy) => [policy.name, policy.status]));
    const picked = {
      nodes: nodes
        .filter(
          ({ node, status }) =>
            lasts(node, status) && pass(`node ${node}`, nodeViews.get(node), status, (status) => nodeEssence(status as NodeUpdateStatus)),
        )
        .sort((a, b) => Number(this.#left.has(b.node)) - Number(this.#left.has(a.node))),
      policies: policies.filter(({ policy, status }) =>
        pass(`policy ${policy}`, policyViews.get(policy), status, (status) => policyEssence(status as UpdatePolicyStatus)),
      ),
    };
    for (const key of this.#written.keys()) {
      const [kind, name = ''] = key.split(' ');
      if (!(kind === 'node' ? nodeViews : policyViews).has(name)) this.#written.delete(key);
    }
    for (const node of this.#passing.keys()) if (!nodeViews.has(node)) this.#passing.delete(node);
    return { ...picked, due };
  }

  /** Counts these nodes' statuses, which were picked last, as not written: the next time they come first. */
  left(nodes: ReadonlySet<string>): void {
    this.#left = nodes;
    for (const node of nodes) this.#written.delete(`node ${node}`);
  }

  /** Counts a policy's status as written: its claims' write carried it. */
  wrote(policy: string, now: Instant): void {
    this.#written.set(`policy ${policy}`, now);
  }
}

function nodeEssence(status: NodeUpdateStatus): object {
  if (status.phase !== 'Draining' && status.phase !== 'Blocked') return status;
  const { drain: _drain, message: _message, ...essence } = status;
  return essence;
}

function policyEssence({ counts: _counts, summary: _summary, conditions = [], rollouts = [], ...essence }: UpdatePolicyStatus): object {
  return {
    ...essence,
    rollouts: rollouts.map(({ updated: _updated, ...rollout }) => rollout),
    conditions: conditions.map(({ type, status, reason }) => (type === 'Progressing' ? { type } : { type, status, reason })),
  };
}

import type { Phase } from '../../api/node-update.ts';
import type { Decision } from '../command.ts';
import { asReason, type Reason } from '../reasons.ts';
import type { Instant, NodeView, PolicyView, World } from '../world.ts';
import type { Machine, SimNode } from './objects.ts';
import type { Witness } from './witness.ts';

/** Why a node was where it was, from a time on. */
export interface Stay {
  at: Instant;
  phase: Phase;
  reason: Reason;
  message: string;
}

/** What becomes of one node. */
export interface NodeForecast {
  node: string;
  policy?: string;
  from?: string;
  /** The version that it is brought to. */
  to?: string;
  /** When its download is done; absent where that was so before. */
  stagedAt?: Instant;
  /** This and what follows: when, in its last turn; absent where it does not come to that, or has before. */
  claimedAt?: Instant;
  cordonedAt?: Instant;
  /** When its reboot is ordered. */
  drainedAt?: Instant;
  rebootedAt?: Instant;
  uncordonedAt?: Instant;
  /** What it waited for, a stay for each change of phase or reason; the last one holds at the end of the forecast. */
  stays: readonly Stay[];
}

/** Stays of one node that are kept: the first, and the latest. */
const MAX_STAYS = 64;

type Draft = { -readonly [Key in keyof NodeForecast]: NodeForecast[Key] } & { stays: Stay[]; turn: number };
type Status = Decision['nodes'][number]['status'];

/** Writes down what becomes of every node in a simulated cluster. */
export class Timeline implements Witness {
  readonly #clock: { readonly now: Instant };
  readonly #drafts = new Map<string, Draft>();
  readonly #statuses = new Map<string, Status>();
  #claims = 0;

  constructor(clock: { readonly now: Instant }) {
    this.#clock = clock;
  }

  /** Nodes that are behind, or still in flight. */
  get left(): readonly string[] {
    return [...this.#drafts.values()].filter((draft) => !isDone(draft)).map(({ node }) => node);
  }

  /** When the last node got to where it is. */
  get settledAt(): Instant {
    return Math.max(...[...this.#drafts.values()].map(({ stays }) => stays.at(-1)?.at ?? Number.NEGATIVE_INFINITY));
  }

  /** Every node, those that were claimed in the order in which they were, then the others by name. */
  get nodes(): NodeForecast[] {
    return [...this.#drafts.values()].sort((a, b) => a.turn - b.turn || (a.node < b.node ? -1 : 1)).map(({ turn: _, ...node }) => node);
  }

  decided(_world: World, { nodes }: Decision): void {
    for (const { node, status } of nodes) {
      if (this.#statuses.get(node) === status) continue;
      this.#statuses.set(node, status);
      this.#stays(this.#draft(node), status);
    }
  }

  policyWritten(_world: World, before: PolicyView, after: PolicyView): void {
    const old = new Set(before.status.claims?.map(({ id }) => id));
    for (const { id, node } of after.status.claims ?? []) {
      if (old.has(id)) continue;
      const { cordonedAt: _cordoned, drainedAt: _drained, rebootedAt: _rebooted, uncordonedAt: _uncordoned, ...draft } = this.#draft(node);
      this.#claims += 1;
      this.#drafts.set(node, { ...draft, claimedAt: this.#clock.now, turn: this.#claims });
    }
  }

  nodeWritten(before: SimNode, after: SimNode): void {
    if (before.record === undefined && after.record !== undefined) this.#draft(after.name).cordonedAt = this.#clock.now;
    if (before.record !== undefined && after.record === undefined) this.#draft(after.name).uncordonedAt = this.#clock.now;
  }

  ordersReboot(_world: World, { name }: NodeView): void {
    this.#draft(name).drainedAt ??= this.#clock.now;
  }

  boots({ name }: Machine): void {
    this.#draft(name).rebootedAt = this.#clock.now;
  }

  #draft(node: string): Draft {
    const draft = this.#drafts.get(node) ?? { node, stays: [], turn: Number.MAX_SAFE_INTEGER };
    this.#drafts.set(node, draft);
    return draft;
  }

  #stays(draft: Draft, { policy, from, target, phase = 'Idle', reason, message = '' }: Status): void {
    if (policy !== undefined) draft.policy = policy;
    if (from !== undefined) draft.from ??= from;
    if (target !== undefined) draft.to = target;
    const { stays } = draft;
    const { now: at } = this.#clock;
    if (phase === 'Staged' && stays.length > 0 && !stays.some((stay) => stay.phase === 'Staged')) draft.stagedAt ??= at;
    // What holds for no time at all is no stay.
    if (stays.at(-1)?.at === at) stays.pop();
    const stay: Stay = { at, phase, reason: asReason(reason) ?? 'NoPolicy', message };
    const last = stays.at(-1);
    if (last?.phase === stay.phase && last.reason === stay.reason) stays[stays.length - 1] = { ...stay, at: last.at };
    else stays.push(stay);
    if (stays.length > MAX_STAYS) stays.splice(1, 1);
  }
}

const isDone = ({ stays }: Draft): boolean => {
  const reason = stays.at(-1)?.reason;
  return reason === 'UpToDate' || reason === 'NoPolicy';
};

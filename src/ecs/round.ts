import { isDeepStrictEqual } from 'node:util';
import { forEachBounded } from '../controller/bounded.ts';
import type { Command, Decision, NodeDecision } from '../core/command.ts';
import { decide } from '../core/decide.ts';
import type { Instant, World } from '../core/world.ts';
import { withAdvice } from './advice.ts';
import { NotLeading, Stale } from './errors.ts';
import { HostTurns, type HostTurnsDeps } from './host-turns.ts';
import { dueAt } from './hosts.ts';

/** What a round is made with. */
export interface RoundDeps extends HostTurnsDeps {
  onDecision?: (world: World, decision: Decision, milliseconds: number) => void;
}

/** When to make the next round. */
export interface Outcome {
  /** Something is under way that is to be looked at soon. */
  busy: boolean;
  /** When time alone may change the decision; absent where it does not. */
  wakeAt?: Instant;
  /** Something could not be done, and is tried again. */
  failed: boolean;
}

const CONCURRENCY = 8;
/** A node walks at most a handful of steps at once, and nothing may spin. */
const MAX_PASSES = 12;
/** Rounds over one cluster: reads it, goes on with its hosts, decides, and does what was decided. */
export class Rounds {
  readonly #deps: RoundDeps;
  readonly #hosts: HostTurns;
  /** What was last said to be wrong, by what it is about. */
  readonly #said = new Map<string, string>();

  constructor(deps: RoundDeps) {
    this.#deps = deps;
    this.#hosts = new HostTurns(deps);
  }

  /** One round. Rejects where the cluster cannot be read, or another process may act. */
  async round(): Promise<Outcome> {
    const { cluster, now } = this.#deps;
    await cluster.read(now());
    let failed = false;
    for (const [id, error] of cluster.unreadable) {
      failed = true;
      this.#say(id, error);
    }
    await forEachBounded(cluster.instances, CONCURRENCY, async (instance) => {
      failed = !(await this.#attempt(instance.id, () => this.#hosts.goOn(instance))) || failed;
    });
    const skip = new Set<string>();
    for (let pass = 0; pass < MAX_PASSES; pass += 1) {
      const world = cluster.world();
      const started = now();
      const decision = withAdvice(decide(world, started), cluster.place);
      this.#deps.onDecision?.(world, decision, now() - started);
      const acted = await this.#act(decision, skip);
      const looked = await cluster.want(decision);
      if ((acted || looked) && pass < MAX_PASSES - 1) continue;
      await this.#report(decision, skip);
      const busy = this.#isBusy(decision);
      const wakes = [decision.wakeAt, ...cluster.instances.map((one) => dueAt(one.record, one.id))].filter((at) => at !== undefined);
      const wakeAt = wakes.length === 0 ? undefined : Math.min(...wakes);
      return { busy, failed: failed || skip.size > 0, ...(wakeAt !== undefined && { wakeAt }) };
    }
    return { busy: true, failed: true };
  }

  #isBusy({ nodes, drains }: Decision): boolean {
    const { cluster } = this.#deps;
    const underWay = new Set(['Staging', 'Draining', 'Rebooting', 'Verifying', 'RollingBack', 'Uncordoning']);
    return (
      drains.length > 0 ||
      nodes.some(({ status }) => underWay.has(status.phase ?? '')) ||
      cluster.instances.some(({ record }) => record.command !== undefined || record.cordon !== undefined)
    );
  }

  /** Claims first, then each instance's commands in order; true where something was done. */
  async #act(decision: Decision, skip: Set<string>): Promise<boolean> {
    const { cluster, logger } = this.#deps;
    let done = false;
    for (const policy of decision.policies) {
      const key = `policy/${policy.policy}`;
      if (policy.claims === undefined || skip.has(key)) continue;
      if (await this.#attempt(key, () => cluster.writePolicy(policy))) done = true;
      else skip.add(key);
    }
    await forEachBounded(
      decision.nodes.filter(({ node, commands }) => commands.length > 0 && !skip.has(node)),
      CONCURRENCY,
      async (one) => {
        const log = (command: Command): void => {
          if (command.type !== 'WriteStatus') logger.info({ action: command.type, node: one.node, ...why(one) }, 'acted');
        };
        const ok = await this.#attempt(one.node, async () => {
          done = (await cluster.carryOut(one, one.commands, log)) || done;
        });
        if (!ok) skip.add(one.node);
      },
    );
    return done;
  }

  async #report({ nodes, policies }: Decision, skip: ReadonlySet<string>): Promise<void> {
    const { cluster } = this.#deps;
    const known = new Map(cluster.instances.map((one) => [one.id, one.record.update]));
    const changed = nodes.filter(({ node, status }) => !skip.has(node) && known.has(node) && !isDeepStrictEqual(known.get(node), status));
    await forEachBounded(changed, CONCURRENCY, async (one) => {
      await this.#attempt(one.node, () => cluster.carryOut(one, [], () => {}));
    });
    for (const policy of policies) {
      if (skip.has(`policy/${policy.policy}`) || isDeepStrictEqual(plainOf(cluster.policyStatus(policy.policy)), plainOf(policy.status)))
        continue;
      await this.#attempt(`policy/${policy.policy}`, () => cluster.writePolicy(policy));
    }
  }

  /** False where it failed: the next round tries again. What is wrong is said once as long as it stays the same. */
  async #attempt(about: string, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      this.#said.delete(about);
      return true;
    } catch (error) {
      if (error instanceof NotLeading) throw error;
      const { logger } = this.#deps;
      if (error instanceof Stale) logger.debug({ about, error }, 'the world has moved on: deciding anew');
      else this.#say(about, error);
      return false;
    }
  }

  #say(about: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#said.get(about) !== message) this.#deps.logger.error({ about, error }, 'not done; tried again');
    this.#said.set(about, message);
  }
}

const why = ({ status: { policy, claim, from, target, reason, message } }: NodeDecision) => ({
  policy,
  claim,
  from,
  to: target,
  reason,
  why: message,
});

/** As it is once it was written and read. */
const plainOf = (value: object | undefined): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

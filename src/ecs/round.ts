import { isDeepStrictEqual } from 'node:util';
import { forEachBounded } from '../controller/bounded.ts';
import type { Command, Decision, NodeDecision } from '../core/command.ts';
import { decide } from '../core/decide.ts';
import type { Instant, World } from '../core/world.ts';
import type { Logger } from '../kube/logger.ts';
import type { SsmApi } from './aws.ts';
import type { EcsCluster } from './cluster.ts';
import { HostNotManaged, NotLeading, Stale } from './errors.ts';
import { learn, learnNothing } from './host-news.ts';
import { NoReport, plain, readReport } from './host-report.ts';
import { executionSeconds, type HostScript, scriptText } from './host-script.ts';
import { dueAt, nextFor } from './hosts.ts';
import type { Instance } from './instances.ts';

/** What a round is made with. */
export interface RoundDeps {
  cluster: EcsCluster;
  ssm: SsmApi;
  now: () => Instant;
  /** How often the cluster is read while something is under way, in milliseconds. */
  pollMs: number;
  /** Each host is asked for news in the first round, due or not. */
  anew: boolean;
  logger: Logger;
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
/** For how long a command is waited for that a host which goes down never ends: what it came to is learnt by looking, too. */
const LOOK_MS = 5_000;
const LOOK_POLLS = 3;
/** Seconds for which SSM tries to hand over a command that tells what a host runs, and one that takes longer. */
const DELIVERY_SECONDS = { soon: 60, patient: 300 } as const;

type Limits = Parameters<SsmApi['send']>[2];

/** Rounds over one cluster: reads it, goes on with its hosts, decides, and does what was decided. */
export class Rounds {
  readonly #deps: RoundDeps;
  /** By instance: when the last report that was read was asked for. */
  readonly #reportedAt = new Map<string, Instant>();
  /** Instances whose hosts were asked since this process began. */
  readonly #asked = new Set<string>();
  /** What was last said to be wrong, by what it is about. */
  readonly #said = new Map<string, string>();

  constructor(deps: RoundDeps) {
    this.#deps = deps;
  }

  /** One round. Rejects where the cluster cannot be read, or another process may act. */
  async round(): Promise<Outcome> {
    const { cluster, now } = this.#deps;
    await cluster.read(now());
    let failed = false;
    await forEachBounded(cluster.instances, CONCURRENCY, async (instance) => {
      failed = !(await this.#attempt(instance.id, () => this.#host(instance))) || failed;
    });
    const skip = new Set<string>();
    for (let pass = 0; pass < MAX_PASSES; pass += 1) {
      const world = cluster.world();
      const started = now();
      const decision = decide(world, started);
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

  /** Goes on with one host: reads what a command came to, and sends the next. */
  async #host(seen: Instance): Promise<void> {
    const { cluster, now, logger } = this.#deps;
    const before = cluster.isUnsaved(seen) ? await cluster.write(seen, seen.record) : seen;
    const instance = before.record.command === undefined ? before : await this.#collect(before);
    const reportedAt = this.#reportedAt.get(instance.arn);
    const next = nextFor(instance.record, {
      name: instance.id,
      connected: instance.record.ready?.status === true,
      now: now(),
      anew: this.#deps.anew && !this.#asked.has(instance.arn),
      ...(reportedAt !== undefined && { reportedAt }),
    });
    switch (next.do) {
      case 'nothing':
        return;
      case 'write':
        return this.#host(await cluster.write(instance, next.record));
      case 'send': {
        // What an earlier process has written is not written again.
        const isNews = next.record !== undefined && !isDeepStrictEqual(next.record, instance.record);
        const written = isNews ? await cluster.write(instance, next.record ?? instance.record) : instance;
        const { script } = next;
        this.#asked.add(instance.arn);
        const at = now();
        const limits = {
          deliverySeconds: script.kind === 'Stage' ? DELIVERY_SECONDS.patient : DELIVERY_SECONDS.soon,
          executionSeconds: executionSeconds(script),
        };
        const id = await this.#send(written, script, limits, next.order);
        if (id === undefined) return;
        logger.info({ action: script.kind, node: written.id, order: next.order, command: id }, 'asked the host');
        const { reboot } = written.record;
        const until = at + this.#patienceMs(script, limits);
        await cluster.write(written, {
          ...written.record,
          command: { id, kind: script.kind, at, until, ...(next.order !== undefined && { order: next.order }) },
          ...(script.kind === 'Reboot' && reboot !== undefined && { reboot: { ...reboot, sent: true } }),
        });
      }
    }
  }

  #patienceMs({ kind }: HostScript, { deliverySeconds, executionSeconds }: Limits): number {
    const { pollMs } = this.#deps;
    switch (kind) {
      case 'Reboot':
        return pollMs;
      case 'Look':
        return Math.max(LOOK_MS, LOOK_POLLS * pollMs);
      case 'Refresh':
      case 'Stage':
      case 'Cancel':
        return (deliverySeconds + executionSeconds + 60) * 1000;
    }
  }

  /** Sends a script; undefined where SSM does not know the host, which is kept. */
  async #send(instance: Instance, script: HostScript, limits: Limits, order: string | undefined): Promise<string | undefined> {
    const { cluster, ssm, now, logger } = this.#deps;
    try {
      return await ssm.send(instance.id, scriptText(script), limits);
    } catch (error) {
      if (!(error instanceof HostNotManaged)) throw error;
      if (instance.record.unreachable === undefined) logger.warn({ node: instance.id, error }, 'the host cannot be asked');
      const awaited = instance.record.host.status.answer?.state === 'RebootAsked';
      if (!awaited)
        await cluster.write(instance, learnNothing(instance.record, { kind: script.kind, order, at: now() }, error.message, now()));
      return undefined;
    }
  }

  async #collect(instance: Instance): Promise<Instance> {
    const { cluster, ssm, now, logger } = this.#deps;
    const { command } = instance.record;
    if (command === undefined) return instance;
    const result = await ssm.result(command.id, instance.id);
    // A host that goes down never tells that it does.
    const wentDown = (command.kind === 'Reboot' || command.kind === 'Look') && instance.record.ready?.status === false;
    const over = wentDown || now() >= command.until;
    if (!result.ended && !over) return instance;
    try {
      if (!result.ended) throw new NoReport('it did not answer in time');
      const report = readReport(result.output);
      const record = learn(instance.record, report, command, now());
      this.#reportedAt.set(instance.arn, command.at);
      const told = typeof report.result === 'string' ? report.result : `refused: ${report.result.refused}`;
      logger.info({ action: command.kind, node: instance.id, command: command.id, result: told }, 'the host has answered');
      return await cluster.write(instance, record);
    } catch (error) {
      if (!(error instanceof NoReport)) throw error;
      // A host that goes down, or is not back yet, is expected to say nothing.
      const awaited = instance.record.host.status.answer?.state === 'RebootAsked';
      const words = `${result.status ?? 'no answer'}: ${plain(result.errors) || error.message}`;
      if (!awaited) logger.warn({ action: command.kind, node: instance.id, command: command.id, error, words }, 'the host gave no report');
      const { command: _command, ...waiting } = instance.record;
      return await cluster.write(instance, awaited ? waiting : learnNothing(instance.record, command, words, now()));
    }
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
      else {
        const message = error instanceof Error ? error.message : String(error);
        if (this.#said.get(about) !== message) logger.error({ about, error }, 'not done; tried again');
        this.#said.set(about, message);
      }
      return false;
    }
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

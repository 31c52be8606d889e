import { isDeepStrictEqual } from 'node:util';
import type { Instant } from '../core/world.ts';
import type { Logger } from '../kube/logger.ts';
import type { EcsCluster } from './cluster.ts';
import { HostNotManaged } from './errors.ts';
import { learn, learnNothing } from './host-news.ts';
import { NoReport, plain, readReport } from './host-report.ts';
import { executionSeconds, type HostScript, scriptText } from './host-script.ts';
import { nextFor } from './hosts.ts';
import type { Instance } from './instances.ts';
import type { SsmApi } from './ssm-api.ts';

/** What hosts are asked with. */
export interface HostTurnsDeps {
  cluster: EcsCluster;
  ssm: SsmApi;
  now: () => Instant;
  /** How often the cluster is read while something is under way, in milliseconds. */
  pollMs: number;
  /** Each host is asked for news in the first round, due or not. */
  anew: boolean;
  logger: Logger;
}

/** For how long a command is waited for that a host which goes down never ends: what it came to is learnt by looking, too. */
const LOOK_MS = 5_000;
const LOOK_POLLS = 3;
/** Seconds for which SSM tries to hand over a command that tells what a host runs, and one that takes longer. */
const DELIVERY_SECONDS = { soon: 60, patient: 300 } as const;

type Limits = Parameters<SsmApi['send']>[2];

/** Asks hosts by commands of Systems Manager, one at a time on each, and keeps what they answer. */
export class HostTurns {
  readonly #deps: HostTurnsDeps;
  /** By instance: when the last report that was read was asked for. */
  readonly #reportedAt = new Map<string, Instant>();
  /** Instances whose hosts were asked since this process began. */
  readonly #asked = new Set<string>();

  constructor(deps: HostTurnsDeps) {
    this.#deps = deps;
  }

  /** Goes on with one host: reads what a command came to, and sends the next. */
  async goOn(seen: Instance): Promise<void> {
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
        return this.goOn(await cluster.write(instance, next.record));
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
}

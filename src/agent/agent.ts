import { backoffMs } from '../kube/backoff.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { rebootDone } from './answers.ts';
import type { HostClient } from './host-client.ts';
import { HostError, HostProtocol, HostSocketDead } from './host-errors.ts';
import { isSameOrder, type Letter, type LetterOrder } from './letter.ts';
import { Letterbox, type LetterboxClient, LetterboxGone } from './letterbox.ts';
import { OrderFailed, orderFailedBy } from './order-failed.ts';
import { Orders } from './orders.ts';
import { Refreshes } from './refreshes.ts';
import { restoreSettings, settingsLeftOnHost } from './settings.ts';
import { type HostTimings, UpdateHost } from './update-host.ts';
import { Wake } from './wake.ts';

export interface AgentOptions {
  readonly node: string;
  readonly version: string;
  readonly kube: LetterboxClient;
  readonly host: HostClient;
  readonly readBootID: () => Promise<string>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly timings?: Partial<HostTimings>;
}

const failureBackoff = { baseMs: 1_000, maxMs: 60_000, jitter: 0.5 };
/** An order that only a new boot can end is looked at again this often, and so is a NodeHost that cannot be written. */
const waitingOrderMs = 30_000;
/** The boot ID, while a reboot is awaited: costs one read of a file. */
const bootIDPollMs = 1_000;

/** The agent of one node: reads its NodeHost, carries out its order, reports what its host is. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #letterbox: Letterbox;
  readonly #update: UpdateHost;
  readonly #orders: Orders;
  readonly #refreshes: Refreshes;
  readonly #wake: Wake;
  /** The boot for which the host was asked what it runs. */
  #factsOf: string | undefined;
  #soughtLeftovers = false;
  #triedOrder: { order: LetterOrder; againAt: number } | undefined;
  #restoreAt = 0;

  constructor(options: AgentOptions) {
    const { clock, host, kube: client, logger, node: name, random, timings = {} } = options;
    this.#options = options;
    this.#wake = new Wake(clock);
    this.#letterbox = new Letterbox({ client, name, clock, logger, random, onChange: () => this.#wake.ring() });
    this.#update = new UpdateHost({ host, notebook: this.#letterbox, clock, logger, timings });
    this.#orders = new Orders({ update: this.#update, letterbox: this.#letterbox, readBootID: options.readBootID });
    this.#refreshes = new Refreshes(this.#update, random);
  }

  /** Works until `signal` is aborted; then resolves. Rejects with HostSocketDead where only a restart of the container helps. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const watching = this.#letterbox.run(AbortSignal.any([signal, ended.signal]));
    try {
      await this.#work(signal);
    } finally {
      ended.abort();
      await watching;
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const waitMs = await this.#round(signal);
        failures = 0;
        await this.#wake.sleep(waitMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof HostSocketDead) throw error;
        failures += 1;
        const waitMs = backoffMs(failureBackoff, failures, this.#options.random);
        if (!(error instanceof LetterboxGone))
          this.#options.logger.error({ error, failures, waitMs: Math.round(waitMs) }, 'cannot go on yet');
        await this.#wake.sleep(waitMs, signal);
      }
    }
  }

  /** Does what there is to do. Resolves with the time until the next round that nobody calls for; undefined: none. */
  async #round(signal: AbortSignal): Promise<number | undefined> {
    const { letter } = this.#letterbox;
    if (letter === undefined) return undefined;
    await this.#learnFacts(letter, await this.#options.readBootID(), signal);
    this.#refreshes.ignoreWaves(letter.ignoreWaves);
    await this.#carryOut(letter.order, signal);
    await this.#restore(signal);
    const rebootAwaited = this.#letterbox.status.answer?.state === 'RebootAsked';
    // Between an activation and its reboot the host is left alone.
    const refreshMs = rebootAwaited ? undefined : await this.#refreshes.refreshIfDue(letter.refreshIntervalMs, signal);
    // Nor is the API server troubled for what the next boot makes void.
    if (!rebootAwaited) await this.#letterbox.write({}, signal);
    return least([refreshMs, rebootAwaited ? bootIDPollMs : undefined, this.#orderWaitMs(), this.#restoreWaitMs()]);
  }

  /** What the host runs, and under which boot. A boot that is new ends the reboot that was asked for under the one before. */
  async #learnFacts({ order }: Letter, bootID: string, signal: AbortSignal): Promise<void> {
    const { clock, version: agentVersion, host } = this.#options;
    const known = this.#letterbox.status;
    if (this.#factsOf !== bootID) {
      try {
        const { version, variant, arch } = await host.os(signal);
        this.#factsOf = bootID;
        this.#letterbox.note({ version, variant, arch, agentVersion });
      } catch (error) {
        // Under the same boot it is the same OS. Under a new one nothing may be reported without its version.
        if (!(error instanceof HostError) || error instanceof HostSocketDead) throw error;
        if (known.bootID !== bootID || !known.version) {
          // It will not pass by itself, as a host that is not up yet does.
          if (error instanceof HostProtocol) {
            this.#update.noteTrouble(orderFailedBy(error, 'Internal'));
            await this.#letterbox.write({}, signal);
          }
          throw error;
        }
        this.#options.logger.warn({ error }, 'the host does not say what it runs');
      }
    }
    if (known.bootID !== bootID) {
      this.#refreshes.startAnew();
      this.#triedOrder = undefined;
      this.#letterbox.note({ bootID, staged: null });
    }
    const { answer } = known;
    const askedUnder = order?.id === answer?.id ? order?.bootID : known.bootID;
    if (answer?.state === 'RebootAsked' && askedUnder !== undefined && askedUnder !== bootID) {
      this.#letterbox.note({ answer: rebootDone(answer, clock.now()) });
    }
    await this.#seekLeftovers(signal);
  }

  async #seekLeftovers(signal: AbortSignal): Promise<void> {
    if (this.#soughtLeftovers) return;
    if (this.#letterbox.status.savedSettings === undefined) {
      const left = await settingsLeftOnHost(this.#update, signal);
      if (left) this.#letterbox.note({ savedSettings: left });
    }
    this.#soughtLeftovers = true;
  }

  async #carryOut(order: LetterOrder | undefined, signal: AbortSignal): Promise<void> {
    if (order === undefined || this.#orders.isAnswered(order)) {
      this.#triedOrder = undefined;
      return;
    }
    if (isSameOrder(this.#triedOrder?.order, order) && (this.#orderWaitMs() ?? 0) > 0) return;
    await this.#orders.carryOut(order, signal);
    this.#triedOrder = this.#orders.isAnswered(order) ? undefined : { order, againAt: this.#now() + waitingOrderMs };
  }

  /** Settings that an order left changed, because the host would not take them back then or because we were killed. */
  async #restore(signal: AbortSignal): Promise<void> {
    if (this.#letterbox.status.savedSettings === undefined || this.#now() < this.#restoreAt) return;
    this.#restoreAt = this.#now() + waitingOrderMs;
    try {
      await restoreSettings(this.#update, signal);
    } catch (error) {
      if (!(error instanceof OrderFailed)) throw error;
      this.#options.logger.error({ code: error.code, error }, 'host settings not restored yet');
    }
  }

  #orderWaitMs(): number | undefined {
    return this.#triedOrder && Math.max(0, this.#triedOrder.againAt - this.#now());
  }

  #restoreWaitMs(): number | undefined {
    return this.#letterbox.status.savedSettings === undefined ? undefined : Math.max(0, this.#restoreAt - this.#now());
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

function least(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((least, value) => (value === undefined ? least : Math.min(value, least ?? value)), undefined);
}

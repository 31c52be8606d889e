import { delay } from '../kube/clock.ts';
import { answerTo } from './answers.ts';
import type { UpdateStatus } from './host-answers.ts';
import { HostCommandDied, HostUnreachable } from './host-errors.ts';
import type { LetterOrder } from './letter.ts';
import type { Letterbox } from './letterbox.ts';
import { OrderFailed, orderFailedBy } from './order-failed.ts';
import { restoreSettings } from './settings.ts';
import { deactivate } from './stage.ts';
import type { UpdateHost } from './update-host.ts';

/** An order to reboot into a staged version, or, where it names the running one, just to reboot. */
export type RebootOrder = LetterOrder & { readonly version: string; readonly bootID: string };

export interface RebootsOptions {
  readonly update: UpdateHost;
  readonly letterbox: Letterbox;
  readonly readBootID: () => Promise<string>;
}

const maxRequests = 5;
const maxActivations = 2;

/** Reboot orders, behind the fence of docs/adr/0002-agent-reboot-fence.md. */
export class Reboots {
  readonly #update: UpdateHost;
  readonly #letterbox: Letterbox;
  readonly #readBootID: () => Promise<string>;
  /** The order whose fence this very process wrote, so that no earlier life can have asked for its reboot. */
  #fencedHere: string | undefined;
  /** The order for which this process sent, or was about to send, a reboot request. */
  #asked: string | undefined;
  /** The order for which this process has done all it can: only a new boot ends it. */
  #waitingFor: string | undefined;

  constructor(options: RebootsOptions) {
    this.#update = options.update;
    this.#letterbox = options.letterbox;
    this.#readBootID = options.readBootID;
  }

  /** By our own knowledge no reboot was asked for under that order. */
  knowsNotAsked(id: string): boolean {
    return this.#fencedHere === id && this.#asked !== id;
  }

  knowsAsked(id: string): boolean {
    return this.#asked === id;
  }

  /** Resolves once the reboot is asked for or the order is moot; rejects with OrderFailed where none was, and none will be, asked for. */
  async carryOut(order: RebootOrder, signal: AbortSignal): Promise<void> {
    if (this.#waitingFor === order.id) return;
    const { answer } = this.#letterbox.status;
    const fenced = answer?.id === order.id && answer.state === 'RebootAsked';
    if ((await this.#readBootID()) !== order.bootID) {
      if (!fenced) throw new OrderFailed('BootIDChanged', `ordered for boot ${order.bootID}, which is over`);
      return;
    }
    const alone = (await this.#os(signal)) === order.version;
    if (!fenced) {
      await this.#check(order, alone, signal);
      if (!(await this.#fence(order, alone, signal))) return;
    }
    if (!alone && !(await this.#makeReady(order, signal))) return;
    await this.#ask(order, signal);
  }

  async #os(signal: AbortSignal): Promise<string> {
    try {
      return (await this.#update.client.os(signal)).version;
    } catch (error) {
      throw orderFailedBy(error, 'RebootFailed');
    }
  }

  /** Before the fence: the host is fit for the reboot, and its settings are its own. */
  async #check(order: RebootOrder, alone: boolean, signal: AbortSignal): Promise<void> {
    const update = this.#update;
    await restoreSettings(update, signal);
    try {
      const status = await update.settledStatus(signal, update.timings.actionMs.refresh);
      update.reviewProof(status);
      if (!alone && update.isProven(order.version, status)) return;
      if (status?.state === 'Ready') await deactivate(update, signal);
    } catch (error) {
      throw orderFailedBy(error, 'ProofLost');
    }
    if (!alone) throw new OrderFailed('ProofLost', `there is no proof that ${order.version} is what is staged`);
  }

  async #fence(order: RebootOrder, alone: boolean, signal: AbortSignal): Promise<boolean> {
    const { clock, logger, notebook } = this.#update;
    const answer = answerTo(order, 'RebootAsked', notebook.status.answer, clock.now());
    const { staged } = notebook.status;
    // Nothing will be activated, so the host could not show later whether the reboot was asked for: keep no proof that seems to say so.
    if (alone && staged) notebook.note({ staged: null });
    const held = await this.#letterbox.fence(order, answer, signal);
    // No reboot follows: what is staged is still of use.
    if (!held && alone && staged) notebook.note({ staged });
    if (held) this.#fencedHere = order.id;
    logger.info({ order: order.id, version: order.version, held }, held ? 'reboot fenced' : 'the order has changed: no reboot');
    return held;
  }

  /** Behind the fence: has the host boot the version next. False: nobody can tell whether a reboot is under way. */
  async #makeReady(order: RebootOrder, signal: AbortSignal): Promise<boolean> {
    const update = this.#update;
    let status: UpdateStatus | undefined;
    try {
      status = await update.settledStatus(signal, update.timings.actionMs.activate);
    } catch (error) {
      const failure = orderFailedBy(error, 'ActivationFailed');
      if (this.knowsNotAsked(order.id)) throw failure;
      return this.#stayAsked(order, failure, signal);
    }
    if (update.isProven(order.version, status)) {
      if (status?.state === 'Staged') await this.#activate(signal);
      return true;
    }
    if (activatedInEarlierLife(status, order.version) && !this.knowsNotAsked(order.id)) return true;
    const { staged } = update.notebook.status;
    const failure =
      staged?.version === order.version && status?.state === 'Staged' && status.command?.type === 'activate' && !status.command.succeeded
        ? new OrderFailed('ActivationFailed', `activate failed: ${status.command.stderr}`)
        : new OrderFailed('ProofLost', `somebody else has used the host's update API since ${order.version} was staged`);
    if (this.knowsNotAsked(order.id) || failure.code === 'ActivationFailed') throw failure;
    return this.#stayAsked(order, failure, signal);
  }

  async #activate(signal: AbortSignal): Promise<void> {
    const update = this.#update;
    for (let tries = 1; ; tries += 1) {
      try {
        const { status, command } = await update.run('activate', signal);
        if (command.succeeded && status.state === 'Ready' && status.staging?.nextToBoot) return;
        if (status.state === 'Ready') await deactivate(update, signal);
        throw new OrderFailed('ActivationFailed', `activate failed: ${command.stderr || 'the host would not boot the staged version'}`);
      } catch (error) {
        // One that died may have done its work all the same; a second one says.
        if (error instanceof HostCommandDied && tries < maxActivations) continue;
        throw orderFailedBy(error, 'ActivationFailed');
      }
    }
  }

  async #ask(order: RebootOrder, signal: AbortSignal): Promise<void> {
    const { client, clock, logger, timings } = this.#update;
    for (let requests = 1; requests <= maxRequests; requests += 1) {
      if (requests > 1 && this.#letterbox.letter?.order?.id !== order.id) return;
      if ((await this.#readBootID()) !== order.bootID) return;
      this.#asked = order.id;
      try {
        logger.info({ order: order.id, version: order.version, bootID: order.bootID }, 'asking the host to reboot');
        await client.reboot(signal);
        break;
      } catch (error) {
        // Any other may reboot all the same, so this is no end of the order.
        if (requests === 1 && error instanceof HostUnreachable && !error.sent) this.#asked = undefined;
        await this.#stayAsked(order, orderFailedBy(error, 'RebootFailed'), signal);
        await delay(clock, timings.rebootRetryMs, signal);
        signal.throwIfAborted();
      }
    }
    this.#waitingFor = order.id;
  }

  /** Says what is wrong, and leaves the fence in place. */
  async #stayAsked(order: RebootOrder, failure: OrderFailed, signal: AbortSignal): Promise<false> {
    const { clock, logger, notebook } = this.#update;
    logger.error({ order: order.id, code: failure.code, error: failure }, 'the reboot does not come about');
    notebook.note({ answer: answerTo(order, 'RebootAsked', notebook.status.answer, clock.now(), failure) });
    await this.#letterbox.write({}, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      logger.warn({ error }, 'cannot report it yet');
    });
    return false;
  }
}

/** The last thing that happened is an activation of what was chosen for that version: under our own fence it is ours. */
function activatedInEarlierLife(status: UpdateStatus | undefined, version: string): boolean {
  const { state, command, staging } = status ?? {};
  return state === 'Ready' && command?.type === 'activate' && command.succeeded && staging?.version === version && staging.nextToBoot;
}

import type { AnswerState } from '../api/node-host.ts';
import { CredentialsError } from '../kube/credentials.ts';
import { ApiError, ApiProtocolError, ApiUnreachableError } from '../kube/errors.ts';
import { answerTo, isFinal } from './answers.ts';
import { HostError, HostSocketDead } from './host-errors.ts';
import type { LetterOrder } from './letter.ts';
import { type Letterbox, LetterboxGone } from './letterbox.ts';
import { OrderFailed, orderFailedBy } from './order-failed.ts';
import { activationNeverHappened } from './proof.ts';
import { type RebootOrder, Reboots } from './reboots.ts';
import { restoreSettings } from './settings.ts';
import { deactivate, OrderWithdrawn, stage } from './stage.ts';
import type { UpdateHost } from './update-host.ts';

export interface OrdersOptions {
  readonly update: UpdateHost;
  readonly letterbox: Letterbox;
  readonly readBootID: () => Promise<string>;
}

/** Carries out what the controller orders, one order at a time. An order that was answered for good is never taken up again. */
export class Orders {
  readonly #update: UpdateHost;
  readonly #letterbox: Letterbox;
  readonly #reboots: Reboots;
  #saidPending: string | undefined;

  constructor(options: OrdersOptions) {
    this.#update = options.update;
    this.#letterbox = options.letterbox;
    this.#reboots = new Reboots(options);
  }

  /** Whether there is anything left to do for an order. */
  isAnswered({ id }: LetterOrder): boolean {
    const { answer } = this.#letterbox.status;
    return answer?.id === id && isFinal(answer.state);
  }

  /** Resolves when the order is answered, or cannot be (its reboot is under way, it was withdrawn). Rejects where the API server or the program must come first. */
  async carryOut(order: LetterOrder, signal: AbortSignal): Promise<void> {
    if (this.isAnswered(order)) return;
    try {
      if (await this.#rebootMayFollow(order, signal)) return;
      await this.#carryOut(order, signal);
    } catch (error) {
      signal.throwIfAborted();
      await this.#answerFailure(order, error, signal);
    }
  }

  async #carryOut(order: LetterOrder, signal: AbortSignal): Promise<void> {
    const { id, action, version, ignoreWaves = false, bootID } = order;
    switch (action) {
      case 'Stage':
        if (version === undefined) return this.#answer(order, 'Unsupported', signal);
        await this.#answer(order, 'Running', signal);
        await stage(this.#update, { version, ignoreWaves, stillWanted: () => this.#letterbox.letter?.order?.id === id }, signal);
        return this.#answer(order, 'Done', signal);
      case 'Reboot':
        if (version === undefined || bootID === undefined) return this.#answer(order, 'Unsupported', signal);
        return this.#reboots.carryOut({ ...order, version, bootID } satisfies RebootOrder, signal);
      case 'Cancel':
        await this.#cancel(signal);
        return this.#answer(order, 'Done', signal);
      default:
        return this.#answer(order, 'Unsupported', signal);
    }
  }

  /** True while the host may still reboot for an earlier order: its RebootAsked must stay where the controller reads it. */
  async #rebootMayFollow({ id }: LetterOrder, signal: AbortSignal): Promise<boolean> {
    const { answer } = this.#letterbox.status;
    if (answer?.state !== 'RebootAsked' || answer.id === id) return false;
    if (this.#reboots.knowsNotAsked(answer.id)) return false;
    if (!this.#reboots.knowsAsked(answer.id) && (await this.#hostShowsNoReboot(signal))) return false;
    if (this.#saidPending !== id) {
      this.#saidPending = id;
      this.#update.logger.warn(
        { order: id, code: 'RebootPending', asked: answer.id },
        'a reboot may be under way: no answer to this order',
      );
    }
    return true;
  }

  async #hostShowsNoReboot(signal: AbortSignal): Promise<boolean> {
    try {
      const status = await this.#update.settledStatus(signal, this.#update.timings.actionMs.refresh);
      return activationNeverHappened(this.#letterbox.status.staged, status);
    } catch (error) {
      if (!(error instanceof HostError) || error instanceof HostSocketDead) throw error;
      return false;
    }
  }

  async #cancel(signal: AbortSignal): Promise<void> {
    await restoreSettings(this.#update, signal);
    const { staged } = this.#letterbox.status;
    const status = await this.#update.settledStatus(signal, this.#update.timings.actionMs.refresh);
    const activatedByUs = status?.state === 'Ready' && status.command?.type === 'activate' && staged !== undefined;
    this.#update.reviewProof(activatedByUs ? (await deactivate(this.#update, signal)).status : status);
  }

  async #answerFailure(order: LetterOrder, error: unknown, signal: AbortSignal): Promise<void> {
    if (error instanceof OrderWithdrawn) return this.#letterbox.write({}, signal);
    if (!isOurs(error)) throw error;
    const failure = asOrderFailed(error);
    this.#update.logger.error({ order: order.id, action: order.action, code: failure.code, error }, 'order failed');
    // Nobody is drained anew for a host that is not there: it counts as lost until a refresh has reached it.
    if (failure.code === 'HostUnreachable') this.#update.noteTrouble(failure);
    await this.#answer(order, 'Failed', signal, failure);
  }

  async #answer(order: LetterOrder, state: AnswerState, signal: AbortSignal, failure?: OrderFailed): Promise<void> {
    const { answer } = this.#letterbox.status;
    await this.#letterbox.write({ answer: answerTo(order, state, answer, this.#update.clock.now(), failure) }, signal);
    this.#update.logger.info({ order: order.id, action: order.action, version: order.version, state }, 'order answered');
  }
}

/** Not the API server's, and nothing that only a restart can help: those are no answers to an order. */
function isOurs(error: unknown): boolean {
  const others = [ApiError, ApiUnreachableError, ApiProtocolError, CredentialsError, LetterboxGone, HostSocketDead];
  return !others.some((other) => error instanceof other);
}

function asOrderFailed(error: unknown): OrderFailed {
  try {
    return orderFailedBy(error, 'Internal');
  } catch {
    return new OrderFailed('Internal', error instanceof Error ? error.message : 'unknown', { cause: error });
  }
}

import type { ErrorCode } from '../api/node-host.ts';
import { HostBusy, HostError, HostProtocol, HostRefused, HostSocketDead, HostUnreachable } from './host-errors.ts';
import { plainWords } from './words.ts';

/** An order, or a refresh, that failed for good: the code of the answer and, as far as there are any, the host's own words. */
export class OrderFailed extends Error {
  override readonly name = 'OrderFailed';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(plainWords(message), options);
    this.code = code;
  }
}

/**
 * Names a failed call to the host by the step it belongs to. A dead socket and whatever is no word of the host's
 * are thrown on as they are.
 */
export function orderFailedBy(error: unknown, step: ErrorCode): OrderFailed {
  if (error instanceof OrderFailed) return error;
  if (!(error instanceof HostError) || error instanceof HostSocketDead) throw error;
  return new OrderFailed(codeOf(error, step), error.message, { cause: error });
}

function codeOf(error: HostError, step: ErrorCode): ErrorCode {
  if (error instanceof HostUnreachable) return 'HostUnreachable';
  if (error instanceof HostProtocol) return 'HostProtocol';
  if (error instanceof HostBusy) return 'HostBusy';
  // A refused activation is a failed one: it counts against the target.
  if (error instanceof HostRefused && step !== 'ActivationFailed') return 'HostRefused';
  return step;
}

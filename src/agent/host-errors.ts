import { plainWords } from './words.ts';

/** A call to the host's API did not give what it was made for. The message holds the host's own words, bounded. */
export abstract class HostError extends Error {
  /** The same call may succeed later without anybody doing anything. */
  abstract readonly retryable: boolean;
}

/** No (whole) answer: no connection, a cut one, or none in time. */
export class HostUnreachable extends HostError {
  override readonly name: string = 'HostUnreachable';
  readonly retryable = true;
  /** The host may have acted on the request. False: it cannot have seen it. */
  readonly sent: boolean;

  constructor(message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.sent = options.sent;
  }
}

/**
 * The socket has refused connections for so long that it must be the dead inode of a server that has bound a new one:
 * only a new mount helps, that is, a restart of the container.
 */
export class HostSocketDead extends HostUnreachable {
  override readonly name = 'HostSocketDead';

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { sent: false, cause: options.cause });
  }
}

/** What the host answered is not what its API is known to answer: another program, or another API. */
export class HostProtocol extends HostError {
  override readonly name = 'HostProtocol';
  readonly retryable = false;
}

abstract class HostAnswer extends HostError {
  /** What the host said, as plain words. */
  readonly words: string;

  constructor(call: string, status: number, body: string) {
    const words = plainWords(body);
    super(`${call}: ${status} ${words || 'without a word'}`);
    this.words = words;
  }
}

/** 423: an update action holds the lock. */
export class HostBusy extends HostAnswer {
  override readonly name = 'HostBusy';
  readonly retryable = true;
}

/** 409: the action is not allowed in the update state that the host is in. */
export class HostRefused extends HostAnswer {
  override readonly name = 'HostRefused';
  readonly retryable = false;
}

/** 404 with a text: there is no such thing now. (Without one there is no such call: HostProtocol.) */
export class HostNotFound extends HostAnswer {
  override readonly name = 'HostNotFound';
  readonly retryable = false;
}

/** 422: the transaction that was to be committed is empty. */
export class HostNothingPending extends HostAnswer {
  override readonly name = 'HostNothingPending';
  readonly retryable = false;
}

/** 5xx: the host tried and failed; what it was to do may be half done. */
export class HostServerError extends HostAnswer {
  override readonly name = 'HostServerError';
  readonly retryable = true;
}

/** An action was accepted, its lock is open again, and there is no trace of it: its process died. */
export class HostCommandDied extends HostError {
  override readonly name = 'HostCommandDied';
  readonly retryable = true;
}

/** An action was accepted, and the host's last command is another one: somebody else uses the API. */
export class HostCommandOvertaken extends HostError {
  override readonly name = 'HostCommandOvertaken';
  readonly retryable = true;
}

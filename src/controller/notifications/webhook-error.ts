/** What keeps a notification from its receiver. No message holds more of the address than the host's name: the rest is a secret. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  /** Whether the same notification may be taken later. */
  readonly retryable: boolean;
  /** How long the receiver asks us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { retryable?: boolean; retryAfterMs?: number | undefined } = {}) {
    super(message);
    this.retryable = options.retryable ?? true;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The code of an error of Node's (`ENOENT`, `ECONNREFUSED`), which, unlike its words, holds nothing of an address or a path. */
export const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

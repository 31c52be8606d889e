import * as z from 'zod/mini';

const statusSchema = z.object({
  message: z.optional(z.string()),
  reason: z.optional(z.string()),
  code: z.optional(z.number()),
  details: z.optional(
    z.nullable(
      z.object({
        name: z.optional(z.string()),
        kind: z.optional(z.string()),
        uid: z.optional(z.string()),
        retryAfterSeconds: z.optional(z.number()),
        causes: z.optional(
          z.nullable(z.array(z.object({ reason: z.optional(z.string()), message: z.optional(z.string()), field: z.optional(z.string()) }))),
        ),
      }),
    ),
  ),
});

/** One of the reasons that a Status lists under `details.causes`. */
export interface ApiErrorCause {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly field?: string | undefined;
}

/** What the refused object was, as far as the server said it. */
export interface ApiErrorDetails {
  readonly name?: string | undefined;
  readonly kind?: string | undefined;
  readonly uid?: string | undefined;
}

interface ApiErrorFields {
  readonly reason?: string | undefined;
  readonly words?: string | undefined;
  readonly causes?: readonly ApiErrorCause[] | undefined;
  readonly details?: ApiErrorDetails | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** The API server answered, and the answer was no. The message holds the server's own words, shortened. */
export class ApiError extends Error {
  /** The HTTP status, or the code of a watch's ERROR event. */
  readonly status: number;
  /** The Status's machine-readable reason: `NotFound`, `AlreadyExists`, `Expired`, … */
  readonly reason: string | undefined;
  /** What the server said, without what was asked of it. */
  readonly words: string;
  readonly causes: readonly ApiErrorCause[];
  readonly details: ApiErrorDetails;
  /** How long the server asks us to wait, in milliseconds; five minutes at most. */
  readonly retryAfterMs?: number;

  constructor(status: number, message: string, fields: ApiErrorFields = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = fields.reason;
    this.words = fields.words ?? message;
    this.causes = fields.causes ?? [];
    this.details = fields.details ?? {};
    if (fields.retryAfterMs !== undefined) this.retryAfterMs = fields.retryAfterMs;
  }

  /** The same request may succeed later. A conflict is not: it needs a fresh read first. */
  get retryable(): boolean {
    return this.status === 408 || this.status === 429 || (this.status >= 500 && this.status !== 501 && this.status !== 505);
  }

  hasCause(reason: string): boolean {
    return this.causes.some((cause) => cause.reason === reason);
  }
}

/** No (whole) answer: no connection, a cut one, a timeout. The request may or may not have been carried out. */
export class ApiUnreachableError extends Error {
  readonly retryable = true;
  readonly timedOut: boolean;

  constructor(message: string, options: { cause?: unknown; timedOut?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ApiUnreachableError';
    this.timedOut = options.timedOut ?? false;
  }
}

/** The server's answer does not read as it must: no JSON, too long, a field missing. */
export class ApiProtocolError extends Error {
  readonly retryable = true;

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'ApiProtocolError';
  }
}

export const isNotFound = (error: unknown): error is ApiError => error instanceof ApiError && error.status === 404;

/** Another resourceVersion than the one we gave, or a name that is taken. */
export const isConflict = (error: unknown): error is ApiError => error instanceof ApiError && error.status === 409;

/** The name is taken (also a 409, but a fresh read is of use only to see by whom). */
export const isAlreadyExists = (error: unknown): error is ApiError => isConflict(error) && error.reason === 'AlreadyExists';

/** The resourceVersion or continue token is too old: list again. */
export const isGone = (error: unknown): error is ApiError => error instanceof ApiError && error.status === 410;

const longestMessage = 2_000;
/** Who asks us to stay away for longer (a proxy's page about a maintenance, say) is asked again after this. */
const longestWaitMs = 5 * 60_000;

/** Turns a Status (an error's body, or the object of a watch's ERROR event) into an ApiError; anything else gives one without a reason. */
export function apiErrorFrom(
  status: number,
  body: unknown,
  options: { what?: string; retryAfterHeader?: string | undefined } = {},
): ApiError {
  const parsed = statusSchema.safeParse(body);
  const given = parsed.success ? parsed.data : {};
  const words = given.message ?? (typeof body === 'string' ? body.trim() : '');
  const fitting = (words || 'no message').slice(0, longestMessage);
  const message = `${options.what === undefined ? '' : `${options.what}: `}${status} ${fitting}`.slice(0, longestMessage);
  const details = given.details ?? {};
  return new ApiError(status, message, {
    reason: given.reason || undefined,
    words: fitting,
    causes: details.causes ?? [],
    details: { name: details.name, kind: details.kind, uid: details.uid },
    retryAfterMs: headerMs(options.retryAfterHeader) ?? waitMs(details.retryAfterSeconds),
  });
}

function headerMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Math.min(Number(header) * 1000, longestWaitMs) : undefined;
}

/** 0 is no wait, and less is nonsense. */
const waitMs = (seconds = 0): number | undefined => (seconds > 0 ? Math.min(seconds * 1000, longestWaitMs) : undefined);

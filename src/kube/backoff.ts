/** How long to wait after failures in a row. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** 0 to 1: that part of each wait is random. */
  readonly jitter: number;
}

/** The wait after the nth failure in a row (from 1), in milliseconds: doubles from `baseMs` to `maxMs`, shortened at random by up to `jitter`. */
export function backoffMs({ baseMs, maxMs, jitter }: BackoffOptions, failures: number, random: () => number): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 52));
  return full * (1 - jitter * random());
}

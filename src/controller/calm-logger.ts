import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';

const BURST = 5;
const REFILL_MS = 10_000;

/**
 * A logger whose warnings and errors of one message come in small bursts and then every 10 s at most, with how many were left out: what fails steadily,
 * everywhere at once, must not drown the rest. Everything else passes; a message is a constant text, what varies is in the fields.
 */
export function calmLogger(logger: Logger, clock: Clock): Logger {
  const buckets = new Map<string, { tokens: number; at: number; leftOut: number }>();
  const calm =
    (level: 'warn' | 'error') =>
    (fields: object, message: string): void => {
      const now = clock.monotonic();
      const bucket = buckets.get(message) ?? { tokens: BURST, at: now, leftOut: 0 };
      buckets.set(message, bucket);
      const refilled = Math.floor((now - bucket.at) / REFILL_MS);
      bucket.tokens = Math.min(BURST, bucket.tokens + refilled);
      bucket.at += refilled * REFILL_MS;
      if (bucket.tokens === 0) {
        bucket.leftOut += 1;
        return;
      }
      bucket.tokens -= 1;
      logger[level]({ ...fields, ...(bucket.leftOut > 0 && { leftOut: bucket.leftOut }) }, message);
      bucket.leftOut = 0;
    };
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: calm('warn'),
    error: calm('error'),
  };
}

import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { visible } from '../kube/visible.ts';

/** Levels and their numbers, as pino has them; nothing is written at `trace`, which the controllers know, too. */
export const LOG_LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 } as const;
export type LogLevel = keyof typeof LOG_LEVELS;

export interface LogOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  /** Gets one line with its line feed. */
  readonly write: (line: string) => void;
  /** Fields of every line. */
  readonly base?: object;
}

const burst = 50;
const refillMs = 1_000;
const longestLine = 8_192;

/**
 * JSON lines in the shape of pino's (`level`, `time`, `msg`, fields). Bounded: after a burst of 50 lines one a second;
 * the next line that passes says how many did not.
 */
export function createLog({ level, clock, write, base = {} }: LogOptions): Logger {
  let tokens = burst;
  let filledAt = clock.monotonic();
  let dropped = 0;
  const take = (): boolean => {
    const gained = Math.floor((clock.monotonic() - filledAt) / refillMs);
    tokens = Math.min(burst, tokens + gained);
    filledAt += gained * refillMs;
    if (tokens === 0) return false;
    tokens -= 1;
    return true;
  };
  const at =
    (lineLevel: LogLevel) =>
    (fields: object, message: string): void => {
      if (LOG_LEVELS[lineLevel] < LOG_LEVELS[level]) return;
      if (!take()) {
        dropped += 1;
        return;
      }
      const head = { level: LOG_LEVELS[lineLevel], time: clock.now(), ...base };
      const tail = { ...(dropped === 0 ? {} : { dropped }), msg: message };
      const line = JSON.stringify({ ...head, ...plainFields(fields), ...tail });
      dropped = 0;
      const bounded = line.length <= longestLine ? line : JSON.stringify({ ...head, cut: true, ...tail });
      // JSON leaves some characters as they are that a terminal acts upon.
      write(`${visible(bounded)}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function plainFields(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, Error.isError(value) ? describe(value) : value]));
}

const maxCauses = 3;

function describe(error: Error, depth = 0): object {
  const { name: type, message, cause } = error;
  const code = 'code' in error ? { code: error.code } : {};
  return { type, message, ...code, ...(Error.isError(cause) && depth < maxCauses ? { cause: describe(cause, depth + 1) } : {}) };
}

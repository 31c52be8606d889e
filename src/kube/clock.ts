/** Ends a timer; harmless when it has fired already. */
export type Cancel = () => void;

/** Time as the programs see it; tests pass one of their own. */
export interface Clock {
  /** Milliseconds since the epoch. May jump when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds from an arbitrary start. Never jumps, and goes on while the process is frozen. */
  monotonic(): number;
  /** Calls `fn` once, `ms` milliseconds from now (any length; negative counts as 0). */
  setTimeout(fn: () => void, ms: number): Cancel;
}

// Node fires a longer timer at once instead of late.
const longestTimerMs = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // What stands behind `performance` is half a megabyte in every agent.
  monotonic() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1e3 + nanoseconds / 1e6;
  },
  setTimeout(fn, ms) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      timer = left > longestTimerMs ? setTimeout(() => arm(left - longestTimerMs), longestTimerMs) : setTimeout(fn, Math.max(0, left));
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms` milliseconds, or as soon as `signal` is aborted; never rejects. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.setTimeout(finish, ms);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/** Calls `fn` when `signal` is aborted, at once where it is already. Returns what takes `fn` back. */
export function onAbort(signal: AbortSignal | undefined, fn: () => void): Cancel {
  if (!signal) return () => {};
  if (signal.aborted) {
    fn();
    return () => {};
  }
  signal.addEventListener('abort', fn, { once: true });
  return () => signal.removeEventListener('abort', fn);
}

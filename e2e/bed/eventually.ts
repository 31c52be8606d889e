import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** Says what was seen last, when it gives up. */
  readonly describe?: () => unknown;
  readonly signal?: AbortSignal;
}

/** The condition did not come true in time; the message holds the last state. */
export class NotEventually extends Error {
  override readonly name = 'NotEventually';
}

type Falsy = false | undefined | null | '' | 0;

/**
 * Waits until `condition` gives something true and returns that. A condition that throws (a failed `expect` too) counts
 * as not yet true.
 * @throws NotEventually after `timeoutMs` (30 s unless told), with the last error or value and what `describe` says
 */
export async function eventually<T>(condition: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<Exclude<T, Falsy>> {
  const { timeoutMs = 30_000, intervalMs = 50, describe, signal } = options;
  const deadline = performance.now() + timeoutMs;
  let last: string;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, Falsy>;
      last = `it gave ${show(value)}`;
    } catch (error) {
      last = `it threw ${error instanceof Error ? error.message : String(error)}`;
    }
    signal?.throwIfAborted();
    if (performance.now() > deadline) break;
    await sleep(intervalMs);
  }
  const state = describe === undefined ? '' : `\nlast state: ${show(await lastState(describe))}`;
  throw new NotEventually(`not true within ${timeoutMs} ms: ${last}${state}`);
}

async function lastState(describe: () => unknown): Promise<unknown> {
  try {
    return await describe();
  } catch (error) {
    return `(cannot tell: ${error instanceof Error ? error.message : String(error)})`;
  }
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value, undefined, 2) ?? String(value));
  return text.length > 8000 ? `${text.slice(0, 8000)}…` : text;
}

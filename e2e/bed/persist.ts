import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, ApiUnreachable } from './api.ts';

export interface PersistOptions {
  /** Ends the waiting; what is under way ends by itself. */
  readonly signal: AbortSignal;
  /** Answers that mean that there is nothing to do any more; 404 unless told. */
  readonly settledBy?: readonly number[];
}

/**
 * Repeats what a kubelet would repeat, while the API server is away or busy.
 * @throws what a repetition cannot help, and AbortError when the signal ends the waiting
 */
export async function persist(work: () => Promise<unknown>, { signal, settledBy = [404] }: PersistOptions): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (error instanceof ApiError && settledBy.includes(error.status)) return;
      if (!(error instanceof ApiUnreachable || (error instanceof ApiError && error.canRetry))) throw error;
    }
    await sleep(200, undefined, { signal });
  }
}

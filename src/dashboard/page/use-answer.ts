import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** What an endpoint said, or why it did not. */
export interface Answer<T> {
  value?: T;
  failure?: string;
}

/** Asks now, and anew whenever one of `because` has changed; what is no longer wanted is cut off. */
export function useAnswer<T>(ask: (signal: AbortSignal) => Promise<T>, because: readonly unknown[]): Signal<Answer<T>> {
  const answer = useSignal<Answer<T>>({});
  useEffect(() => {
    const ending = new AbortController();
    ask(ending.signal).then(
      (value) => {
        if (!ending.signal.aborted) answer.value = { value };
      },
      (error: unknown) => {
        if (!ending.signal.aborted) answer.value = { failure: inWords(error) };
      },
    );
    return () => ending.abort();
  }, because);
  return answer;
}

/** An error for people. */
export const inWords = (error: unknown): string =>
  error instanceof TypeError
    ? 'the dashboard’s server does not answer: is kubectl lockkeeper dashboard still running?'
    : error instanceof Error
      ? error.message
      : String(error);

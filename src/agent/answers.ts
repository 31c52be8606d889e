import type { Answer, AnswerState } from '../api/node-host.ts';
import type { LetterOrder } from './letter.ts';
import type { OrderFailed } from './order-failed.ts';

const finalStates: readonly AnswerState[] = ['Done', 'Failed', 'Unsupported'];

/** Nothing is left to be done for an order that was answered so. */
export const isFinal = (state: AnswerState): boolean => finalStates.includes(state);

/** The next answer to an order; it keeps the start of the one before. `now` in milliseconds since the epoch. */
export function answerTo(order: LetterOrder, state: AnswerState, before: Answer | undefined, now: number, failure?: OrderFailed): Answer {
  const time = new Date(now).toISOString();
  return {
    id: order.id,
    state,
    startedAt: before?.id === order.id ? before.startedAt : time,
    ...(isFinal(state) ? { finishedAt: time } : {}),
    ...(failure === undefined ? {} : { error: { code: failure.code, message: failure.message } }),
  };
}

/** The answer of a reboot that has happened. */
export function rebootDone({ id, startedAt }: Answer, now: number): Answer {
  return { id, state: 'Done', startedAt, finishedAt: new Date(now).toISOString() };
}

import type { ActionAnswer, ActionRequest, HistoryAnswer, PlanEvent, Problem, WhyAnswer } from '../wire.ts';
import { parsed } from './text.ts';

/** The server has said why not; the message is for people. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** What the page asks of its server. Each rejects with a ProblemError, or where the server cannot be reached. */
export interface Api {
  events(signal: AbortSignal): Promise<ReadableStream<string>>;
  why(node: string, signal: AbortSignal): Promise<WhyAnswer>;
  history(of: { policy?: string; node?: string }, signal: AbortSignal): Promise<HistoryAnswer>;
  /** Gives what is told on the way; ends with the plan. */
  plan(signal: AbortSignal): AsyncGenerator<PlanEvent>;
  act(request: ActionRequest): Promise<ActionAnswer>;
}

/** Asks with a token, at the origin that the page came from. */
export function apiWith(token: string): Api {
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const answer = await fetch(path, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
    if (answer.ok) return answer;
    throw new ProblemError(problemOf(await answer.text(), answer.status));
  };
  const post = (body?: string, signal?: AbortSignal): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body }),
    ...(signal !== undefined && { signal }),
  });
  const streamOf = async (answer: Promise<Response>): Promise<ReadableStream<string>> => {
    const { body } = await answer;
    if (body === null) throw new TypeError('an answer without a body');
    return body.pipeThrough(new TextDecoderStream());
  };
  const read = async <T>(answer: Promise<Response>): Promise<T> => parsed(await (await answer).text()) as T;
  return {
    events: (signal) => streamOf(ask('/api/events', { signal })),
    why: (node, signal) => read(ask(`/api/nodes/${encodeURIComponent(node)}/why`, { signal })),
    history: (of, signal) => {
      const query = new URLSearchParams(of as Record<string, string>).toString();
      return read(ask(`/api/history${query === '' ? '' : `?${query}`}`, { signal }));
    },
    async *plan(signal) {
      let rest = '';
      for await (const text of await streamOf(ask('/api/plan', post(undefined, signal)))) {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') yield parsed(line) as PlanEvent;
      }
      if (rest.trim() !== '') yield parsed(rest) as PlanEvent;
    },
    act: (request) => read(ask('/api/actions', post(JSON.stringify(request)))),
  };
}

function problemOf(text: string, status: number): Problem {
  try {
    const problem = parsed(text) as Partial<Problem>;
    if (typeof problem.message === 'string') return { code: 'Failed', ...problem, message: problem.message };
  } catch {
    // Something between the page and its server has answered.
  }
  return { code: 'Failed', message: `the dashboard's server answered ${status}` };
}

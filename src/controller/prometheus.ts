import * as z from 'zod/mini';
import type { PrometheusCheck } from '../api/check.ts';
import { shortened } from '../core/shortened.ts';

/** An answer longer than this is not read, in bytes: a check asks for a few numbers. */
const MAX_BODY = 1024 * 1024;

// https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
const answerSchema = z.union([
  z.object({ status: z.literal('error'), error: z.string() }),
  z.object({
    status: z.literal('success'),
    data: z.union([
      z.object({ resultType: z.enum(['vector', 'matrix']), result: z.array(z.unknown()) }),
      z.object({ resultType: z.enum(['scalar', 'string']), result: z.tuple([z.number(), z.string()]) }),
    ]),
  }),
]);

/**
 * Asks an instant query; undefined where it holds: the vector has an element, or the scalar is neither 0 nor NaN. Rejects where
 * nobody answers. No redirect is followed: it would lead to a host that the chart does not name.
 */
export async function queryFailure({ url, query }: PrometheusCheck, signal: AbortSignal): Promise<string | undefined> {
  const target = new URL(`${url.replace(/\/+$/, '')}/api/v1/query`);
  target.searchParams.set('query', query);
  const response = await fetch(target, { redirect: 'manual', signal, headers: { accept: 'application/json' } });
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    return `it answers with a redirect (${response.status}), which is not followed: name the address itself in the check`;
  }
  const body = await bodyOf(response);
  if (body === undefined) return `its answer is longer than ${MAX_BODY} bytes`;
  const answer = answerSchema.safeParse(parsed(body));
  if (!answer.success || (answer.data.status === 'success' && !response.ok))
    return `it answers ${response.status}, with what is no answer of Prometheus`;
  if (answer.data.status === 'error') return `it refuses the query: ${shortened(answer.data.error, 200)}`;
  const { data } = answer.data;
  switch (data.resultType) {
    case 'vector':
      return data.result.length > 0 ? undefined : 'the query gives nothing';
    case 'scalar': {
      const [, value] = data.result;
      return Number.isNaN(Number(value)) || Number(value) === 0 ? `the query gives ${shortened(value)}` : undefined;
    }
    case 'matrix':
    case 'string':
      return `the query gives a ${data.resultType}: ask for a vector or a scalar`;
  }
}

async function bodyOf(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop cancels the body.
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

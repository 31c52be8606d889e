import type { Response } from 'express';
import { readWorld } from '../../cli/read-world.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { PlanEvent } from '../wire.ts';
import { planInThread } from './plan-thread.ts';
import { ProblemError, problemOf } from './problems.ts';

export interface PlanDeps {
  client: KubeClient;
  clock: Clock;
  namespace: string | undefined;
  program: URL | undefined;
}

/** Makes a plan, and tells line by line how far it is; ends with the plan or with what is wrong. Never rejects. */
export async function answerPlan(response: Response, signal: AbortSignal, { client, clock, namespace, program }: PlanDeps): Promise<void> {
  response.set('content-type', 'application/x-ndjson');
  const tell = (event: PlanEvent): void => {
    // Who reads no progress needs none; the end is always told.
    if (event.type !== 'progress' || !response.writableNeedDrain) response.write(`${JSON.stringify(event)}\n`);
  };
  try {
    if (program === undefined) throw new ProblemError(501, { code: 'Failed', message: 'this program has no file of its own to plan with' });
    tell({ type: 'progress', stage: 'reading' });
    const { world, warnings } = await readWorld(client, namespace, signal);
    const now = clock.now() + client.clockOffsetMs;
    const onProgress = (progress: { done: number; total: number }): void => tell({ type: 'progress', stage: 'planning', ...progress });
    tell({ type: 'progress', stage: 'planning' });
    tell({ type: 'plan', plan: await planInThread(program, { world, warnings, now }, onProgress, signal) });
  } catch (error) {
    if (!signal.aborted) tell({ type: 'error', problem: problemOf(error).problem });
  }
  response.end();
}

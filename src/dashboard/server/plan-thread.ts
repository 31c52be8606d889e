import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { Plan, PlanWarning } from '../../api/plan.ts';
import { planOf } from '../../core/plan/plan.ts';
import { forecast } from '../../core/simulate/forecast.ts';
import type { Instant, World } from '../../core/world.ts';

/** What a plan is made of; plain data, so that it can be given to another thread. */
export interface PlanInput {
  world: World;
  warnings: readonly PlanWarning[];
  now: Instant;
}

/** How far a plan is: nodes of which it is known what becomes of them, and all that there was to find out. */
export interface PlanProgress {
  done: number;
  total: number;
}

type Said = { progress: PlanProgress } | { plan: Plan };

const TELL_EVERY_MS = 250;

/**
 * Plans in a thread of its own: thousands of nodes take a minute, and the page is to stay live meanwhile. `program` is the file that runs
 * as this program, in whose other threads `planAsThread` runs. Rejects with the signal's reason, or with what went wrong.
 */
export function planInThread(
  program: URL,
  input: PlanInput,
  onProgress: (progress: PlanProgress) => void,
  signal: AbortSignal,
): Promise<Plan> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const worker = new Worker(program, { workerData: input });
    const settle = (end: () => void): void => {
      signal.removeEventListener('abort', abort);
      end();
    };
    const abort = (): void => {
      settle(() => reject(signal.reason));
      // It ends by itself, and nobody waits for it.
      void worker.terminate();
    };
    signal.addEventListener('abort', abort, { once: true });
    worker.on('message', (said: Said) => {
      if ('plan' in said) settle(() => resolve(said.plan));
      else onProgress(said.progress);
    });
    worker.once('error', (error) => settle(() => reject(error)));
    worker.once('exit', () => settle(() => reject(new Error('the plan ended without an answer'))));
  });
}

/** What the other thread does. */
export function planAsThread(): void {
  const { world, warnings, now } = workerData as PlanInput;
  let total: number | undefined;
  let toldAt = performance.now();
  const onTime = (left: () => number): void => {
    if (total !== undefined && performance.now() - toldAt < TELL_EVERY_MS) return;
    toldAt = performance.now();
    const rest = left();
    total ??= rest;
    parentPort?.postMessage({ progress: { done: total - rest, total } } satisfies Said);
  };
  const plan = planOf(world, { now, warnings, foresee: (from, at, assumptions) => forecast(from, at, { ...assumptions, onTime }) });
  parentPort?.postMessage({ plan } satisfies Said);
}

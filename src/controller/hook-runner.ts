import type { HookRun } from '../core/command.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError, isAlreadyExists, isNotFound } from '../kube/errors.ts';
import { jobFrom } from './hook-job.ts';
import { type HookJobs, jobsPath } from './hook-jobs.ts';

/** What making a hook's Job needs. */
export interface HookRunnerDeps {
  client: Pick<KubeClient, 'get' | 'create'>;
  hookJobs: Pick<HookJobs, 'observe' | 'refuse'>;
  /** Throws where this replica may no longer act. */
  assertLeading: () => void;
}

/**
 * Makes a hook's Job from its CronJob. One that is there already is taken notice of; what no retry can put right is told to the
 * hook's view, for the next decision. Resolves with whether a Job was made; rejects with errors that may pass by themselves.
 */
export async function makeHookJob(
  { client, hookJobs, assertLeading }: HookRunnerDeps,
  hook: HookRun,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace, name, cronJob } = hook;
  const source = `CronJob ${namespace}/${cronJob}`;
  const path = jobsPath(namespace);
  const refuse = (message: string): false => {
    hookJobs.refuse(hook, message);
    return false;
  };
  let template: unknown;
  try {
    template = await client.get(`/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/cronjobs/${encodeURIComponent(cronJob)}`, {
      signal,
    });
  } catch (error) {
    if (isNotFound(error)) return refuse(`${source} is not there: create it, or take the hook out of the policy`);
    if (isLasting(error)) return refuse(`${source} cannot be read: ${error.message}`);
    throw error;
  }
  try {
    assertLeading();
    hookJobs.observe(hook, await client.create(path, jobFrom(template, hook), { signal }));
    return true;
  } catch (error) {
    if (isAlreadyExists(error)) {
      hookJobs.observe(hook, await client.get(`${path}/${encodeURIComponent(name)}`, { signal }));
      return false;
    }
    if (isLasting(error)) return refuse(`the Job of ${source} was refused: ${error.message}`);
    throw error;
  }
}

const isLasting = (error: unknown): error is ApiError =>
  error instanceof ApiError && !error.retryable && error.status !== 401 && error.status !== 409;

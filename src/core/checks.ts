import type { Check } from '../api/check.ts';
import type { Verdict } from './command.ts';
import { readJSONPath } from './json-path.ts';
import { shortened } from './shortened.ts';
import type { ChecksView, Instant, PolicyView } from './world.ts';

/** What was seen longer ago than this, in milliseconds, says nothing of now: a controller may have been frozen since. */
const MAX_AGE_MS = 60_000;

/** Why a policy's checks hold what it has in mind, if they do. */
export function checksHold(
  { uid, generation, spec }: Pick<PolicyView, 'uid' | 'generation' | 'spec'>,
  seen: ReadonlyMap<string, ChecksView>,
  now: Instant,
): Verdict | undefined {
  if (spec.checks.length === 0) return undefined;
  const view = seen.get(uid);
  if (view === undefined || view.generation !== generation || Math.abs(now - view.at) > MAX_AGE_MS)
    return { reason: 'CheckPending', message: "waits for the result of the policy's checks" };
  if (view.failed === undefined) return undefined;
  return { reason: 'CheckFailed', message: `waits until this check holds: ${view.failed}` };
}

/** What of a policy's checks no schema can refuse: each as a sentence that says what to do. */
export function checkProblems(checks: readonly Check[], prometheusHosts: readonly string[]): string[] {
  return checks.flatMap(({ object, prometheus }, index) => {
    const problem =
      object?.jsonPath === undefined ? prometheus && prometheusProblem(prometheus.url, prometheusHosts) : pathProblem(object.jsonPath);
    return problem === undefined ? [] : [`spec.checks[${index}]: ${problem}`];
  });
}

function pathProblem(jsonPath: string): string | undefined {
  const path = readJSONPath(jsonPath);
  return 'problem' in path ? `jsonPath ${JSON.stringify(jsonPath)}: ${path.problem}` : undefined;
}

function prometheusProblem(url: string, allowed: readonly string[]): string | undefined {
  const host = URL.parse(url)?.host;
  if (host === undefined) return `${JSON.stringify(url)} is no URL`;
  if (allowed.includes(host)) return undefined;
  return `host ${host} is not one of the chart's checks.prometheusHosts (${allowed.join(', ') || 'none'}): add it there, or take the check out of the policy`;
}

/** The name of a check, as messages have it. */
export function checkName({ pods, object, prometheus }: Check): string {
  if (pods !== undefined) return `pods of namespace ${pods.namespace}`;
  if (object !== undefined) return `${object.kind} ${object.namespace === undefined ? '' : `${object.namespace}/`}${object.name}`;
  return `Prometheus query ${JSON.stringify(shortened(prometheus?.query ?? ''))}`;
}

import * as z from 'zod/mini';
import type { Check, ObjectCheck, PodsCheck } from '../api/check.ts';
import type { LabelSelector } from '../api/label-selector.ts';
import { podOf } from '../cluster/views.ts';
import { isScalar, readJSONPath, valuesAt } from '../core/json-path.ts';
import { shortened } from '../core/shortened.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { ApiError, ApiProtocolError, ApiUnreachableError, isNotFound } from '../kube/errors.ts';
import { queryFailure } from './prometheus.ts';
import { type Resource, ResourceNames } from './resource-names.ts';

/** What looking at one check needs. */
export interface CheckRunnerDeps {
  client: Pick<KubeClient, 'get' | 'listPages'>;
  clock: Clock;
}

/** Pods of a check are counted by pages of so many, at most so many pages. */
const PAGE = 500;
const MAX_PAGES = 20;

/** Looks at single checks. */
export class CheckRunner {
  readonly #client: CheckRunnerDeps['client'];
  readonly #names: ResourceNames;

  constructor({ client, clock }: CheckRunnerDeps) {
    this.#client = client;
    this.#names = new ResourceNames(client, clock);
  }

  /** What a check sees that is not as it should be; undefined where it holds. Never rejects: what cannot be read does not hold. */
  async look({ pods, object, prometheus }: Check, signal: AbortSignal): Promise<string | undefined> {
    try {
      if (pods !== undefined) return await this.#pods(pods, signal);
      if (object !== undefined) return await this.#object(object, signal);
      return prometheus === undefined ? 'the check is empty' : await queryFailure(prometheus, signal);
    } catch (error) {
      return unread(error, signal);
    }
  }

  async #pods({ namespace, selector, minReady }: PodsCheck, signal: AbortSignal): Promise<string | undefined> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
    let ready = 0;
    for await (const { items, page } of this.#client.listPages(path, { labelSelector: selectorText(selector) }, PAGE, signal)) {
      if (page === 0) ready = 0;
      ready += items.map(podOf).filter((pod) => pod.ready && !pod.terminating).length;
      if (ready >= minReady) return undefined;
      if (page + 1 >= MAX_PAGES) return `more than ${PAGE * MAX_PAGES} pods match: name fewer`;
    }
    const which = selectorText(selector);
    return `${ready} pods${which === '' ? '' : ` with ${shortened(which)}`} are Ready, at least ${minReady} must be`;
  }

  async #object(check: ObjectCheck, signal: AbortSignal): Promise<string | undefined> {
    const { apiVersion, kind, namespace, name } = check;
    const resource = await this.#names.find(apiVersion, kind, signal);
    if (resource === undefined) return `the API server knows no kind ${kind} of ${apiVersion}`;
    if (resource.namespaced !== (namespace !== undefined))
      return resource.namespaced
        ? `a ${kind} lies in a namespace: name it in the check`
        : `a ${kind} lies in no namespace: take it out of the check`;
    const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
    try {
      const object = await this.#client.get(`${resource.path}${within}/${resource.name}/${encodeURIComponent(name)}`, { signal });
      return objectFailure(check, object);
    } catch (error) {
      if (isNotFound(error)) return 'it is not there';
      if (error instanceof ApiError && error.status === 403) return forbidden(resource);
      throw error;
    }
  }
}

function forbidden({ group, name }: Resource): string {
  return `the controller may not get ${name}${group === '' ? '' : `.${group}`}: add {apiGroups: ["${group}"], resources: [${name}], verbs: [get]} to the chart's value checks.rules`;
}

function unread(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'there was no answer in time';
  if (error instanceof ApiError) return `it could not be read: ${shortened(error.words, 200)}`;
  if (error instanceof ApiUnreachableError || error instanceof ApiProtocolError)
    return `it could not be read: ${shortened(error.message, 200)}`;
  return `it could not be read: ${shortened(error instanceof Error ? error.message : String(error), 200)}`;
}

/** What of an object is not as a check wants it. */
export function objectFailure({ condition, jsonPath, value = '' }: ObjectCheck, object: unknown): string | undefined {
  if (condition !== undefined) return conditionFailure(condition, object);
  const steps = readJSONPath(jsonPath ?? '');
  if ('problem' in steps) return steps.problem;
  const [found, ...more] = valuesAt(steps, object);
  if (found === undefined) return `${jsonPath} leads to nothing, it must be ${JSON.stringify(value)}`;
  if (more.length > 0) return `${jsonPath} leads to more than one value`;
  if (!isScalar(found)) return `${jsonPath} leads to a list or an object`;
  if (String(found).trim() === value.trim()) return undefined;
  return `${jsonPath} is ${JSON.stringify(shortened(String(found)))}, it must be ${JSON.stringify(value)}`;
}

const withConditions = z.object({
  metadata: z.object({ generation: z.optional(z.number()) }),
  status: z.optional(
    z.nullable(
      z.object({
        observedGeneration: z.optional(z.number()),
        conditions: z.optional(
          z.nullable(
            z.array(
              z.object({
                type: z.optional(z.string()),
                status: z.optional(z.string()),
                message: z.optional(z.string()),
                observedGeneration: z.optional(z.number()),
              }),
            ),
          ),
        ),
      }),
    ),
  ),
});

/** As `kubectl wait --for=condition=TYPE[=STATUS]` reads it: in any case of letters, and only where it speaks of the present spec. */
function conditionFailure(wanted: string, object: unknown): string | undefined {
  const [type = '', status = 'True'] = wanted.split('=', 2);
  const parsed = withConditions.safeParse(object);
  if (!parsed.success) return 'its status does not read as one with conditions';
  const { metadata, status: told } = parsed.data;
  const condition = told?.conditions?.find((one) => one.type?.toLowerCase() === type.toLowerCase());
  if (condition === undefined) return `it has no condition ${type}`;
  const observed = condition.observedGeneration ?? told?.observedGeneration;
  if (observed !== undefined && metadata.generation !== undefined && observed < metadata.generation)
    return `its condition ${type} does not speak of its present spec yet`;
  if (condition.status?.toLowerCase() === status.toLowerCase()) return undefined;
  const why = condition.message ? ` (${shortened(condition.message, 120)})` : '';
  return `its condition ${type} is ${shortened(condition.status ?? 'unknown')}, it must be ${status}${why}`;
}

/** A selector as the API server's query has it. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const exact = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  return [...exact, ...matchExpressions.map(requirementText)].join(',');
}

function requirementText({ key, operator, values = [] }: NonNullable<LabelSelector['matchExpressions']>[number]): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values.join(',')})`;
    case 'NotIn':
      return `${key} notin (${values.join(',')})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
  }
}

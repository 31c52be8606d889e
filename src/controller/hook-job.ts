import * as z from 'zod/mini';
import { GROUP } from '../api/names.ts';
import type { HookRun, JobRef } from '../core/command.ts';
import type { JobView } from '../core/world.ts';

/** Label of a hook's Job: the claim that it was made for. */
const CLAIM_LABEL = `${GROUP}/claim`;
/** Label of a hook's Job: where in the update it runs. */
const HOOK_LABEL = `${GROUP}/hook`;
/** Annotation of a hook's Job: the node that is updated; a node's name may be longer than a label's value. */
const NODE_ANNOTATION = `${GROUP}/node`;

/** A finished Job whose template does not say how long it stays is removed after a day, in seconds. */
const KEPT_SECONDS = 86_400;

const strings = z.optional(z.record(z.string(), z.string()));
const list = z.optional(z.nullable(z.array(z.looseObject({}))));
const containers = z.optional(
  z.nullable(z.array(z.looseObject({ env: z.optional(z.nullable(z.array(z.looseObject({ name: z.string() })))) }))),
);

const podSpecSchema = z.looseObject({
  nodeName: z.optional(z.string()),
  containers,
  initContainers: containers,
  affinity: z.optional(
    z.nullable(
      z.looseObject({
        nodeAffinity: z.optional(
          z.nullable(
            z.looseObject({
              requiredDuringSchedulingIgnoredDuringExecution: z.optional(
                z.nullable(z.looseObject({ nodeSelectorTerms: z.optional(z.array(z.looseObject({ matchFields: list }))) })),
              ),
            }),
          ),
        ),
      }),
    ),
  ),
});

const cronJobSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  spec: z.object({
    jobTemplate: z.object({
      metadata: z.optional(z.object({ labels: strings, annotations: strings })),
      spec: z.looseObject({
        activeDeadlineSeconds: z.optional(z.nullable(z.number())),
        ttlSecondsAfterFinished: z.optional(z.nullable(z.number())),
        template: z.looseObject({ spec: podSpecSchema }),
      }),
    }),
  }),
});

type PodSpec = z.infer<typeof podSpecSchema>;

/**
 * The Job of a hook, as `kubectl create job --from=cronjob/NAME` makes it (kubectl 1.36, create_job.go), and on top of that: its
 * labels, its environment, its deadline, how long it is kept, and never a pod on the node that is updated.
 */
export function jobFrom(rawCronJob: unknown, hook: HookRun): object {
  const { metadata, spec } = z.parse(cronJobSchema, rawCronJob);
  const { metadata: template = {}, spec: jobSpec } = spec.jobTemplate;
  const ours = Math.max(1, Math.ceil(hook.timeoutMs / 1000));
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: hook.name,
      namespace: hook.namespace,
      labels: { ...template.labels, [CLAIM_LABEL]: hook.claim, [HOOK_LABEL]: hook.at },
      annotations: { 'cronjob.kubernetes.io/instantiate': 'manual', ...template.annotations, [NODE_ANNOTATION]: hook.node },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: metadata.name, uid: metadata.uid, controller: true }],
    },
    spec: {
      ...jobSpec,
      activeDeadlineSeconds: Math.min(jobSpec.activeDeadlineSeconds ?? ours, ours),
      ttlSecondsAfterFinished: jobSpec.ttlSecondsAfterFinished ?? KEPT_SECONDS,
      template: { ...jobSpec.template, spec: podSpecFor(jobSpec.template.spec, hook) },
    },
  };
}

/** What one hook's Job has come to; a Job of its name that was not made for this claim is refused. */
export function jobOf(raw: unknown, { claim, namespace, name }: JobRef): JobView {
  const { metadata, status } = z.parse(jobSchema, raw);
  if (metadata.labels?.[CLAIM_LABEL] !== claim)
    return { state: 'Refused', message: `Job ${namespace}/${name} is there and was not made for this update: delete it` };
  const conditions = (status?.conditions ?? []).filter(({ status: holds }) => holds === 'True');
  if (conditions.some(({ type }) => type === 'Complete'))
    return { state: 'Succeeded', ...(status?.completionTime && { endedAt: status.completionTime }) };
  const failed = conditions.find(({ type }) => type === 'Failed');
  if (failed === undefined) return { state: 'Active', createdAt: metadata.creationTimestamp ?? '' };
  const { reason = 'Failed', message = '' } = failed;
  return { state: 'Failed', timedOut: reason === 'DeadlineExceeded', message: message === '' ? reason : `${reason}: ${message}` };
}

const jobSchema = z.object({
  metadata: z.object({ labels: strings, creationTimestamp: z.optional(z.string()) }),
  status: z.optional(
    z.object({
      completionTime: z.optional(z.nullable(z.string())),
      conditions: z.optional(
        z.nullable(
          z.array(z.object({ type: z.string(), status: z.string(), reason: z.optional(z.string()), message: z.optional(z.string()) })),
        ),
      ),
    }),
  ),
});

function podSpecFor(spec: PodSpec, hook: HookRun): PodSpec {
  const env = environmentOf(hook);
  const names = new Set(env.map(({ name }) => name));
  const withEnvironment = (all: PodSpec['containers']): PodSpec['containers'] =>
    all?.map((container) => ({ ...container, env: [...(container.env ?? []).filter(({ name }) => !names.has(name)), ...env] }));
  const { containers: main, initContainers: before } = spec;
  return {
    ...spec,
    ...(main && { containers: withEnvironment(main) }),
    ...(before && { initContainers: withEnvironment(before) }),
    affinity: keptOff(spec.affinity, hook.node),
  };
}

/** Variables that every container of a hook gets. */
const environmentOf = ({ node, from, to, policy, at }: HookRun): { name: string; value: string }[] =>
  Object.entries({
    LOCKKEEPER_NODE: node,
    LOCKKEEPER_FROM_VERSION: from,
    LOCKKEEPER_TO_VERSION: to,
    LOCKKEEPER_POLICY: policy,
    LOCKKEEPER_HOOK: at,
  }).map(([name, value]) => ({ name, value }));

/** The terms of a node selector are alternatives: each of them must keep off the node. */
function keptOff(affinity: PodSpec['affinity'], node: string): PodSpec['affinity'] {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const off = { key: 'metadata.name', operator: 'NotIn', values: [node] };
  const nodeSelectorTerms = (required?.nodeSelectorTerms ?? [{ matchFields: [] }]).map((term) => ({
    ...term,
    matchFields: [...(term.matchFields ?? []), off],
  }));
  return {
    ...affinity,
    nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { ...required, nodeSelectorTerms } },
  };
}

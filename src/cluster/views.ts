import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { type CordonRecord, cordonRecordSchema } from '../api/cordon-record.ts';
import { BY_HAND, GROUP, KEEP_NODE_ANNOTATIONS, ON_NODE, OUTDATED_TAINT } from '../api/names.ts';
import { type NodeHost, nodeHostSchema } from '../api/node-host.ts';
import { type NodeUpdate, nodeUpdateSchema } from '../api/node-update.ts';
import { updatePolicySchema } from '../api/update-policy.ts';
import { LIFECYCLE_CONDITIONS } from '../core/lifecycle.ts';
import { parseOSImage } from '../core/versions.ts';
import type { NodeView, PodView, PolicyView } from '../core/world.ts';

const strings = z.optional(z.record(z.string(), z.string()));

const nodeSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    creationTimestamp: z.optional(z.string()),
    deletionTimestamp: z.optional(z.string()),
    labels: strings,
    annotations: strings,
  }),
  spec: z.optional(
    z.object({
      unschedulable: z.optional(z.boolean()),
      providerID: z.optional(z.string()),
      taints: z.optional(z.array(z.object({ key: z.string() }))),
    }),
  ),
  status: z.optional(
    z.object({
      conditions: z.optional(
        z.array(z.object({ type: z.string(), status: z.string(), lastTransitionTime: z.optional(z.nullable(z.string())) })),
      ),
      volumesAttached: z.optional(z.nullable(z.array(z.object({ name: z.string() })))),
      nodeInfo: z.optional(z.object({ bootID: z.string(), osImage: z.string(), architecture: z.string(), systemUUID: z.string() })),
    }),
  ),
});

/** Taints by which an autoscaler or Karpenter says that it is about to delete a node. */
const DELETION_TAINTS = new Set(['karpenter.sh/disrupted', 'karpenter.sh/disruption', 'ToBeDeletedByClusterAutoscaler']);

/** The Node's own part of a NodeView, without what its NodeUpdate, its NodeHost and its agent's pod add. */
export type BareNode = Omit<NodeView, 'update' | 'host' | 'agent' | 'otherOperator'>;

/** Projects a Node to what a decision looks at. */
export function nodeOf(raw: unknown): BareNode {
  const { metadata, spec, status } = z.parse(nodeSchema, raw);
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const info = status?.nodeInfo;
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([name]) => name.startsWith(`${GROUP}/`) || name in KEEP_NODE_ANNOTATIONS),
  );
  const os = info === undefined ? undefined : parseOSImage(info.osImage, info.architecture.slice(0, 32));
  const record = recordOf(annotations[ON_NODE.cordon]);
  const taints = spec?.taints ?? [];
  const urgentBy = setterOf(raw, annotations, BY_HAND.urgent);
  const lifecycle = LIFECYCLE_CONDITIONS.filter((name) => status?.conditions?.some(({ type }) => type === name));
  return {
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    createdAt: metadata.creationTimestamp ?? '',
    labels: metadata.labels ?? {},
    annotations,
    unschedulable: spec?.unschedulable ?? false,
    ready: { status: ready?.status === 'True', since: ready?.lastTransitionTime ?? '' },
    // A kubelet may say anything of any length: what does not fit into a status would keep its whole policy's from being written.
    bootID: (info?.bootID ?? '').slice(0, 128).toWellFormed(),
    hostID: (spec?.providerID || info?.systemUUID || metadata.uid).slice(0, 512).toWellFormed(),
    deleting: metadata.deletionTimestamp !== undefined || taints.some(({ key }) => DELETION_TAINTS.has(key)),
    ...(urgentBy !== undefined && { urgentBy }),
    ...(taints.some(({ key }) => key === OUTDATED_TAINT) && { outdated: true }),
    ...(os !== undefined && { os }),
    ...(record !== undefined && { record }),
    ...(lifecycle.length > 0 && { lifecycle }),
    // Volumes come and go on every node: only those that a drain waits for are worth a pass.
    ...(typeof record === 'object' &&
      record.drain.waitForVolumeDetach === true && { volumesAttached: (status?.volumesAttached ?? []).map(({ name }) => name).sort() }),
  };
}

const managedSchema = z.object({
  metadata: z.object({
    managedFields: z.optional(
      z.array(
        z.object({
          manager: z.optional(z.string()),
          time: z.optional(z.string()),
          fieldsV1: z.optional(
            z.object({ 'f:metadata': z.optional(z.object({ 'f:annotations': z.optional(z.record(z.string(), z.unknown())) })) }),
          ),
        }),
      ),
    ),
  }),
});

/** By which program an annotation was set last, and when: the API server tells no more of it than that. */
function setterOf(raw: unknown, annotations: Readonly<Record<string, string>> = {}, name: string): string | undefined {
  if (!(name in annotations)) return undefined;
  const read = z.safeParse(managedSchema, raw);
  const entries = read.success ? (read.data.metadata.managedFields ?? []) : [];
  const owners = entries.filter(({ fieldsV1 }) => fieldsV1?.['f:metadata']?.['f:annotations']?.[`f:${name}`] !== undefined);
  const last = owners.reduce<(typeof owners)[number] | undefined>((a, b) => ((b.time ?? '') >= (a?.time ?? '') ? b : a), undefined);
  return last && `${(last.manager || 'unknown').slice(0, 64)}${last.time === undefined ? '' : ` at ${last.time.slice(0, 64)}`}`;
}

function recordOf(annotation: string | undefined): CordonRecord | 'unreadable' | undefined {
  if (annotation === undefined) return undefined;
  try {
    return z.parse(cordonRecordSchema, JSON.parse(annotation));
  } catch {
    return 'unreadable';
  }
}

const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    labels: strings,
    annotations: strings,
    deletionTimestamp: z.optional(z.string()),
    ownerReferences: z.optional(
      z.array(z.object({ apiVersion: z.string(), kind: z.string(), name: z.string(), controller: z.optional(z.boolean()) })),
    ),
  }),
  spec: z.object({
    nodeName: z.optional(z.string()),
    priorityClassName: z.optional(z.string()),
    tolerations: z.optional(
      z.nullable(z.array(z.object({ key: z.optional(z.string()), operator: z.optional(z.string()), effect: z.optional(z.string()) }))),
    ),
    volumes: z.optional(z.nullable(z.array(z.record(z.string(), z.unknown())))),
  }),
  status: z.optional(
    z.object({
      phase: z.optional(z.string()),
      conditions: z.optional(z.array(z.object({ type: z.string(), status: z.string() }))),
      containerStatuses: z.optional(z.nullable(z.array(z.object({ containerID: z.optional(z.string()) })))),
    }),
  ),
});

/** The priority classes of the system's own. */
const CRITICAL: Readonly<Record<string, NonNullable<PodView['critical']>>> = {
  'system-cluster-critical': 'cluster',
  'system-node-critical': 'node',
};

/** Annotations, with their value, by which a pod's owner asks Karpenter or the cluster autoscaler to leave it where it is. */
const DO_NOT_DISRUPT: Readonly<Record<string, string>> = {
  'karpenter.sh/do-not-disrupt': 'true',
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
};

/** Whether a toleration covers the taint of a cordoned node, which has no value; a key left out stands for every taint. */
function toleratesCordon({
  key,
  operator,
  effect,
}: {
  key?: string | undefined;
  operator?: string | undefined;
  effect?: string | undefined;
}) {
  const matches = key === undefined || key === '' ? operator === 'Exists' : key === 'node.kubernetes.io/unschedulable';
  return matches && (effect === undefined || effect === '' || effect === 'NoSchedule');
}

/** Sources of volumes that are never attached to a node; an inline `csi` volume is one of its node alone. */
const NEVER_ATTACHED = [
  'emptyDir',
  'hostPath',
  'configMap',
  'secret',
  'projected',
  'downwardAPI',
  'image',
  'gitRepo',
  'nfs',
  'csi',
  'cephfs',
  'glusterfs',
  'azureFile',
];

/** A pod as a drain sees it, with the node that it is bound to. */
export type BoundPod = PodView & { node: string };

/** Projects a Pod to what a drain looks at. */
export function podOf(raw: unknown): BoundPod {
  const { metadata, spec, status } = z.parse(podSchema, raw);
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  const containers = digestOf((status?.containerStatuses ?? []).flatMap(({ containerID }) => containerID || []));
  const volumes = spec.volumes ?? [];
  const has = (volume: (typeof volumes)[number], source: string): boolean => volume[source] !== undefined && volume[source] !== null;
  const attachable = volumes.filter((volume) => !NEVER_ATTACHED.some((source) => has(volume, source))).length;
  const critical = CRITICAL[spec.priorityClassName ?? ''];
  const doNotDisrupt = Object.entries(DO_NOT_DISRUPT).find(([name, value]) => metadata.annotations?.[name] === value)?.[0];
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    labels: metadata.labels ?? {},
    ...(owner !== undefined && { controller: { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name } }),
    phase: status?.phase ?? 'Unknown',
    ready: status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false,
    ...(containers !== undefined && { containers }),
    terminating: metadata.deletionTimestamp !== undefined,
    mirror: metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined,
    emptyDir: volumes.some((volume) => has(volume, 'emptyDir')),
    ...(attachable > 0 && { attachable }),
    ...(metadata.deletionTimestamp !== undefined && { goneBy: metadata.deletionTimestamp }),
    ...(critical !== undefined && { critical }),
    ...(doNotDisrupt !== undefined && { doNotDisrupt }),
    ...((spec.tolerations ?? []).some(toleratesCordon) && { toleratesCordon: true }),
    node: spec.nodeName ?? '',
  };
}

/** Short, as a Node's record holds one for each of its DaemonSets. */
function digestOf(containerIDs: readonly string[]): string | undefined {
  if (containerIDs.length === 0) return undefined;
  return createHash('sha256').update(containerIDs.toSorted().join()).digest('hex').slice(0, 12);
}

/** Projects an UpdatePolicy; the schema has been applied by the API server, and is applied again. */
export function policyOf(raw: unknown): PolicyView {
  const { metadata, spec, status } = z.parse(updatePolicySchema, raw);
  const urgentBy = setterOf(raw, metadata.annotations, BY_HAND.urgent);
  return {
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    generation: metadata.generation ?? 0,
    deleting: metadata.deletionTimestamp !== undefined,
    annotations: oursOf(metadata.annotations),
    ...(urgentBy !== undefined && { urgentBy }),
    spec,
    status,
  };
}

/** A NodeUpdate or a NodeHost with the uid of the Node that owns it. */
export type Owned<T> = T & { nodeUID: string; annotations: Readonly<Record<string, string>>; resourceVersion: string };

/** Projects a NodeUpdate. */
export function nodeUpdateOf(raw: unknown): Owned<Pick<NodeUpdate, 'status'>> & { urgentBy?: string } {
  const { metadata, status } = z.parse(nodeUpdateSchema, raw);
  const urgentBy = setterOf(raw, metadata.annotations, BY_HAND.urgent);
  return { ...owned(metadata), status, ...(urgentBy !== undefined && { urgentBy }) };
}

/** Projects a NodeHost. */
export function nodeHostOf(raw: unknown): Owned<Pick<NodeHost, 'spec' | 'status'>> {
  const { metadata, spec, status } = z.parse(nodeHostSchema, raw);
  return { ...owned(metadata), spec, status };
}

function owned(metadata: NodeUpdate['metadata']) {
  const nodeUID = metadata.ownerReferences?.find(({ kind }) => kind === 'Node')?.uid ?? '';
  return { nodeUID, annotations: oursOf(metadata.annotations), resourceVersion: metadata.resourceVersion };
}

const oursOf = (annotations: Record<string, string> = {}) =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => name.startsWith(`${GROUP}/`)));

const budgetSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string(), generation: z.optional(z.int()) }),
  spec: z.object({
    unhealthyPodEvictionPolicy: z.optional(z.string()),
    selector: z.optional(
      z.nullable(
        z.object({
          matchLabels: strings,
          matchExpressions: z.optional(
            z.array(
              z.object({
                key: z.string(),
                operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
                values: z.optional(z.array(z.string())),
              }),
            ),
          ),
        }),
      ),
    ),
  }),
  status: z.optional(
    z.object({
      disruptionsAllowed: z.int(),
      currentHealthy: z.int(),
      desiredHealthy: z.int(),
      expectedPods: z.optional(z.int()),
      observedGeneration: z.optional(z.int()),
      conditions: z.optional(
        z.nullable(z.array(z.object({ type: z.string(), reason: z.optional(z.string()), message: z.optional(z.string()) }))),
      ),
    }),
  ),
});
export type Budget = ReturnType<typeof budgetOf>;

/** Projects a PodDisruptionBudget. */
export function budgetOf(raw: unknown) {
  const { metadata, spec, status } = z.parse(budgetSchema, raw);
  // The API server evicts nothing under a budget whose spec its controller has not seen yet.
  const observed = status !== undefined && (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const { unhealthyPodEvictionPolicy } = spec;
  const failed = status?.conditions?.find(({ type, reason }) => type === 'DisruptionAllowed' && reason === 'SyncFailed');
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    selector: spec.selector ?? undefined,
    observed,
    disruptionsAllowed: observed ? (status?.disruptionsAllowed ?? 0) : 0,
    ...(unhealthyPodEvictionPolicy !== undefined && { unhealthyPodEvictionPolicy }),
    // Why its controller cannot compute it: then its numbers mean nothing, and it allows no eviction.
    ...(failed !== undefined && { syncFailed: failed.message ?? '' }),
    currentHealthy: status?.currentHealthy ?? 0,
    desiredHealthy: status?.desiredHealthy ?? 0,
    expectedPods: status?.expectedPods ?? 0,
  };
}

const guardSchema = z.object({
  spec: z.object({
    failurePolicy: z.optional(z.string()),
    policyName: z.optional(z.string()),
    validationActions: z.optional(z.array(z.string())),
  }),
});

/** Whether a ValidatingAdmissionPolicy fails closed. */
export const failsClosed = (raw: unknown): boolean => (z.parse(guardSchema, raw).spec.failurePolicy ?? 'Fail') === 'Fail';

/** Whether a binding of the named ValidatingAdmissionPolicy denies. */
export function denies(raw: unknown, policyName: string): boolean {
  const { spec } = z.parse(guardSchema, raw);
  return spec.policyName === policyName && (spec.validationActions ?? []).includes('Deny');
}

import * as z from 'zod/mini';
import { kindPath, UPDATE_POLICY } from '../../api/kinds.ts';
import { BY_HAND, GROUP, MIGRATION_ANNOTATION, MIGRATION_STOP } from '../../api/names.ts';
import { updatePolicySpecSchema } from '../../api/update-policy.ts';
import type { PolicyView } from '../../core/world.ts';
import type { Carried } from './carry.ts';
import { type Found, recordOn, type Workload } from './found.ts';
import { type MigrationRecord, writeRecord } from './record.ts';
import type { Write } from './step.ts';

/** What a policy needs of the migration's own: that it was made by it. */
export function makePolicy(found: Found, { policy }: Carried): Write {
  const { name } = policy.metadata;
  const annotations = { [MIGRATION_ANNOTATION]: writeRecord({ made: true }) };
  const made: PolicyView = {
    name,
    uid: '',
    resourceVersion: '',
    generation: 1,
    deleting: false,
    annotations,
    spec: z.parse(updatePolicySpecSchema, policy.spec),
    status: {},
  };
  return {
    kind: 'write',
    object: `UpdatePolicy ${name}`,
    changes: ['is made, as printed above'],
    method: 'create',
    path: kindPath(UPDATE_POLICY),
    body: { ...policy, metadata: { name, annotations } },
    right: { verb: 'create', resource: `updatepolicies.${GROUP}` },
    leaves: { ...found, policies: [...found.policies, made] },
  };
}

/** The old controller's replicas go; it is Recreate, so none comes before the last one has gone. */
export function stopController(found: Found, controller: Workload): Write {
  const record = { replicas: controller.replicas, ...recordOn(controller) };
  return workloadWrite(found, controller, {
    changes: [`spec.replicas ${controller.replicas} → 0`, `annotation ${MIGRATION_ANNOTATION}: ${writeRecord(record)}`],
    record,
    spec: { replicas: 0 },
    state: { ...controller, replicas: 0 },
  });
}

/** As many replicas as there were before. */
export function startController(found: Found, controller: Workload, replicas: number): Write {
  return workloadWrite(found, controller, {
    changes: [`spec.replicas ${controller.replicas} → ${replicas}`, `annotation ${MIGRATION_ANNOTATION} goes`],
    record: undefined,
    spec: { replicas },
    state: { ...controller, replicas },
  });
}

/** No node has the label that the old agents want from now on; they leave one after the other. */
export function stopAgents(found: Found, agents: Workload): Write {
  const had = Object.keys(agents.nodeSelector).length > 0;
  const record = { nodeSelector: had ? { ...agents.nodeSelector } : null, ...recordOn(agents) };
  return workloadWrite(found, agents, {
    changes: [
      `spec.template.spec.nodeSelector: ${MIGRATION_STOP}=true is added, a label that no node has`,
      `annotation ${MIGRATION_ANNOTATION}: ${writeRecord(record)}`,
    ],
    record,
    spec: { template: { spec: { nodeSelector: { [MIGRATION_STOP]: 'true' } } } },
    state: { ...agents, nodeSelector: { ...agents.nodeSelector, [MIGRATION_STOP]: 'true' } },
  });
}

/** The nodeSelector that was there before, and nothing else. */
export function startAgents(found: Found, agents: Workload, prior: Readonly<Record<string, string>> | null): Write {
  const added = Object.keys(agents.nodeSelector).filter((key) => !(key in (prior ?? {})));
  const gone = Object.fromEntries(added.map((key) => [key, null]));
  return workloadWrite(found, agents, {
    changes: [
      `spec.template.spec.nodeSelector: ${prior === null ? 'goes' : `is ${JSON.stringify(prior)} again`}`,
      `annotation ${MIGRATION_ANNOTATION} goes`,
    ],
    record: undefined,
    spec: { template: { spec: { nodeSelector: prior === null ? null : { ...gone, ...prior } } } },
    state: { ...agents, nodeSelector: prior ?? {}, active: true },
  });
}

interface WorkloadChange {
  changes: readonly string[];
  record: MigrationRecord | undefined;
  spec: object;
  /** How it is then, but for its annotation. */
  state: Workload;
}

function workloadWrite(found: Found, workload: Workload, { changes, record, spec, state }: WorkloadChange): Write {
  const { kind, namespace, name, resourceVersion } = workload;
  const plural = kind === 'Deployment' ? 'deployments' : 'daemonsets';
  const { [MIGRATION_ANNOTATION]: _, ...others } = workload.annotations;
  const annotations = record === undefined ? others : { ...others, [MIGRATION_ANNOTATION]: writeRecord(record) };
  const changed = { ...state, annotations };
  return {
    kind: 'write',
    object: `${kind} ${namespace}/${name}`,
    changes,
    method: 'mergePatch',
    path: `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(name)}`,
    body: {
      metadata: { resourceVersion, annotations: { [MIGRATION_ANNOTATION]: annotations[MIGRATION_ANNOTATION] ?? null } },
      spec,
    },
    right: { verb: 'patch', resource: `${plural}.apps`, name, namespace },
    leaves: { ...found, ...(kind === 'Deployment' ? { controller: changed } : { agents: changed }) },
  };
}

/** Nothing new is begun by a policy. */
export function pausePolicy(found: Found, policy: PolicyView): Write {
  const record = { paused: policy.annotations[BY_HAND.paused] ?? null, ...recordOn(policy) };
  return policyWrite(found, policy, { [BY_HAND.paused]: 'true', [MIGRATION_ANNOTATION]: writeRecord(record) }, [
    `annotation ${BY_HAND.paused}: true`,
    `annotation ${MIGRATION_ANNOTATION}: ${writeRecord(record)}`,
  ]);
}

/** What `pausePolicy` did is taken back. */
export function unpausePolicy(found: Found, policy: PolicyView, { paused = null, ...rest }: MigrationRecord): Write {
  const record = Object.keys(rest).length === 0 ? null : writeRecord(rest);
  return policyWrite(found, policy, { [BY_HAND.paused]: paused, [MIGRATION_ANNOTATION]: record }, [
    `annotation ${BY_HAND.paused} ${paused === null ? 'goes' : `is ${paused} again`}`,
    `annotation ${MIGRATION_ANNOTATION} ${record === null ? 'goes' : `is ${record} again`}`,
  ]);
}

function policyWrite(found: Found, policy: PolicyView, changed: Record<string, string | null>, changes: readonly string[]): Write {
  const { name, resourceVersion } = policy;
  const annotations = Object.fromEntries(
    Object.entries({ ...policy.annotations, ...changed }).filter((entry): entry is [string, string] => entry[1] !== null),
  );
  return {
    kind: 'write',
    object: `UpdatePolicy ${name}`,
    changes,
    method: 'mergePatch',
    path: kindPath(UPDATE_POLICY, name),
    body: { metadata: { resourceVersion, annotations: changed } },
    right: { verb: 'patch', resource: `updatepolicies.${GROUP}` },
    leaves: { ...found, policies: found.policies.map((one) => (one.name === name ? { ...one, annotations } : one)) },
  };
}

/** The policy that the migration made. */
export function deletePolicy(found: Found, { name, uid }: PolicyView): Write {
  return {
    kind: 'write',
    object: `UpdatePolicy ${name}`,
    changes: ['is deleted: the migration made it'],
    method: 'delete',
    path: kindPath(UPDATE_POLICY, name),
    body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
    right: { verb: 'delete', resource: `updatepolicies.${GROUP}` },
    leaves: { ...found, policies: found.policies.filter((one) => one.name !== name) },
  };
}

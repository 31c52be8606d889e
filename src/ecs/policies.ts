import { isDeepStrictEqual } from 'node:util';
import type { UpdatePolicySpec } from '../api/update-policy.ts';
import { policySpecOf } from '../api/update-policy.ts';
import { type PolicyFile, PolicyFileError, readPolicies } from '../cli/policy-file.ts';
import type { PolicyView } from '../core/world.ts';
import { AwsError } from './errors.ts';
import { POLICY_PREFIX, type PolicyRecord, policyRecordSchema, readRecord } from './records.ts';
import type { Table } from './table.ts';
import type { Item } from './table-api.ts';

/** Fields of an UpdatePolicy that mean nothing on Amazon ECS, with what is there instead. */
const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  hooks: 'they run Jobs of Kubernetes; Amazon ECS has none',
  checks: 'they are not looked at on Amazon ECS',
  'drain.mode': 'Amazon ECS itself stops the tasks of services on an instance that is set to DRAINING',
  'drain.deleteEmptyDirData': 'a task has no emptyDir',
  'drain.gracePeriodSeconds': "a task stops by its container's stopTimeout",
  'drain.skipWaitForDeleteTimeout': "a task stops by its container's stopTimeout",
  'drain.leaveToReboot': 'no task is left to the reboot',
  'drain.respectDoNotDisrupt': 'protect a task by its scale-in protection, which Amazon ECS respects by itself',
  'drain.waitForVolumeDetach': 'volumes of tasks are detached when these stop',
  'drain.loadBalancerDelay': "targets are deregistered by the service, with the target group's own delay",
};

/** Reads policies for Amazon ECS out of a YAML text. Throws a PolicyFileError that names what is wrong, and what means nothing there. */
export function readEcsPolicies(text: string, source: string): PolicyFile[] {
  const policies = readPolicies(text, source);
  const plain = policySpecOf({});
  const problems = policies.flatMap(({ name, spec }) =>
    Object.entries(WITHOUT_MEANING)
      .filter(([path]) => !isDeepStrictEqual(valueAt(spec, path), valueAt(plain, path)))
      .map(([path, why]) => `${source} (${name}): spec.${path} has no meaning on Amazon ECS: ${why}`),
  );
  if (problems.length > 0) throw new PolicyFileError(problems.join('\n'));
  return policies;
}

function valueAt(spec: UpdatePolicySpec, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], spec);
}

/** A policy as a decision sees it; `record` is what is kept of it. */
export interface KeptPolicy {
  view: PolicyView;
  record: PolicyRecord;
  /** What is kept of it cannot be read, and nothing may be written over it. */
  unreadable?: boolean;
}

/**
 * Joins the policies of the file with what the table keeps of them. Those that are no longer in the file are going. One whose item cannot
 * be read is paused: nobody knows its claims.
 */
export function policyViews(
  files: readonly PolicyFile[],
  table: Table,
  cluster: string,
  onUnreadable: (id: string, error: Error) => void,
): Map<string, KeptPolicy> {
  const views = new Map<string, KeptPolicy>();
  const known = new Map(table.under(POLICY_PREFIX).map((item) => [item.id.slice(POLICY_PREFIX.length), item]));
  for (const { name, spec, annotations } of files) {
    const item = known.get(name);
    const text = JSON.stringify(spec);
    const { before, unreadable } = item === undefined ? {} : recordOf(item, onUnreadable);
    const generation = before === undefined ? 1 : before.generation + (before.spec === text ? 0 : 1);
    const record = { spec: text, generation, status: before?.status ?? {} };
    views.set(name, {
      record,
      ...(unreadable === true && { unreadable }),
      view: {
        name,
        uid: `${cluster}/${name}`,
        resourceVersion: String(item?.version ?? 0),
        generation,
        deleting: false,
        annotations,
        spec: unreadable === true ? { ...spec, paused: true } : spec,
        status: record.status,
      },
    });
  }
  return views;
}

function recordOf(item: Item, onUnreadable: (id: string, error: Error) => void): { before?: PolicyRecord; unreadable?: true } {
  try {
    return { before: readRecord(policyRecordSchema, item.id, item.data) };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    onUnreadable(item.id, error);
    return { unreadable: true };
  }
}

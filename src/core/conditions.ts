import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Condition } from '../api/primitives.ts';
import { LONGEST_TEXT, shortened } from './shortened.ts';
import { type Instant, timestamp } from './world.ts';

/** Types of the conditions that a node carries only while there is something to say. */
export const NODE_CONDITIONS = {
  /** False: one of the annotations that steer the node cannot be read. */
  annotationsValid: 'AnnotationsValid',
  /** True: the node has been behind its target for longer than its policy's patchDeadline. */
  overdue: 'Overdue',
  /** True: a version is urgent on the node by its own annotation; False: it is not wanted there. */
  urgent: 'Urgent',
  /** False: the node's variant is of a Kubernetes that the control plane no longer supports. */
  kubernetesSupported: 'KubernetesSupported',
} as const;

/** What is to be said of a node. */
export type Finding = Pick<Condition, 'status' | 'reason' | 'message'> & { type: (typeof NODE_CONDITIONS)[keyof typeof NODE_CONDITIONS] };

/** As many as the schema has room for. */
const MAX_CONDITIONS = 16;

const OURS = new Set<string>(Object.values(NODE_CONDITIONS));

/** A node's status with what is found of it as conditions, and without those that are true no longer. */
export function withFindings(status: NodeUpdateStatus, findings: readonly Finding[], now: Instant): NodeUpdateStatus {
  if (findings.length === 0 && status.conditions === undefined) return status;
  const { conditions = [], ...rest } = status;
  const others = conditions.filter(({ type }) => !OURS.has(type));
  if (findings.length === 0 && others.length === conditions.length) return status;
  const found = findings.map((finding): Condition => {
    const before = conditions.find(({ type }) => type === finding.type);
    return {
      ...finding,
      message: shortened(finding.message, LONGEST_TEXT),
      lastTransitionTime: before?.lastTransitionTime ?? timestamp(now),
    };
  });
  // Others that somebody has put there must not keep ours from being written.
  const all = [...others.slice(0, Math.max(0, MAX_CONDITIONS - found.length)), ...found];
  return { ...rest, ...(all.length > 0 && { conditions: all }) };
}

/** Says which annotations of a node cannot be read. */
export const unreadableAnnotations = (problems: readonly string[]): Finding[] =>
  problems.length === 0
    ? []
    : [{ type: NODE_CONDITIONS.annotationsValid, status: 'False', reason: 'InvalidAnnotation', message: problems.join('; ') }];

/** What of a node's annotations cannot be read, by its status; empty where all can. */
export const annotationProblem = (status: NodeUpdateStatus | undefined): string =>
  conditionOf(status, NODE_CONDITIONS.annotationsValid)?.message ?? '';

/** A condition that a node's status carries. */
export const conditionOf = (status: NodeUpdateStatus | undefined, type: string): Condition | undefined =>
  status?.conditions?.find((condition) => condition.type === type);

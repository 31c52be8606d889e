import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Condition } from '../api/primitives.ts';
import { type Instant, timestamp } from './world.ts';

/** Type of the condition that a node carries while one of the annotations that steer it cannot be read. */
const ANNOTATIONS_VALID = 'AnnotationsValid';

/** A node's status with the condition that names the annotations which cannot be read; without it where there is none. */
export function withAnnotations(status: NodeUpdateStatus, problems: readonly string[], now: Instant): NodeUpdateStatus {
  const { conditions = [], ...rest } = status;
  const others = conditions.filter(({ type }) => type !== ANNOTATIONS_VALID);
  const before = conditions.find(({ type }) => type === ANNOTATIONS_VALID);
  if (problems.length === 0) return before === undefined ? status : { ...rest, ...(others.length > 0 && { conditions: others }) };
  const condition: Condition = {
    type: ANNOTATIONS_VALID,
    status: 'False',
    reason: 'InvalidAnnotation',
    message: problems.join('; '),
    lastTransitionTime: before?.lastTransitionTime ?? timestamp(now),
  };
  return { ...rest, conditions: [...others, condition] };
}

/** What of a node's annotations cannot be read, by its status; empty where all can. */
export const annotationProblem = (status: NodeUpdateStatus | undefined): string =>
  status?.conditions?.find(({ type }) => type === ANNOTATIONS_VALID)?.message ?? '';

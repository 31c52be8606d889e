import * as z from 'zod/mini';
import { OTHER_OPERATOR_COMPONENT, OTHER_OPERATOR_LABEL } from '../api/names.ts';

const strings = z.optional(z.record(z.string(), z.string()));

/** A DaemonSet, as far as a decision looks at it: that it exists, and whether it is the agents of the OS's existing operator. */
export interface DaemonSetView {
  otherOperator?: true;
}

const requirementsSchema = z.optional(z.nullable(z.array(z.object({ key: z.string() }))));

const daemonSetSchema = z.object({
  metadata: z.object({ generation: z.optional(z.int()) }),
  spec: z.object({
    selector: z.optional(z.object({ matchLabels: strings })),
    template: z.object({
      spec: z.optional(
        z.object({
          containers: z.optional(z.array(z.object({ image: z.optional(z.string()) }))),
          nodeSelector: strings,
          affinity: z.optional(
            z.nullable(
              z.object({
                nodeAffinity: z.optional(
                  z.nullable(
                    z.object({
                      requiredDuringSchedulingIgnoredDuringExecution: z.optional(
                        z.nullable(z.object({ nodeSelectorTerms: z.array(z.object({ matchExpressions: requirementsSchema })) })),
                      ),
                    }),
                  ),
                ),
              }),
            ),
          ),
        }),
      ),
    }),
  }),
  status: z.optional(
    z.object({
      observedGeneration: z.optional(z.int()),
      desiredNumberScheduled: z.optional(z.int()),
      currentNumberScheduled: z.optional(z.int()),
      numberMisscheduled: z.optional(z.int()),
    }),
  ),
});

/** Projects a DaemonSet. One of the other operator's that neither has a pod nor wants one counts as any other. */
export function daemonSetOf(raw: unknown): DaemonSetView {
  const parsed = z.safeParse(daemonSetSchema, raw);
  return parsed.success && isOfOtherOperator(parsed.data) && hasPods(parsed.data) ? { otherOperator: true } : {};
}

type DaemonSet = z.infer<typeof daemonSetSchema>;

/** The name of its one image, wherever that is kept. */
const IMAGE = 'bottlerocket-update-operator';

/** By its own label; releases before 0.2 have none, but place their pods where the label of its nodes is, as others may do, too. */
function isOfOtherOperator({ spec: { selector, template } }: DaemonSet): boolean {
  if (selector?.matchLabels?.[OTHER_OPERATOR_COMPONENT] === 'agent') return true;
  const { containers, nodeSelector, affinity } = template.spec ?? {};
  if (containers?.some(({ image }) => image?.includes(IMAGE) === true) !== true) return false;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return (
    (nodeSelector !== undefined && OTHER_OPERATOR_LABEL in nodeSelector) ||
    terms.some(({ matchExpressions }) => matchExpressions?.some(({ key }) => key === OTHER_OPERATOR_LABEL) === true)
  );
}

/** What its controller has not looked at yet may want pods. */
function hasPods({ metadata, status }: DaemonSet): boolean {
  if (status?.observedGeneration === undefined || status.observedGeneration < (metadata.generation ?? 0)) return true;
  const { desiredNumberScheduled = 0, currentNumberScheduled = 0, numberMisscheduled = 0 } = status;
  return desiredNumberScheduled + currentNumberScheduled + numberMisscheduled > 0;
}

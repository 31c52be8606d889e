import * as z from 'zod/mini';
import { field } from './primitives.ts';

/** A label selector of at most so many expressions, each with at most so many values. */
export const labelSelectorSchema = ({ expressions, values }: { expressions: number; values: number }) =>
  z.object({
    matchLabels: z.optional(
      field(z.record(z.string().check(z.maxLength(317)), z.string().check(z.maxLength(63))), 'Labels that must have exactly these values.'),
    ),
    matchExpressions: z.optional(
      field(
        z
          .array(
            z.object({
              key: z.string().check(z.minLength(1), z.maxLength(317)),
              operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
              values: z.optional(z.array(z.string().check(z.maxLength(63))).check(z.maxLength(values))),
            }),
          )
          .check(z.maxLength(expressions)),
        'Requirements that must all hold.',
      ),
    ),
  });
export type LabelSelector = z.infer<ReturnType<typeof labelSelectorSchema>>;

/** What the API server asks of the operators of a selector's expressions. */
export const SELECTOR_RULE = {
  rule: "!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : !has(e.values) || size(e.values) == 0)",
  message: 'In and NotIn need values; Exists and DoesNotExist take none',
  fieldPath: '.matchExpressions',
};

import * as z from 'zod/mini';
import { describeFields, timeSchema } from './primitives.ts';

/** What webhooks can be told of. The names are API: they stand in payloads and in the chart's values. */
export const NOTIFICATION_TYPES = ['RolloutHalted', 'NodeFailed', 'NodeBlocked', 'WindowOpening', 'RolloutDone'] as const;
export type NotificationType = (typeof NOTIFICATION_TYPES)[number];

/** So many webhooks a controller can have. */
export const MAX_WEBHOOKS = 8;
/** So many notifications of one type a policy makes a day, whatever happens. */
export const MAX_NOTIFIED_A_DAY = 64;

/** Name of a webhook: that of a folder, too. */
export const webhookNameSchema = () => z.string().check(z.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/));

/** One notification that webhooks were told of, or that was given up for them. */
export const notifiedSchema = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(512)),
  at: timeSchema(),
  webhooks: z.array(z.string().check(z.minLength(1), z.maxLength(63))).check(z.maxLength(2 * MAX_WEBHOOKS)),
});
export type Notified = z.infer<typeof notifiedSchema>;
describeFields(notifiedSchema, {
  id: 'The id that its payloads carry.',
  at: 'When the first of the webhooks was done with it.',
  webhooks: 'Names of the webhooks that are done with it.',
});

/** The list in a policy's status: a day's notifications, and those of rollouts that it still knows. */
export const notifiedListSchema = () => z.array(notifiedSchema).check(z.maxLength(6 * MAX_NOTIFIED_A_DAY));

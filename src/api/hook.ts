import * as z from 'zod/mini';
import {
  describeFields,
  durationSchema,
  field,
  nameSchema,
  namespaceSchema,
  recordedMilliseconds,
  textSchema,
  timeSchema,
} from './primitives.ts';

/** Where in a node's update a hook runs. */
export const HOOK_POSITIONS = ['BeforeDrain', 'BeforeReboot', 'AfterReboot', 'Finally'] as const;
export type HookPosition = (typeof HOOK_POSITIONS)[number];

const MAX_HOOKS = 16;
const positionSchema = () => z.enum(HOOK_POSITIONS);

/** Hooks of an UpdatePolicy. */
export const hookSpecsSchema = field(
  z
    .array(
      field(
        z.object({
          at: field(
            positionSchema(),
            'BeforeDrain: cordoned, nothing is evicted yet. BeforeReboot: drained. AfterReboot: runs the target and is Ready. Finally: before the uncordon, however the update ended. Those of one position run one after the other.',
          ),
          cronJob: field(
            z.object({
              namespace: field(namespaceSchema(), "Its namespace: one that the chart's value hooks.namespaces allows."),
              name: field(nameSchema(), 'Its name.'),
            }),
            'The CronJob, usually suspended, from whose jobTemplate a Job is made, as kubectl create job --from does.',
          ),
          timeout: z._default(field(durationSchema(), 'After this long the hook has failed, and its Job is ended.'), '10m'),
        }),
        'A hook.',
        { rules: [{ rule: "duration(self.timeout) >= duration('1s')", message: 'must be at least 1s', fieldPath: '.timeout' }] },
      ),
    )
    .check(z.maxLength(MAX_HOOKS)),
  'Jobs that run at certain points of a node’s update. One that fails before the reboot gives the node back; after it, it marks the node as Failed; Finally only reports.',
);

/** A hook as the record on the Node keeps it. */
export const recordedHookSchema = z.object({
  at: positionSchema(),
  namespace: z.string(),
  name: z.string(),
  timeoutMs: recordedMilliseconds(),
});
export type RecordedHook = z.infer<typeof recordedHookSchema>;

/** Hooks of a record: as many as a policy may have. */
export const recordedHooksSchema = () => z.array(recordedHookSchema).check(z.maxLength(MAX_HOOKS));

/** How far one hook of a node's update is; kept after the node has landed, until its next update. */
export const hookStatusSchema = z.object({
  at: positionSchema(),
  job: z.string().check(z.maxLength(512)),
  outcome: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'TimedOut']),
  message: z.optional(textSchema()),
  log: z.optional(z.string().check(z.maxLength(640))),
  deadline: z.optional(timeSchema()),
  endedAt: z.optional(timeSchema()),
  attempt: z.optional(z.int()),
});
export type HookStatus = z.infer<typeof hookStatusSchema>;
describeFields(hookStatusSchema, {
  at: 'Where in the update it runs.',
  job: 'Its Job, as namespace/name: one for each update and attempt, so that no hook runs twice.',
  outcome: 'Pending, Running, Succeeded, Failed or TimedOut.',
  message: 'What went wrong, and what to do.',
  log: 'The command that shows its log.',
  deadline: 'Until when it may take.',
  endedAt: 'When it succeeded: the drain’s time counts from the last of those before it.',
  attempt: 'How often a retry has run it anew.',
});

/** The list of them in a NodeUpdate's status, in the order of the record's hooks. */
export const hookStatusesSchema = () => z.array(hookStatusSchema).check(z.maxLength(MAX_HOOKS));

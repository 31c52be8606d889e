import * as z from 'zod/mini';
import { hookStatusesSchema } from './hook.ts';
import { conditionsSchema, describeFields, metadataSchema, nameSchema, textSchema, timeSchema } from './primitives.ts';

/** Where a node is in its life (docs/architecture.md has the picture). */
export const PHASES = [
  'Idle',
  'Staging',
  'Staged',
  'Draining',
  'Rebooting',
  'Verifying',
  'RollingBack',
  'Uncordoning',
  'Soaking',
  'Blocked',
  'RolledBack',
  'Failed',
] as const;
export type Phase = (typeof PHASES)[number];

const shortText = () => z.string().check(z.maxLength(128));
const versionText = () => z.string().check(z.maxLength(64));
const phaseSchema = z.enum(PHASES);

/** What went wrong with one target on one node: remembered, so that it is not tried again by itself. */
export const failureSchema = z.object({
  target: versionText(),
  at: timeSchema(),
  reason: shortText(),
  message: z.optional(textSchema()),
  /** Boot ID and Ready's last transition at the failure: a change of either is news of the node. */
  bootID: shortText(),
  readySince: shortText(),
  rebooted: z.optional(z.boolean()),
});
export type Failure = z.infer<typeof failureSchema>;
describeFields(failureSchema, {
  target: 'The version that failed.',
  at: 'When.',
  reason: 'What went wrong, in one word.',
  message: 'What went wrong, for people.',
  bootID: 'The boot ID at the failure: another one is news of the node.',
  readySince: "The last transition of the node's Ready condition at the failure: another one is news of the node.",
  rebooted: 'By its kubelet, another boot or not Ready, after the reboot was asked: counts for rollout.onExceeded: RollBack.',
});

/** A pod that could not be evicted yet. */
export const blockedPodSchema = z.object({
  pod: z.string().check(z.maxLength(512)),
  reason: shortText(),
  budget: z.optional(z.string().check(z.maxLength(512))),
  message: z.optional(textSchema()),
});
export type BlockedPod = z.infer<typeof blockedPodSchema>;
describeFields(blockedPodSchema, {
  pod: 'The pod, as namespace/name.',
  reason: 'Why it stays, in one word.',
  budget: 'The PodDisruptionBudget that keeps it, as namespace/name.',
  message: "Why it stays, in the API server's words.",
});

/** A pod that a drain leaves on the node for the reboot to end. */
export const leftPodSchema = z.object({ pod: z.string().check(z.maxLength(512)), reason: shortText() });
describeFields(leftPodSchema, {
  pod: 'The pod, as namespace/name.',
  reason: 'Why it is left, in one word.',
});

/** Pods of one controller that tolerate the cordon, so that others in their place are known to have come straight back. */
export const evictedOnceSchema = z.object({
  controller: z.string().check(z.maxLength(640)),
  pods: z.array(z.string().check(z.maxLength(64))).check(z.maxLength(512)),
});
export type EvictedOnce = z.infer<typeof evictedOnceSchema>;
describeFields(evictedOnceSchema, {
  controller: 'The controller, as namespace/kind/name.',
  pods: 'The uids of its pods that are evicted; those that come in their place are left.',
});

/** Status of a NodeUpdate: the controller's view of one node, written by the controller alone. */
export const nodeUpdateStatusSchema = z.object({
  policy: z.optional(nameSchema()),
  /** The claim that the phase belongs to, while the node is in flight. */
  claim: z.optional(z.string().check(z.maxLength(253))),
  from: z.optional(versionText()),
  target: z.optional(versionText()),
  phase: z.optional(phaseSchema),
  next: z.optional(phaseSchema),
  reason: z.optional(shortText()),
  message: z.optional(textSchema()),
  /** Why the node is being given back, as long as hooks Finally hold that up: reason and message once it has landed. */
  because: z.optional(z.object({ reason: shortText(), message: textSchema() })),
  since: z.optional(timeSchema()),
  behindSince: z.optional(timeSchema()),
  bootIDBefore: z.optional(shortText()),
  drain: z.optional(
    z.object({
      startedAt: timeSchema(),
      total: z.int(),
      remaining: z.int(),
      blocked: z.optional(z.array(blockedPodSchema).check(z.maxLength(64))),
      left: z.optional(z.array(leftPodSchema).check(z.maxLength(64))),
      evictedOnce: z.optional(z.array(evictedOnceSchema).check(z.maxLength(64))),
    }),
  ),
  hooks: z.optional(hookStatusesSchema()),
  deadlines: z.optional(
    z.object({
      drain: z.optional(timeSchema()),
      reboot: z.optional(timeSchema()),
      verify: z.optional(timeSchema()),
      soak: z.optional(timeSchema()),
    }),
  ),
  retryAt: z.optional(timeSchema()),
  attempts: z.optional(z.int()),
  /** The last order that failed and was counted, so that no failure is counted twice. */
  failedOrder: z.optional(shortText()),
  failures: z.optional(z.array(failureSchema).check(z.maxLength(16))),
  tokens: z.optional(
    z.object({
      retry: z.optional(textSchema()),
      policyRetry: z.optional(textSchema()),
      skip: z.optional(textSchema()),
      reboot: z.optional(textSchema()),
      policyReboot: z.optional(textSchema()),
    }),
  ),
  conditions: z.optional(conditionsSchema()),
  history: z.optional(
    z
      .array(
        z.object({
          from: versionText(),
          to: versionText(),
          startedAt: timeSchema(),
          finishedAt: timeSchema(),
          outcome: shortText(),
          urgent: z.optional(z.literal(true)),
        }),
      )
      .check(z.maxLength(10)),
  ),
});
export type NodeUpdateStatus = z.infer<typeof nodeUpdateStatusSchema>;
describeFields(nodeUpdateStatusSchema, {
  policy: 'The policy that has this node.',
  claim: 'The claim that the phase belongs to, while the node is in flight.',
  from: 'The version that it runs, or ran when its update began.',
  target: 'The version that it is to run.',
  phase: 'Where the node is in its life.',
  next: 'The phase that follows once the node is given back.',
  reason: 'The one reason why it is where it is: event, metric and condition have the same.',
  message: 'The reason, for people.',
  because: 'Why the node is being given back: its reason again once that is done.',
  since: 'Since when it is in this phase.',
  behindSince: 'Since when it is behind its target.',
  bootIDBefore: 'The boot ID before the reboot: another one says that the node has rebooted.',
  drain: 'How far the drain is, and which pods stay.',
  hooks: "The policy's hooks: which Job each is, how it ended, and how to see its log.",
  deadlines: 'Until when the present step may take; kept here so that no restart of the controller starts them again.',
  retryAt: 'When it is tried again.',
  attempts: 'How often it was tried without success.',
  failedOrder: 'The last order that failed and was counted, so that no failure is counted twice.',
  failures: 'Targets that failed on this node, and are not tried again by themselves.',
  tokens: 'The annotations acted upon, so that each counts once.',
  conditions: 'What is true of this node now; one condition of each type.',
  history: 'Its last updates, newest last.',
});

/** A NodeUpdate as the API server gives it: one a node, of the node's name, owned by it. */
export const nodeUpdateSchema = z.object({ metadata: metadataSchema, status: z._default(nodeUpdateStatusSchema, {}) });
export type NodeUpdate = z.infer<typeof nodeUpdateSchema>;

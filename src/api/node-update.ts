import * as z from 'zod/mini';
import { conditionsSchema, metadataSchema, nameSchema, textSchema, timeSchema } from './primitives.ts';

/** Where a node is in its life (docs/architecture.md has the picture). */
export const PHASES = [
  'Idle',
  'Staging',
  'Staged',
  'Draining',
  'Rebooting',
  'Verifying',
  'Uncordoning',
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
});
export type Failure = z.infer<typeof failureSchema>;

/** A pod that could not be evicted yet. */
export const blockedPodSchema = z.object({
  pod: z.string().check(z.maxLength(512)),
  reason: shortText(),
  budget: z.optional(z.string().check(z.maxLength(512))),
  message: z.optional(textSchema()),
});
export type BlockedPod = z.infer<typeof blockedPodSchema>;

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
  since: z.optional(timeSchema()),
  behindSince: z.optional(timeSchema()),
  bootIDBefore: z.optional(shortText()),
  drain: z.optional(
    z.object({
      startedAt: timeSchema(),
      total: z.int(),
      remaining: z.int(),
      blocked: z.optional(z.array(blockedPodSchema).check(z.maxLength(64))),
    }),
  ),
  deadlines: z.optional(z.object({ drain: z.optional(timeSchema()), reboot: z.optional(timeSchema()), verify: z.optional(timeSchema()) })),
  retryAt: z.optional(timeSchema()),
  attempts: z.optional(z.int()),
  /** The last order that failed and was counted, so that no failure is counted twice. */
  failedOrder: z.optional(shortText()),
  failures: z.optional(z.array(failureSchema).check(z.maxLength(16))),
  tokens: z.optional(z.object({ retry: z.optional(textSchema()), policyRetry: z.optional(textSchema()) })),
  conditions: z.optional(conditionsSchema()),
  history: z.optional(
    z
      .array(z.object({ from: versionText(), to: versionText(), startedAt: timeSchema(), finishedAt: timeSchema(), outcome: shortText() }))
      .check(z.maxLength(10)),
  ),
});
export type NodeUpdateStatus = z.infer<typeof nodeUpdateStatusSchema>;

/** A NodeUpdate as the API server gives it: one a node, of the node's name, owned by it. */
export const nodeUpdateSchema = z.object({ metadata: metadataSchema, status: z._default(nodeUpdateStatusSchema, {}) });
export type NodeUpdate = z.infer<typeof nodeUpdateSchema>;

import * as z from 'zod/mini';
import { recordedHooksSchema } from './hook.ts';
import { nameSchema, readableTimeSchema, recordedMilliseconds, textSchema } from './primitives.ts';
import { podSelectorSchema } from './update-policy.ts';

/**
 * The record on a Node, written in the same patch as our cordon: enough to finish the node, or to take it back,
 * with the policy, the NodeUpdate and the NodeHost all gone. Durations are milliseconds.
 */
export const cordonRecordSchema = z.object({
  policy: nameSchema(),
  policyUID: z.string(),
  claim: z.string().check(z.minLength(1), z.maxLength(253)),
  rollout: z.string(),
  from: z.string(),
  target: z.string(),
  bootID: z.string(),
  /** The target was urgent at the claim: no window, exclusion or approval was asked. */
  urgent: z.optional(z.literal(true)),
  /** The `reboot` tokens that this reboot answers, whatever version it is for. */
  reboot: z.optional(z.object({ reboot: z.optional(textSchema()), policyReboot: z.optional(textSchema()) })),
  /** The order that lay in the letterbox at the cordon: as long as it does, nobody has given the node back. */
  order: z.optional(z.string()),
  at: readableTimeSchema(),
  /** No pod is evicted before: load balancers have until then to notice that the node is leaving. Absent: at once. */
  evictFrom: z.optional(readableTimeSchema()),
  drainDeadline: readableTimeSchema(),
  drain: z.object({
    mode: z.optional(z.enum(['Evict', 'None'])),
    deleteEmptyDirData: z.boolean(),
    force: z.boolean(),
    gracePeriodSeconds: z.optional(z.int().check(z.minimum(0), z.maximum(86_400))),
    skipWaitForDeleteMs: z.optional(recordedMilliseconds()),
    respectDoNotDisrupt: z.optional(z.boolean()),
    waitForVolumeDetach: z.optional(z.boolean()),
    leaveToReboot: z.optional(z.array(podSelectorSchema).check(z.maxLength(8))),
  }),
  rebootTimeoutMs: recordedMilliseconds(),
  minReadySeconds: z.int().check(z.minimum(0), z.maximum(86_400)),
  /** How long the node soaks once it is updated and uncordoned; absent: not at all. */
  soakMs: z.optional(recordedMilliseconds()),
  /** DaemonSet pods (`namespace/daemonset`) that were Ready at the claim, and must be again. */
  readyDaemonSets: z.array(z.string()).check(z.maxLength(256)),
  /** What ran in those pods then (`PodView.containers`): none of it outlives the reboot. */
  daemonSetContainers: z.optional(z.array(z.string()).check(z.maxLength(256))),
  /** The update takes the node back to what it ran before: its rollout is. */
  rollsBack: z.optional(z.boolean()),
  /** The way back of a node whose target could not be verified: begun under that boot, which ran the target. */
  rollback: z.optional(
    z.object({
      at: readableTimeSchema(),
      bootID: z.string(),
      /** What ran in DaemonSet pods by then, besides: none of it outlives the next reboot either. */
      daemonSetContainers: z.optional(z.array(z.string()).check(z.maxLength(256))),
    }),
  ),
  /** The policy's hooks at the claim. */
  hooks: z.optional(recordedHooksSchema()),
  /** What we changed, as it was before: null stands for absent. */
  prior: z.object({
    unschedulable: z.boolean(),
    annotations: z.record(z.string(), z.nullable(z.string())),
    /** Absent in records of earlier versions, which set no label. */
    labels: z.optional(z.record(z.string(), z.nullable(z.string()))),
  }),
});
export type CordonRecord = z.infer<typeof cordonRecordSchema>;

/** A record of a reboot by hand: it names the version that runs, and nothing is activated. */
export const isRebootOnly = ({ from, target }: Pick<CordonRecord, 'from' | 'target'>): boolean => from === target;

import * as z from 'zod/mini';

/** What `kubectl lockkeeper plan -o json` prints first. The shape may be added to under it; anything else makes a new version. */
export const PLAN_API_VERSION = 'plan.lockkeeper.dev/v1alpha1';

const time = () => z.iso.datetime();

const assumptionSchema = z.object({
  /** Names what is assumed; further names may come. */
  name: z.enum(['UpdateDuration', 'StagingDuration', 'AgentsStart', 'Approved', 'ChecksHold', 'NothingElse']),
  message: z.string(),
  policy: z.optional(z.string()),
  variant: z.optional(z.string()),
  arch: z.optional(z.string()),
  seconds: z.optional(z.number()),
  /** How many earlier ones `seconds` is the median of; absent where it is not measured, but assumed. */
  samples: z.optional(z.int()),
});
export type PlanAssumption = z.infer<typeof assumptionSchema>;

const warningSchema = z.object({
  name: z.enum([
    'AdmissionPolicyMissing',
    'BeyondHorizon',
    'CheckFailed',
    'ControllerMissing',
    'GroupUntested',
    'Halted',
    'KubernetesTooOld',
    'NeverOpens',
    'NoCapacity',
    'NodesHeld',
    'NodesJoinBelowTarget',
    'NodesPinned',
    'NodesWithoutPolicy',
    'PatchDeadlineMissed',
    'Paused',
    'PolicyNotReady',
    'ReleasesUnknown',
    'Unreadable',
    'WindowTooShort',
  ]),
  message: z.string(),
  /** While it stands, the rollout does not end. */
  endless: z.boolean(),
  nodes: z.optional(z.array(z.string())),
});
export type PlanWarning = z.infer<typeof warningSchema>;

const whySchema = z.object({ reason: z.string(), message: z.string() });

const stepSchema = z.object({
  /** 1 is first. */
  order: z.int(),
  node: z.string(),
  group: z.optional(z.string()),
  zone: z.optional(z.string()),
  from: z.string(),
  to: z.string(),
  /** Claimed already. */
  inFlight: z.boolean(),
  startsAt: time(),
  /** When it is schedulable again. */
  endsAt: z.optional(time()),
  /** Why it is where it is now. */
  now: z.extend(whySchema, { phase: z.string() }),
});
export type PlanStep = z.infer<typeof stepSchema>;

const heldSchema = z.object({
  node: z.string(),
  group: z.optional(z.string()),
  zone: z.optional(z.string()),
  from: z.optional(z.string()),
  to: z.optional(z.string()),
  ...whySchema.shape,
  /** The pods that may not be evicted as things stand. */
  pods: z.optional(z.array(z.object({ pod: z.string(), why: z.string() }))),
});
export type PlanHeld = z.infer<typeof heldSchema>;

const policyPlanSchema = z.object({
  name: z.string(),
  /** InCluster: as it is; Changed, New: as the file has it. */
  source: z.enum(['InCluster', 'Changed', 'New']),
  /** In which people read its times. */
  timeZone: z.string(),
  nodes: z.int(),
  upToDate: z.int(),
  targets: z.array(z.object({ variant: z.string(), arch: z.string(), to: z.string() })),
  /** Absent where nothing is begun. */
  startsAt: z.optional(time()),
  /** When the last node is schedulable again, and has soaked; absent where nothing is begun. */
  endsAt: z.optional(time()),
  /** Every node is at its target then. */
  complete: z.boolean(),
  steps: z.array(stepSchema),
  /** Nodes that are not updated as things stand. */
  held: z.array(heldSchema),
  warnings: z.array(warningSchema),
});
export type PolicyPlan = z.infer<typeof policyPlanSchema>;

/** What would become of a cluster's nodes, when, and in which order. Times are UTC. */
export const planSchema = z.object({
  apiVersion: z.literal(PLAN_API_VERSION),
  kind: z.literal('Plan'),
  /** When it was made. */
  at: time(),
  policies: z.array(policyPlanSchema),
  assumptions: z.array(assumptionSchema),
  /** Those of no one policy. */
  warnings: z.array(warningSchema),
});
export type Plan = z.infer<typeof planSchema>;

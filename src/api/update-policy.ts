import * as z from 'zod/mini';
import { checkSpecsSchema } from './check.ts';
import { hookSpecsSchema } from './hook.ts';
import { labelSelectorSchema, SELECTOR_RULE } from './label-selector.ts';
import { notifiedListSchema } from './notifications.ts';
import {
  conditionsSchema,
  describeFields,
  durationSchema,
  field,
  metadataSchema,
  nameSchema,
  textSchema,
  timeSchema,
  versionSchema,
} from './primitives.ts';
import { scheduleSpecSchema, windowStatusSchema } from './schedule.ts';

const countOrPercentSchema = (description: string) =>
  field(z.union([z.int().check(z.minimum(1)), z.string().check(z.regex(/^([1-9][0-9]?|100)%$/))]), description, { intOrString: true });

/** A count of at least 1, or a percentage such as `10%`. */
export type CountOrPercent = number | string;

const versionSpecSchema = field(
  z.object({
    range: z._default(field(z.string().check(z.minLength(1), z.maxLength(256)), 'Versions that are wanted, as a semver range.'), '*'),
    pin: z.optional(field(versionSchema(), 'The one version that is wanted; it excludes a range.')),
    minAge: z._default(
      field(
        durationSchema(),
        'How long a release must have been known before the range takes it: counted from when two nodes of a variant and architecture were offered it, or the only one there is. A pin does not wait.',
      ),
      '0s',
    ),
    ignoreWaves: z._default(
      field(
        z.boolean(),
        "Whether nodes take a release before its wave opens for their host. The host's own settings are changed for as long as it is asked, and put back.",
      ),
      false,
    ),
    allowDowngrade: z._default(field(z.boolean(), 'Whether a pin may lie below the version that a node runs.'), false),
    refreshInterval: z._default(field(durationSchema(), 'How often each agent asks its host for news, jittered.'), '1h'),
  }),
  'Which OS version the nodes should run.',
  {
    rules: [
      { rule: "!has(self.pin) || self.range == '*'", message: 'pin and range exclude each other: remove one of them', fieldPath: '.pin' },
      { rule: "duration(self.refreshInterval) >= duration('1s')", message: 'must be at least 1s', fieldPath: '.refreshInterval' },
    ],
  },
);

const groupSchema = field(
  z.object({
    name: field(nameSchema(), 'Names the group in status and messages.'),
    nodeSelector: z._default(
      field(
        labelSelectorSchema({ expressions: 8, values: 64 }),
        'The nodes of the group; a node belongs to the first group that matches it.',
        {
          rules: [SELECTOR_RULE],
        },
      ),
      {},
    ),
    maxUnavailable: z.optional(
      countOrPercentSchema("How many of the group's nodes may be unavailable at once, within what the policy allows."),
    ),
    soak: z._default(field(durationSchema(), 'How long the next group waits once this one is finished.'), '0s'),
  }),
  'Some of the nodes, with a turn of their own.',
);
export type Group = z.infer<typeof groupSchema>;

const rolloutSpecSchema = field(
  z.object({
    groups: z._default(
      field(z.array(groupSchema).check(z.maxLength(32)), 'Nodes that go first, group by group (a canary, say); nodes in none come last.'),
      [],
    ),
    maxUnavailable: z._default(
      countOrPercentSchema(
        'How many nodes may be unavailable at once, by anybody (cordoned, not ready, failed, rebooting); percentages round down to at least 1, and one node always stays where there are two or more.',
      ),
      1,
    ),
    soak: z._default(field(durationSchema(), 'How long each node keeps its slot once it is updated and schedulable again.'), '0s'),
    zoneKey: z._default(
      field(
        z.string().check(z.minLength(1), z.maxLength(317)),
        'Label by whose value nodes are updated together: one zone after the other.',
      ),
      'topology.kubernetes.io/zone',
    ),
    failureBudget: z._default(countOrPercentSchema('Number or percentage of failed nodes at which the rollout halts.'), 1),
    onExceeded: z._default(
      field(
        z.enum(['Halt', 'RollBack']),
        'Halt: no further node is begun. RollBack: where so many nodes of one rollout failed after they had booted the release, or were not ready after the reboot was asked, the release is marked bad for this policy, and the nodes that it was brought to are taken back, one at a time. A failed check or hook alone never does that.',
      ),
      'Halt',
    ),
    minReadySeconds: z._default(
      field(z.int().check(z.minimum(0), z.maximum(86_400)), 'How long a node must be Ready after its reboot before it counts as updated.'),
      10,
    ),
  }),
  'How many nodes at a time, in which order, and when to stop.',
  {
    rules: [
      {
        rule: 'self.groups.all(a, self.groups.exists_one(b, b.name == a.name))',
        message: 'each group needs a name of its own',
        fieldPath: '.groups',
      },
    ],
  },
);

/** Pods of some namespaces (any, where none is named) whose labels a selector matches (all, where there is none). Small: the record on the node holds it. */
export const podSelectorSchema = z.object({
  namespaces: z.optional(z.array(field(z.string().check(z.minLength(1), z.maxLength(63)), 'A namespace.')).check(z.maxLength(16))),
  selector: z.optional(
    field(labelSelectorSchema({ expressions: 8, values: 16 }), 'Labels of the pods.', {
      rules: [
        SELECTOR_RULE,
        { rule: '!has(self.matchLabels) || size(self.matchLabels) <= 8', message: 'at most 8 labels', fieldPath: '.matchLabels' },
      ],
    }),
  ),
});
describeFields(podSelectorSchema, {
  namespaces: 'Namespaces of the pods; any, where none is named.',
  selector: 'Labels of the pods; any, where there is no selector.',
});

const drainSpecSchema = field(
  z.object({
    mode: z._default(
      field(
        z.enum(['Evict', 'None']),
        'None: the node is cordoned and rebooted with its pods on it, whatever guards them. For stateless nodes.',
      ),
      'Evict',
    ),
    timeout: z._default(field(durationSchema(), 'How long a drain may take; then onTimeout says what happens.'), '30m'),
    onTimeout: z._default(
      field(
        z.enum(['Skip', 'Hold', 'Force']),
        "Skip: the node is given back, named as Blocked, and retried later. Hold: it stays cordoned, keeps its slot, and goes on evicting. Force: what is left is deleted, past its budgets, honouring each pod's grace; only where the chart allows it. A change reaches a drain under way.",
      ),
      'Skip',
    ),
    deleteEmptyDirData: z._default(field(z.boolean(), 'Whether pods with an emptyDir may be evicted: its data is lost.'), true),
    force: z._default(field(z.boolean(), 'Whether pods that no controller would create again may be evicted.'), false),
    gracePeriodSeconds: z.optional(
      field(z.int().check(z.minimum(0), z.maximum(86_400)), "Overrides each pod's own termination grace period."),
    ),
    loadBalancerDelay: z._default(
      field(
        durationSchema(),
        'How long load balancers get to notice that a node is leaving, after its cordon and before the first eviction; comes before the timeout.',
      ),
      '0s',
    ),
    skipWaitForDeleteTimeout: z.optional(
      field(durationSchema(), 'A pod that should have been gone for longer than this is no longer waited for; absent: each one is.'),
    ),
    respectDoNotDisrupt: z._default(
      field(
        z.boolean(),
        'Whether a pod that is annotated karpenter.sh/do-not-disrupt: "true" or cluster-autoscaler.kubernetes.io/safe-to-evict: "false" keeps its node from being drained.',
      ),
      true,
    ),
    waitForVolumeDetach: z._default(
      field(
        z.boolean(),
        'Whether the reboot waits until the volumes of the evicted pods are detached from the node, within the timeout; Force then reboots all the same.',
      ),
      true,
    ),
    leaveToReboot: z.optional(
      field(
        z
          .array(
            field(podSelectorSchema, 'Pods by namespace and label.', {
              rules: [{ rule: 'has(self.namespaces) || has(self.selector)', message: 'name namespaces, a selector, or both' }],
            }),
          )
          .check(z.maxLength(8)),
        'Pods that are not evicted, whatever guards them: they die with the reboot, and status names them.',
      ),
    ),
  }),
  'How pods leave a node before its reboot. No eviction bypasses a PodDisruptionBudget.',
  {
    rules: [
      { rule: "duration(self.timeout) >= duration('1s')", message: 'must be at least 1s', fieldPath: '.timeout' },
      {
        rule: "!has(self.skipWaitForDeleteTimeout) || duration(self.skipWaitForDeleteTimeout) >= duration('1s')",
        message: 'must be at least 1s',
        fieldPath: '.skipWaitForDeleteTimeout',
      },
    ],
  },
);

/** Spec of an UpdatePolicy, with the defaults that the API server sets. */
export const updatePolicySpecSchema = z.object({
  nodeSelector: z._default(
    field(
      labelSelectorSchema({ expressions: 64, values: 256 }),
      "The nodes that this policy keeps up to date; only Bottlerocket nodes count, control-plane nodes only where the selector names their label, EKS Auto's never.",
      { rules: [SELECTOR_RULE] },
    ),
    {},
  ),
  priority: z._default(
    field(
      z.int().check(z.minimum(-1_000_000), z.maximum(1_000_000)),
      'Of two policies that select a node, the one with the higher priority has it, then the first by name.',
    ),
    0,
  ),
  paused: z._default(field(z.boolean(), 'No new node is begun and nothing is staged; what is in flight finishes.'), false),
  approval: z._default(
    field(z.enum(['Automatic', 'Manual']), 'Manual: staged nodes wait for the annotation lockkeeper.dev/approved-version.'),
    'Automatic',
  ),
  version: z._default(versionSpecSchema, { range: '*', minAge: '0s', ignoreWaves: false, allowDowngrade: false, refreshInterval: '1h' }),
  patchDeadline: z._default(
    field(durationSchema(), 'How long a node may be behind its target before it counts as overdue, and its policy says so.'),
    '720h',
  ),
  schedule: z.optional(scheduleSpecSchema),
  rollout: z._default(rolloutSpecSchema, {
    groups: [],
    maxUnavailable: 1,
    soak: '0s',
    zoneKey: 'topology.kubernetes.io/zone',
    failureBudget: 1,
    onExceeded: 'Halt',
    minReadySeconds: 10,
  }),
  staging: z._default(
    field(
      z.object({
        maxParallel: z._default(countOrPercentSchema('How many nodes download at once; percentages round down to at least 1.'), '10%'),
        outsideWindow: z._default(field(z.boolean(), 'Whether nodes also download while the schedule is closed.'), true),
      }),
      'Downloading ahead of time, without cordon or slot.',
    ),
    { maxParallel: '10%', outsideWindow: true },
  ),
  drain: z._default(drainSpecSchema, {
    mode: 'Evict',
    timeout: '30m',
    onTimeout: 'Skip',
    deleteEmptyDirData: true,
    force: false,
    loadBalancerDelay: '0s',
    respectDoNotDisrupt: true,
    waitForVolumeDetach: true,
  }),
  hooks: z._default(hookSpecsSchema, []),
  checks: z._default(checkSpecsSchema, []),
  reboot: z._default(
    field(
      z.object({ timeout: z._default(field(durationSchema(), 'How long a reboot may take, and then the verification.'), '15m') }),
      'The reboot.',
      {
        rules: [{ rule: "duration(self.timeout) >= duration('1s')", message: 'must be at least 1s', fieldPath: '.timeout' }],
      },
    ),
    { timeout: '15m' },
  ),
});
export type UpdatePolicySpec = z.infer<typeof updatePolicySpecSchema>;

/** A spec with the defaults that the API server sets. Throws a ZodError where it is none. */
export const policySpecOf = (spec: z.input<typeof updatePolicySpecSchema>): UpdatePolicySpec => z.parse(updatePolicySpecSchema, spec);

/** One entry of the lock: a node that may be made unavailable by this policy. */
export const claimSchema = z.object({
  id: nameSchema(),
  node: nameSchema(),
  uid: z.string().check(z.maxLength(64)),
  rollout: nameSchema(),
  at: timeSchema(),
});
export type Claim = z.infer<typeof claimSchema>;
describeFields(claimSchema, {
  id: 'Names this claim; the record on the node and its NodeUpdate name it too.',
  node: 'The node.',
  uid: 'Its uid: a node that registers anew under the same name is another node.',
  rollout: 'The rollout that the claim belongs to.',
  at: 'When it was made.',
});

/** How far a group of a rollout has come; one that is Finished or Skipped stays so, whoever joins it later. */
export const GROUP_STATES = ['Waiting', 'Updating', 'Untested', 'Soaking', 'Finished', 'Skipped'] as const;
export type GroupState = (typeof GROUP_STATES)[number];

/** One target for one variant and architecture; frozen until a newer one supersedes it. */
export const rolloutSchema = z.object({
  id: nameSchema(),
  variant: z.string().check(z.maxLength(128)),
  arch: z.string().check(z.maxLength(32)),
  target: z.string().check(z.maxLength(64)),
  startedAt: timeSchema(),
  updated: z.int(),
  groups: z.optional(
    z
      .array(
        z.object({
          name: nameSchema(),
          state: z.enum(GROUP_STATES),
          soakUntil: z.optional(timeSchema()),
          untestedFrom: z.optional(timeSchema()),
          nodes: z.optional(z.int()),
          updated: z.optional(z.int()),
        }),
      )
      .check(z.maxLength(32)),
  ),
  zone: z.optional(z.string().check(z.maxLength(63))),
  failed: z
    .array(
      z.object({
        node: nameSchema(),
        hostID: z.string().check(z.maxLength(512)),
        target: z.string().check(z.maxLength(64)),
        reason: z.string().check(z.maxLength(128)),
        at: timeSchema(),
        /** Looked at by a person (`lockkeeper.dev/resume`): still known as bad on that host, no longer counted. */
        resumed: z.optional(z.boolean()),
        /** By its kubelet's word: another boot, or not Ready, after the reboot was asked. What `rollout.onExceeded: RollBack` counts. */
        rebooted: z.optional(z.boolean()),
      }),
    )
    .check(z.maxLength(256)),
});
export type Rollout = z.infer<typeof rolloutSchema>;
describeFields(rolloutSchema, {
  id: 'Names this rollout.',
  variant: 'The variant of the nodes that it is for.',
  arch: 'The architecture of the nodes that it is for.',
  target: 'The version that they are brought to; it never changes, a newer one is a new rollout.',
  startedAt: 'When it began.',
  updated: 'How many nodes it has brought to the target.',
  groups:
    'How far each group of the policy has come, and how many of its nodes are updated; Untested: none of them could be, and from when that is said where something holds them all.',
  zone: 'The zone that it has come to, within the group whose turn it is.',
  failed: 'The hosts on which it failed, known by hostID so that one that registers anew does not start over.',
});

/** A release that nodes of a variant and architecture were offered. */
export const releaseSchema = z.object({
  variant: z.string().check(z.maxLength(128)),
  arch: z.string().check(z.maxLength(32)),
  version: z.string().check(z.maxLength(64)),
  firstSeen: timeSchema(),
});
export type Release = z.infer<typeof releaseSchema>;
describeFields(releaseSchema, {
  variant: 'The variant that it is for.',
  arch: 'The architecture that it is for.',
  version: 'Its version.',
  firstSeen: 'Since when two nodes, or the only one there is, have been offered it.',
});

/** A release that is marked bad for a policy. */
export const badReleaseSchema = z.object({
  variant: z.string().check(z.maxLength(128)),
  arch: z.string().check(z.maxLength(32)),
  version: z.string().check(z.maxLength(64)),
  markedAt: timeSchema(),
});
export type BadRelease = z.infer<typeof badReleaseSchema>;
describeFields(badReleaseSchema, {
  variant: 'The variant that it is for.',
  arch: 'The architecture that it is for.',
  version: 'Its version.',
  markedAt: 'When so many nodes had failed with it that its rollout is taken back.',
});

/** How many of a policy's nodes are where. */
export const countsSchema = z.object({
  nodes: z.int(),
  updated: z.int(),
  outdated: z.int(),
  staging: z.int(),
  staged: z.int(),
  inFlight: z.int(),
  blocked: z.int(),
  failed: z.int(),
  unavailable: z.int(),
  // Statuses of an earlier version have none.
  overdue: z._default(z.int(), 0),
});
export type Counts = z.infer<typeof countsSchema>;
describeFields(countsSchema, {
  nodes: 'Nodes that this policy has.',
  updated: 'Those at the version that is wanted.',
  outdated: 'Those behind it.',
  staging: 'Those that download it.',
  staged: 'Those that hold it, proven, and wait for their turn.',
  inFlight: 'Those claimed and being drained, rebooted, verified or given back.',
  blocked: 'Those that could not be drained.',
  failed: 'Those that a person must look at.',
  unavailable: 'Those that are cordoned by anybody, not ready, failed, rebooting or soaking: what maxUnavailable limits.',
  overdue: 'Those that have been behind for longer than patchDeadline.',
});

/** Status of an UpdatePolicy, written by the controller alone. */
export const updatePolicyStatusSchema = z.object({
  observedGeneration: z.optional(z.int()),
  summary: z.optional(textSchema()),
  counts: z.optional(countsSchema),
  window: z.optional(windowStatusSchema),
  releases: z.optional(z.array(releaseSchema).check(z.maxLength(256))),
  badReleases: z.optional(z.array(badReleaseSchema).check(z.maxLength(64))),
  claims: z.optional(z.array(claimSchema).check(z.maxLength(5000))),
  rollouts: z.optional(z.array(rolloutSchema).check(z.maxLength(64))),
  tokens: z.optional(
    z.object({
      retry: z.optional(textSchema()),
      resume: z.optional(textSchema()),
      skip: z.optional(textSchema()),
      clearBadRelease: z.optional(textSchema()),
      reboot: z.optional(textSchema()),
    }),
  ),
  notified: z.optional(notifiedListSchema()),
  conditions: z.optional(conditionsSchema()),
});
export type UpdatePolicyStatus = z.infer<typeof updatePolicyStatusSchema>;
describeFields(updatePolicyStatusSchema, {
  observedGeneration: 'The generation of the spec that this status speaks of.',
  summary: 'Where the nodes are and what they wait for, in one line.',
  counts: 'How many of the nodes are where.',
  window: 'Whether the schedule is open, and when that changes.',
  releases: 'Releases that its nodes were offered, and since when: what version.minAge counts from.',
  badReleases:
    'Releases that no node is brought to: they were taken back (rollout.onExceeded), until a person annotates the policy with a new lockkeeper.dev/clear-bad-release, or a newer release is rolled out.',
  claims: 'The lock: nodes that hold a slot. Written as a whole, before a node is touched.',
  rollouts: 'What is being brought to which variant and architecture.',
  tokens: 'The annotations acted upon, so that each counts once.',
  notified: 'What webhooks were told, so that a controller that takes over does not tell it again; absent where there are no webhooks.',
  conditions: 'Ready, Progressing, Paused and others; one condition of each type.',
});

/** An UpdatePolicy as the API server gives it. */
export const updatePolicySchema = z.object({
  metadata: metadataSchema,
  spec: z._default(updatePolicySpecSchema, () => z.parse(updatePolicySpecSchema, {})),
  status: z._default(updatePolicyStatusSchema, {}),
});

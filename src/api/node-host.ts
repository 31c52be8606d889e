import * as z from 'zod/mini';
import { describeFields, durationSchema, field, metadataSchema, textSchema, timeSchema, versionSchema } from './primitives.ts';

const shortText = () => z.string().check(z.maxLength(128));
const versionText = () => z.string().check(z.maxLength(64));

/** What a controller may ask of an agent. A version that an agent does not know is answered `Unsupported`. */
export const ACTIONS = ['Stage', 'Reboot', 'Cancel'] as const;

/** One order; a new id is a new order. The letterbox holds one at a time. */
export const orderSchema = field(
  z.object({
    id: field(z.string().check(z.minLength(1), z.maxLength(128)), 'Names this order; carried out at most once.'),
    action: field(z.enum(ACTIONS), 'Stage a version, reboot into the staged one, or cancel what was ordered before.'),
    version: z.optional(field(versionSchema(), 'The version to stage, or to reboot into.')),
    ignoreWaves: z.optional(field(z.boolean(), "Stage although the version's wave has not opened for this host.")),
    bootID: z.optional(field(shortText(), 'The boot under which a reboot was ordered; under another it is never carried out.')),
  }),
  'What the agent is to do now.',
  {
    rules: [
      { rule: "self.action == 'Cancel' || has(self.version)", message: 'Stage and Reboot need a version', fieldPath: '.version' },
      {
        rule: "self.action != 'Reboot' || has(self.bootID)",
        message: 'Reboot needs the boot ID that it is given for',
        fieldPath: '.bootID',
      },
    ],
  },
);
export type Order = z.infer<typeof orderSchema>;

/** Why an order failed: a closed list, so that a rule may depend on it. */
export const ERROR_CODES = [
  'HostUnreachable',
  'HostProtocol',
  'HostBusy',
  'HostRefused',
  'RefreshFailed',
  'NotOffered',
  'SettingsFailed',
  'PrepareFailed',
  'NoMigration',
  'ProofLost',
  'BootIDChanged',
  'ActivationFailed',
  'RebootFailed',
  'RebootPending',
  'Internal',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Answer states: `RebootAsked` is the fence, written before the host is touched. */
export const ANSWER_STATES = ['Running', 'RebootAsked', 'Done', 'Failed', 'Unsupported'] as const;
export type AnswerState = (typeof ANSWER_STATES)[number];

/** The agent's answer to the order of the same id. */
export const answerSchema = z.object({
  id: z.string().check(z.maxLength(128)),
  state: z.enum(ANSWER_STATES),
  error: z.optional(z.object({ code: z.enum(ERROR_CODES), message: textSchema() })),
  startedAt: timeSchema(),
  finishedAt: z.optional(timeSchema()),
});
export type Answer = z.infer<typeof answerSchema>;
describeFields(answerSchema, {
  id: 'The order that this answers.',
  state: 'How far it is. RebootAsked is written before the host is touched.',
  error: "Why it failed: a code from a closed list, and the host's own words.",
  startedAt: 'When the agent began.',
  finishedAt: 'When it was done.',
});

/** Settings of the host as they were before we changed them. */
export const savedSettingsSchema = z.object({ versionLock: z.optional(shortText()), ignoreWaves: z.optional(z.boolean()) });

/** Spec of a NodeHost, written by the controller alone. */
export const nodeHostSpecSchema = z.object({
  refreshInterval: z._default(field(durationSchema(), 'How often the agent asks its host for news, jittered.'), '1h'),
  ignoreWaves: z._default(field(z.boolean(), 'Whether it also asks for versions whose wave has not opened for this host.'), false),
  order: z.optional(orderSchema),
});
export type NodeHostSpec = z.infer<typeof nodeHostSpecSchema>;

/** Status of a NodeHost, written by the node's own agent alone. */
export const nodeHostStatusSchema = z.object({
  version: z.optional(versionText()),
  variant: z.optional(shortText()),
  arch: z.optional(z.string().check(z.maxLength(32))),
  bootID: z.optional(shortText()),
  available: z.optional(z.array(versionText()).check(z.maxLength(64))),
  staged: z.optional(z.object({ version: versionText(), provenAt: timeSchema(), lastCommandAt: timeSchema() })),
  refreshError: z.optional(z.object({ code: z.enum(ERROR_CODES), message: textSchema(), at: timeSchema() })),
  agentVersion: z.optional(shortText()),
  savedSettings: z.optional(savedSettingsSchema),
  answer: z.optional(answerSchema),
});
export type NodeHostStatus = z.infer<typeof nodeHostStatusSchema>;
describeFields(nodeHostStatusSchema, {
  version: 'The version that the host runs.',
  variant: "The host's variant, such as aws-k8s-1.31.",
  arch: "The host's architecture, such as x86_64.",
  bootID: 'The boot that all of this speaks of.',
  available: 'Versions that the host was offered at its last refresh, newest first.',
  staged: "What the host's own answer proved to be staged, and its last command since; absent where there is no such proof.",
  refreshError: 'Why the last refresh failed; absent where it did not.',
  agentVersion: 'The version of the agent.',
  savedSettings: 'Settings of the host as they were before the agent changed them; absent where all are as they were.',
  answer: 'The answer to the last order.',
});

/** A NodeHost as the API server gives it: the letterbox between controller and agent, one a node, owned by it. */
export const nodeHostSchema = z.object({
  metadata: metadataSchema,
  spec: z._default(nodeHostSpecSchema, () => z.parse(nodeHostSpecSchema, {})),
  status: z._default(nodeHostStatusSchema, {}),
});
export type NodeHost = z.infer<typeof nodeHostSchema>;

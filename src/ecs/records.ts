import * as z from 'zod/mini';
import { cordonRecordSchema } from '../api/cordon-record.ts';
import { nodeHostSpecSchema, nodeHostStatusSchema } from '../api/node-host.ts';
import { nodeUpdateStatusSchema } from '../api/node-update.ts';
import { updatePolicyStatusSchema } from '../api/update-policy.ts';
import { AwsError } from './errors.ts';

/** What a command that runs on a host is for. */
export const COMMANDS = ['Look', 'Refresh', 'Stage', 'Reboot', 'Cancel'] as const;
export type CommandKind = (typeof COMMANDS)[number];

/** All that is kept of one container instance: one item, so that one version fences all of it. Times are milliseconds since the epoch. */
export const instanceRecordSchema = z.object({
  /** Its connection's state, and since when. */
  ready: z.optional(z.object({ status: z.boolean(), since: z.string() })),
  /** Written before it is set to DRAINING: whatever carries it was drained by us. */
  cordon: z.optional(cordonRecordSchema),
  /** How many tasks of each service that had one here ran in the cluster then: so many must run again before the drain is over. */
  services: z.optional(z.record(z.string(), z.int())),
  /** The claim that ended last. */
  fence: z.optional(z.string()),
  /** Counts what was done to its state: written before, so that nobody with an older view does anything after. */
  changes: z._default(z.int(), 0),
  update: z._default(nodeUpdateStatusSchema, {}),
  host: z.object({
    spec: z._default(nodeHostSpecSchema, { refreshInterval: '1h', ignoreWaves: false }),
    status: z._default(nodeHostStatusSchema, {}),
  }),
  /** The command that was sent last, until its result was read. */
  command: z.optional(z.object({ id: z.string(), kind: z.enum(COMMANDS), order: z.optional(z.string()), at: z.int(), until: z.int() })),
  /** The Stage order for which the host's settings must name the version. */
  chooseFor: z.optional(z.string()),
  /** The reboot that was asked for last: written before it is, each attempt anew. */
  reboot: z.optional(z.object({ order: z.string(), attempt: z.int(), notAfter: z.int(), sent: z.boolean() })),
  /** When the host was last asked for news. */
  refreshedAt: z.optional(z.int()),
  /** Whether the host could not be asked, since when, and how often in a row. */
  unreachable: z.optional(z.object({ since: z.int(), times: z.int() })),
});
export type InstanceRecord = z.infer<typeof instanceRecordSchema>;

export const policyRecordSchema = z.object({
  /** The specification that the generation stands for. */
  spec: z.string(),
  generation: z.int(),
  status: z._default(updatePolicyStatusSchema, {}),
});
export type PolicyRecord = z.infer<typeof policyRecordSchema>;

export const leaseRecordSchema = z.object({
  /** Who acts; empty where it was given back. */
  holder: z.string(),
  /** How long it holds without being renewed, in milliseconds. */
  durationMs: z.int(),
});

/** Ids of the table's items, within a cluster. */
export const LEASE_ID = 'lease';
export const POLICY_PREFIX = 'policy/';
export const INSTANCE_PREFIX = 'instance/';

/** Reads an item's data; throws an AwsError where it is none of ours. */
export function readRecord<S extends z.ZodMiniType>(schema: S, id: string, data: string): z.infer<S> {
  try {
    return z.parse(schema, JSON.parse(data));
  } catch (error) {
    throw new AwsError(`the item ${id} of the table cannot be read: a newer version may have written it`, false, { cause: error });
  }
}

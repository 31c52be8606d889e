import * as z from 'zod/mini';
import { type NodeHostStatus, nodeHostStatusSchema } from '../api/node-host.ts';
import { durationMs, durationSchema } from '../api/primitives.ts';

/** An order as far as any agent must be able to read it: a newer controller may ask for what we do not know. */
const orderSchema = z.object({
  id: z.string(),
  action: z.string(),
  version: z.optional(z.string()),
  ignoreWaves: z.optional(z.boolean()),
  bootID: z.optional(z.string()),
});
export type LetterOrder = z.infer<typeof orderSchema>;

const letterSchema = z.object({
  metadata: z.object({ uid: z.string(), resourceVersion: z.string() }),
  spec: z.optional(
    z.object({ refreshInterval: z.optional(z.unknown()), ignoreWaves: z.optional(z.unknown()), order: z.optional(orderSchema) }),
  ),
  status: z.optional(z.record(z.string(), z.unknown())),
});

/** Our NodeHost, as the agent reads it. */
export interface Letter {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly refreshIntervalMs: number;
  /** Whether the host is also asked for versions whose wave has not opened for it. */
  readonly ignoreWaves: boolean;
  readonly order: LetterOrder | undefined;
  readonly status: NodeHostStatus;
}

const defaultRefreshMs = durationMs('1h');
const leastRefreshMs = 1_000;

/** Parses a NodeHost; throws a ZodError where it is none. What an agent of another version wrote into the status and we cannot read is left out. */
export function parseLetter(raw: unknown): Letter {
  const { metadata, spec, status } = z.parse(letterSchema, raw);
  const interval = durationSchema().safeParse(spec?.refreshInterval);
  return {
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    refreshIntervalMs: interval.success ? Math.max(leastRefreshMs, durationMs(interval.data)) : defaultRefreshMs,
    ignoreWaves: spec?.ignoreWaves === true,
    order: spec?.order,
    status: readableStatus(status ?? {}),
  };
}

function readableStatus(raw: Readonly<Record<string, unknown>>): NodeHostStatus {
  const fields: Readonly<Record<string, z.ZodMiniType>> = nodeHostStatusSchema.shape;
  const readable: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(fields)) {
    const value = schema.safeParse(raw[name]);
    if (value.success && value.data !== undefined) readable[name] = value.data;
  }
  return z.parse(nodeHostStatusSchema, readable);
}

/** The very same order, not only one of the same id. */
export function isSameOrder(a: LetterOrder | undefined, b: LetterOrder | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (['id', 'action', 'version', 'ignoreWaves', 'bootID'] as const).every((key) => a[key] === b[key]);
}

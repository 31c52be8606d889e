import * as z from 'zod/mini';

/** Metadata that the CRD generator and `kubectl explain` show. */
export interface FieldMetadata {
  description: string;
  /** CEL rules of this field, evaluated by the API server. */
  rules?: readonly { rule: string; message: string; fieldPath?: string }[];
  /** Keys by which a list is a map (`x-kubernetes-list-type: map`). */
  listMapKeys?: readonly string[];
  /** An integer or a string (`x-kubernetes-int-or-string`). */
  intOrString?: true;
}

/** What the generator reads: descriptions and CEL rules by schema. */
export const fields = z.registry<FieldMetadata>();

/** Attaches a description, and CEL rules where a field needs them, to a schema. */
export function field<S extends z.ZodMiniType>(schema: S, description: string, more: Omit<FieldMetadata, 'description'> = {}): S {
  fields.add(schema, { description, ...more });
  return schema;
}

/** Attaches a description to every field of an object; a field without one does not compile. */
export function describeFields<Shape extends z.core.$ZodShape>(
  { shape }: z.ZodMiniObject<Shape>,
  descriptions: { readonly [Name in keyof Shape]: string },
): void {
  for (const [name, description] of Object.entries<string>(descriptions)) {
    const schema = shape[name];
    if (schema) fields.add(schema, { ...fields.get(schema), description });
  }
}

const DURATION = /^([0-9]{1,6}(h|m|s|ms))+$/;

/** A duration as Go writes it (`30m`, `1h30m`, `500ms`), at most 32 characters. */
export const durationSchema = () => z.string().check(z.regex(DURATION), z.maxLength(32));

/** Policies have a handful of durations, and each decision asks for them thousands of times. */
const known = new Map<string, number>();
const MAX_KNOWN = 256;

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** Milliseconds of a duration that `durationSchema` has accepted. */
export function durationMs(duration: string): number {
  const before = known.get(duration);
  if (before !== undefined) return before;
  let total = 0;
  for (const [, amount, unit] of duration.matchAll(/([0-9]+)(h|ms|m|s)/g)) total += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(duration, total);
  return total;
}

/** An OS version, `1.26.1` or `1.26.1-rc.1+b`, without a leading `v`. */
export const versionSchema = () =>
  z.string().check(z.regex(/^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/), z.maxLength(64));

/** An RFC 3339 time, as the API server writes it. */
export const timeSchema = () => z.string().check(z.maxLength(64));

/** The same where anybody may have written it: what cannot be read is refused, and is no time to compute with. */
export const readableTimeSchema = () => timeSchema().check(z.refine(isTime, 'must be a time such as 2026-03-01T12:00:00Z'));

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;
const isTime = (text: string): boolean => TIME.test(text) && !Number.isNaN(Date.parse(text));

/** Text for people, bounded so that no status grows with the world's noise. */
export const textSchema = () => z.string().check(z.maxLength(2048));

/** A name of a Kubernetes object. */
export const nameSchema = () => z.string().check(z.minLength(1), z.maxLength(253));

/** A name of a namespace. */
export const namespaceSchema = () => z.string().check(z.regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/), z.maxLength(63));

/** A condition as upstream's conventions have it. */
export const conditionSchema = z.object({
  type: z.string().check(z.minLength(1), z.maxLength(128)),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().check(z.minLength(1), z.maxLength(128)),
  message: textSchema(),
  lastTransitionTime: timeSchema(),
  observedGeneration: z.optional(z.int()),
});
export type Condition = z.infer<typeof conditionSchema>;

/**
 * A duration of a record on a Node, at most what the longest one in a policy comes to: whoever may annotate a Node can write anything
 * there, and times are computed with it.
 */
export const recordedMilliseconds = () => z.int().check(z.minimum(0), z.maximum(100_000_000_000_000));

/** A list of conditions, one of each type. */
export const conditionsSchema = () =>
  field(z.array(conditionSchema).check(z.maxLength(16)), 'What is true of this object now; one condition of each type.', {
    listMapKeys: ['type'],
  });

/** Object metadata, as far as we read it. */
export const metadataSchema = z.object({
  name: nameSchema(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.optional(z.int()),
  creationTimestamp: z.optional(z.string()),
  deletionTimestamp: z.optional(z.string()),
  labels: z.optional(z.record(z.string(), z.string())),
  annotations: z.optional(z.record(z.string(), z.string())),
  ownerReferences: z.optional(z.array(z.object({ kind: z.string(), name: z.string(), uid: z.string() }))),
});

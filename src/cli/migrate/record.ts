import * as z from 'zod/mini';
import { MIGRATION_ANNOTATION } from '../../api/names.ts';
import { RefusedError } from '../errors.ts';

const recordSchema = z.object({
  /** A Deployment's number of replicas. */
  replicas: z.optional(z.int().check(z.minimum(0))),
  /** A DaemonSet's nodeSelector; null where it had none. */
  nodeSelector: z.optional(z.nullable(z.record(z.string(), z.string()))),
  /** An UpdatePolicy was made by the migration. */
  made: z.optional(z.literal(true)),
  /** An UpdatePolicy's annotation `paused`; null where it had none. */
  paused: z.optional(z.nullable(z.string())),
});

/** How an object was before the migration changed it, as its annotation holds it. */
export type MigrationRecord = z.infer<typeof recordSchema>;

/** Throws a RefusedError where somebody has written into it. */
export function readRecord(annotation: string | undefined): MigrationRecord | undefined {
  if (annotation === undefined) return undefined;
  try {
    return z.parse(recordSchema, JSON.parse(annotation));
  } catch {
    throw new RefusedError(
      `an annotation ${MIGRATION_ANNOTATION} cannot be read: ${annotation.slice(0, 200)}\nIt says how the object was before the migration: put back what it should be, or remove it, and run this again.`,
    );
  }
}

export const writeRecord = (record: MigrationRecord): string => JSON.stringify(record);

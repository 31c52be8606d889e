import type { NodeHostStatus } from '../api/node-host.ts';

/** Fields of the status to set; null removes one. */
export type StatusChanges = { readonly [Key in keyof NodeHostStatus]?: NodeHostStatus[Key] | null };

/** What the agent knows of its host, kept on its NodeHost's status. */
export interface Notebook {
  /** As the API server has it, with all that was noted since. */
  readonly status: NodeHostStatus;
  /** Remembers changes; they go along with the next write. */
  note(changes: StatusChanges): void;
  /** Resolves once the API server has the changes, and those noted before. Rejects with what the Kubernetes client says. */
  write(changes: StatusChanges, signal: AbortSignal): Promise<void>;
}

/** A status with changes applied. */
export function withChanges(status: NodeHostStatus, changes: StatusChanges): NodeHostStatus {
  return Object.fromEntries(Object.entries({ ...status, ...changes }).filter(([, value]) => value !== null && value !== undefined));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The JSON merge patch that turns one value into the other; undefined where they are equal. */
export function mergePatchBetween(from: unknown, to: unknown): unknown {
  if (to === undefined) return from === undefined ? undefined : null;
  if (isObject(from) && isObject(to)) {
    const patch: Record<string, unknown> = {};
    for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
      const change = mergePatchBetween(from[key], to[key]);
      if (change !== undefined) patch[key] = change;
    }
    return Object.keys(patch).length === 0 ? undefined : patch;
  }
  return JSON.stringify(from) === JSON.stringify(to) ? undefined : to;
}

import { isDeepStrictEqual } from 'node:util';
import type { CordonRecord } from '../api/cordon-record.ts';
import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS, MANAGED_LABEL, ON_NODE } from '../api/names.ts';
import type { Order } from '../api/node-host.ts';
import type { BareNode } from '../cluster/views.ts';
import type { Command } from '../core/command.ts';

type Json = Record<string, unknown>;

/** The merge patch (RFC 7386) that turns one object into another; undefined where they are equal. */
export function mergePatchBetween(before: Json, after: Json): Json | undefined {
  const patch: Json = {};
  for (const key of Object.keys(before)) if (after[key] === undefined && before[key] !== undefined) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (value === undefined || isDeepStrictEqual(old, value)) continue;
    const change = isObject(value) && isObject(old) ? mergePatchBetween(old, value) : value;
    if (change !== undefined) patch[key] = change;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Cordon and record in one patch, with the annotations and labels that go with them. */
export function cordonPatch(node: BareNode, { record, annotations, labels }: Omit<Command & { type: 'Cordon' }, 'type'>): Json {
  return {
    metadata: {
      resourceVersion: node.resourceVersion,
      annotations: { ...annotations, [ON_NODE.cordon]: JSON.stringify(record) },
      ...(Object.keys(labels).length > 0 && { labels }),
    },
    spec: { unschedulable: true },
  };
}

/** Changes our record on a node in flight, and nothing else. */
export const recordPatch = (node: BareNode, record: CordonRecord): Json => ({
  metadata: { resourceVersion: node.resourceVersion, annotations: { [ON_NODE.cordon]: JSON.stringify(record) } },
});

/** Cordons a node again that carries our record. */
export const cordonAgainPatch = (node: BareNode): Json => ({
  metadata: { resourceVersion: node.resourceVersion },
  spec: { unschedulable: true },
});

/** Restores what the record says where it is still as we set it, removes the record, and leaves the fence. */
export function uncordonPatch(node: BareNode, record: CordonRecord): Json {
  const restored: Record<string, string | null> = {};
  for (const [name, ours] of Object.entries(KEEP_NODE_ANNOTATIONS)) {
    const prior = record.prior.annotations[name];
    if (prior !== undefined && prior !== ours && node.annotations[name] === ours) restored[name] = prior;
  }
  const added = Object.entries(CORDON_LABELS).filter(([name, ours]) => record.prior.labels?.[name] === null && node.labels[name] === ours);
  return {
    metadata: {
      resourceVersion: node.resourceVersion,
      annotations: { ...restored, [ON_NODE.cordon]: null, [ON_NODE.fence]: record.claim },
      ...(added.length > 0 && { labels: Object.fromEntries(added.map(([name]) => [name, null])) }),
    },
    // A cordon that was there before ours stays, and a person's uncordon of it does too.
    ...(!record.prior.unschedulable && { spec: { unschedulable: null } }),
  };
}

/** Gives up a claim on a node that carries no record. */
export const fencePatch = (node: BareNode, claim: string): Json => ({
  metadata: { resourceVersion: node.resourceVersion, annotations: { [ON_NODE.fence]: claim } },
});

/** Leaves the taints that are given, where they are. */
export const untaintPatch = (node: BareNode, taints: readonly unknown[]): Json => ({
  metadata: { resourceVersion: node.resourceVersion },
  spec: { taints },
});

/** Removes our label and fence, and leaves the taints that are given, where they are. */
export const sweepPatch = (node: BareNode, taints?: readonly unknown[]): Json => ({
  metadata: { resourceVersion: node.resourceVersion, labels: { [MANAGED_LABEL]: null }, annotations: { [ON_NODE.fence]: null } },
  ...(taints !== undefined && { spec: { taints } }),
});

/** Puts an order into the letterbox in place of the one that lies there. */
export function orderPatch(resourceVersion: string, { id, action, version, bootID, ignoreWaves }: Order): Json {
  const order = { id, action, version: version ?? null, bootID: bootID ?? null, ignoreWaves: ignoreWaves ?? null };
  return { metadata: { resourceVersion }, spec: { order } };
}

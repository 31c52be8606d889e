import { kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../api/kinds.ts';
import type { NodeHostStatus } from '../api/node-host.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { nodeHostOf, nodeUpdateOf, policyOf } from '../cluster/views.ts';
import type { Annotations, PolicyView } from '../core/world.ts';
import type { KubeClient } from '../kube/client.ts';
import { MissingRightsError } from './errors.ts';
import { ListReader } from './list-reader.ts';

/** The chart's ClusterRole that allows all that people's commands read, and no write. */
export const VIEWER = 'lockkeeper-viewer';

/** A node as its NodeUpdate and its NodeHost tell of it. */
export interface FleetNode {
  name: string;
  annotations: Annotations;
  status: NodeUpdateStatus;
  /** What its agent has reported; absent where it never did. */
  host?: NodeHostStatus;
}

/** The policies, and the nodes that Lockkeeper knows, by name. */
export interface Fleet {
  policies: readonly PolicyView[];
  nodes: readonly FleetNode[];
  /** Objects that this version of the program cannot read, as `nodeupdates/a`. */
  unreadable: readonly string[];
}

/** Reads our three kinds. Rejects with a MissingRightsError that names every right that is missing, with a NotInstalledError, or as the client does. */
export async function readFleet(client: Pick<KubeClient, 'get' | 'listPages'>): Promise<Fleet> {
  const reader = new ListReader(client);
  const [policies, updates, hosts] = await Promise.all([
    reader.list(kindPath(UPDATE_POLICY), policyOf),
    reader.list(kindPath(NODE_UPDATE), nodeUpdateOf),
    reader.list(kindPath(NODE_HOST), nodeHostOf),
  ]);
  if (reader.missing.length > 0) throw new MissingRightsError(reader.missing, VIEWER, reader.said);
  return fleetOf({ policies: policies.items, updates: updates.items, hosts: hosts.items, unreadable: reader.unreadable });
}

/** Our three kinds by name, as they are listed or watched. */
export interface FleetObjects {
  policies: ReadonlyMap<string, PolicyView>;
  updates: ReadonlyMap<string, ReturnType<typeof nodeUpdateOf>>;
  hosts: ReadonlyMap<string, ReturnType<typeof nodeHostOf>>;
  unreadable: readonly string[];
}

/** Puts a node's two objects together; one that registered anew has nothing of what its predecessor's agent said. */
export function fleetOf({ policies, updates, hosts, unreadable }: FleetObjects): Fleet {
  return {
    policies: byName(policies.values()),
    nodes: byName(
      [...updates].map(([name, { annotations, status, nodeUID }]) => {
        const host = hosts.get(name);
        return { name, annotations, status, ...(host?.nodeUID === nodeUID && { host: host.status }) };
      }),
    ),
    unreadable,
  };
}

const byName = <T extends { name: string }>(items: Iterable<T>): T[] =>
  [...items].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));

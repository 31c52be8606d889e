import type { Changes, NodeRow, PolicyRow, ServerEvent, Snapshot } from '../wire.ts';
import { natural } from './grouping.ts';

/** All that the page has been told, put together. Never changed in place. */
export interface Fleet extends Pick<Snapshot, 'seq' | 'at' | 'version' | 'cluster' | 'connection' | 'access'> {
  policies: ReadonlyMap<string, PolicyRow>;
  nodes: ReadonlyMap<string, NodeRow>;
  /** The nodes' names as people order them. */
  names: readonly string[];
}

/** An event is missing, or none was a snapshot: the stream must be opened anew. */
export class GapError extends Error {
  override readonly name = 'GapError';
}

/** The fleet after an event. Throws a GapError where one is missing before it. */
export function applied(fleet: Fleet | undefined, event: ServerEvent): Fleet {
  if (event.type === 'snapshot') return started(event);
  if (fleet === undefined || event.seq !== fleet.seq + 1) throw new GapError(`event ${event.seq} does not follow ${fleet?.seq ?? 'none'}`);
  return changed(fleet, event);
}

function started({ seq, at, version, cluster, connection, access, policies, nodes }: Snapshot): Fleet {
  return {
    ...{ seq, at, version, cluster, connection, access },
    policies: new Map(policies.map((policy) => [policy.name, policy])),
    nodes: new Map(nodes.map((node) => [node.name, node])),
    names: nodes.map(({ name }) => name).sort(natural),
  };
}

function changed(fleet: Fleet, { seq, at, policies = [], nodes = [], gonePolicies = [], goneNodes = [], ...rest }: Changes): Fleet {
  const { connection = fleet.connection, access = fleet.access, cluster = fleet.cluster } = rest;
  const nextNodes = merged(fleet.nodes, nodes, goneNodes);
  const sameNames = goneNodes.length === 0 && nextNodes.size === fleet.nodes.size;
  return {
    ...{ ...fleet, seq, at, connection, access, cluster },
    policies: merged(fleet.policies, policies, gonePolicies),
    nodes: nextNodes,
    names: sameNames ? fleet.names : [...nextNodes.keys()].sort(natural),
  };
}

function merged<T extends { name: string }>(
  all: ReadonlyMap<string, T>,
  news: readonly T[],
  gone: readonly string[],
): ReadonlyMap<string, T> {
  if (news.length === 0 && gone.length === 0) return all;
  const next = new Map(all);
  for (const name of gone) next.delete(name);
  for (const one of news) next.set(one.name, one);
  return next;
}

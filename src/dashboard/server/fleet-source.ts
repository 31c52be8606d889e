import { kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../../api/kinds.ts';
import { GROUP } from '../../api/names.ts';
import { nodeHostOf, nodeOf, nodeUpdateOf, policyOf } from '../../cluster/views.ts';
import type { PolicyView } from '../../core/world.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { Reflector } from '../../kube/reflector.ts';
import type { Access, Changes, Cluster, Connection, NodeRow, PolicyRow, Snapshot } from '../wire.ts';
import { connectionState, type Watched } from './connection-state.ts';
import type { EventSource } from './event-streams.ts';
import type { WatchedFleet } from './fresh-fleet.ts';
import { nodeRow } from './node-row.ts';
import { policyRow } from './policy-row.ts';
import { upcomingOf } from './upcoming.ts';

export interface FleetSourceDeps {
  client: Pick<KubeClient, 'listPages' | 'watch' | 'clockOffsetMs'>;
  clock: Clock;
  /** From 0 up to, not including, 1. */
  random: () => number;
  /** The program's own. */
  version: string;
  /** What is asked of the API server besides: who the user is, and what they may do. */
  about: { cluster(): Cluster; forbidden(): Access['forbidden'] };
  /** Something may have changed. */
  changed: () => void;
}

/** The fleet as it is watched with the user's own rights, and as the page shows it. */
export interface FleetSource extends EventSource {
  /** Watches until the signal is aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** The objects that are shown. */
  watched(): WatchedFleet;
}

const NODES = 'nodes';

/** Rows by name, and which of them have changed since they were last told. */
interface Rows<T> {
  all: Map<string, T>;
  text: Map<string, string>;
}

/** Watches nodes, policies, NodeUpdates and NodeHosts; what the user may not watch is told as a missing right, and the rest is shown. */
export function fleetSource({ client, clock, random, version, about, changed }: FleetSourceDeps): FleetSource {
  const connection = connectionState(clock, changed);
  /** Names whose row must be made anew. */
  const stale = new Set<string>();
  let policiesStale = false;
  const reflector = <T>(path: string, watched: Watched, project: (raw: unknown) => T | undefined, touch: (name: string) => void) => {
    const state = connection.watch(watched, () => made.synced);
    const made: Reflector<T> = new Reflector({
      client,
      path,
      project,
      clock,
      random,
      logger: state.logger,
      onConnect: state.connected,
      onChange({ key }) {
        touch(key);
        changed();
      },
      retry: { baseMs: 1_000, maxMs: 10_000, jitter: 0.5 },
    });
    return made;
  };
  const touchNode = (name: string): void => {
    stale.add(name);
  };
  const ours = (plural: string, hides: string): Watched => ({ resource: `${plural}.${GROUP}`, hides, ours: true });
  const policies = reflector(kindPath(UPDATE_POLICY), ours(UPDATE_POLICY.plural, 'policies, groups and windows'), policyOf, () => {
    policiesStale = true;
  });
  const updates = reflector(
    kindPath(NODE_UPDATE),
    ours(NODE_UPDATE.plural, 'phases, reasons, drains and history'),
    nodeUpdateOf,
    touchNode,
  );
  const hosts = reflector(
    kindPath(NODE_HOST),
    ours(NODE_HOST.plural, "what agents report: staged versions, agents' versions"),
    nodeHostOf,
    touchNode,
  );
  const nodes = reflector(
    '/api/v1/nodes',
    { resource: NODES, hides: 'zones and groups, cordons and readiness, nodes without a NodeUpdate', ours: false },
    (raw) => {
      const node = nodeOf(raw);
      return node.os === undefined ? undefined : node;
    },
    touchNode,
  );
  const reflectors = [policies, updates, hosts, nodes];

  const nodeRows: Rows<NodeRow> = { all: new Map(), text: new Map() };
  const policyRows: Rows<PolicyRow> = { all: new Map(), text: new Map() };
  const toldOf = { connection: '', access: '', cluster: '' };
  /** What of a policy its nodes' rows are made of. */
  const shapes = new Map<string, string>();
  /** Nodes may be listed, but not watched: what they were is soon no longer true, and is not shown. */
  let nodesHidden = false;
  const now = (): number => clock.now() + client.clockOffsetMs;
  const others = (): { connection: Connection; access: Access; cluster: Cluster } => {
    const heard = reflectors.flatMap(({ lastEventAt }) => (lastEventAt === undefined ? [] : [lastEventAt]));
    const { state, since, message } = connection.current();
    return {
      connection: {
        state,
        since: since + client.clockOffsetMs,
        ...(state !== 'live' && heard.length > 0 && { heardAt: Math.max(...heard) + client.clockOffsetMs }),
        ...(message !== undefined && { message }),
      },
      access: { missing: connection.missing(), forbidden: about.forbidden() },
      cluster: about.cluster(),
    };
  };

  /** Makes anew what may have changed; gives back what has. */
  const refresh = (): { nodes: NodeRow[]; goneNodes: string[]; policies: PolicyRow[]; gonePolicies: string[] } => {
    if (policiesStale) {
      policiesStale = false;
      const reshaped = new Set([...shapes.keys()].filter((name) => !policies.items.has(name)));
      for (const name of reshaped) shapes.delete(name);
      for (const [name, policy] of policies.items) {
        const shape = shapeOf(policy);
        if (shapes.get(name) === shape) continue;
        shapes.set(name, shape);
        reshaped.add(name);
      }
      if (reshaped.size > 0)
        for (const [name, { status }] of updates.items) if (status.policy !== undefined && reshaped.has(status.policy)) stale.add(name);
    }
    const hidden = connection.missing().some(({ resource }) => resource === NODES);
    if (hidden !== nodesHidden) {
      nodesHidden = hidden;
      for (const name of nodes.items.keys()) stale.add(name);
    }
    const changedNodes = takeRows(nodeRows, stale, (name) => {
      const objects = {
        name,
        node: hidden ? undefined : nodes.items.get(name),
        update: updates.items.get(name),
        host: hosts.items.get(name),
      };
      // A NodeHost alone is what is left of a node that the user may read.
      return objects.node === undefined && objects.update === undefined ? undefined : nodeRow(objects, policies.items);
    });
    stale.clear();
    const byPolicy = Map.groupBy(nodeRows.all.values(), ({ policy }) => policy);
    const changedPolicies = takeRows(policyRows, new Set([...policies.items.keys(), ...policyRows.all.keys()]), (name) => {
      const policy = policies.items.get(name);
      return policy && policyRow(policy, upcomingOf(policy, byPolicy.get(name) ?? [], now()));
    });
    return {
      nodes: changedNodes.rows,
      goneNodes: changedNodes.gone,
      policies: changedPolicies.rows,
      gonePolicies: changedPolicies.gone,
    };
  };

  return {
    watched: () => ({
      policies: policies.items,
      updates: updates.items,
      hosts: hosts.items,
      unreadable: [],
      live: connection.current().state === 'live' && connection.missing().length === 0,
    }),
    async run(signal) {
      await Promise.all(reflectors.map((one) => one.run(signal)));
    },
    snapshot(): Omit<Snapshot, 'type' | 'seq'> {
      return { at: now(), version, ...others(), policies: [...policyRows.all.values()], nodes: [...nodeRows.all.values()] };
    },
    takeChanges(): Omit<Changes, 'type' | 'seq'> | undefined {
      const rows = Object.entries(refresh()).filter(([, list]) => list.length > 0);
      const rest = Object.entries(others()).filter(([name, value]) => {
        const text = JSON.stringify(value);
        const known = toldOf[name as keyof typeof toldOf];
        toldOf[name as keyof typeof toldOf] = text;
        return text !== known;
      });
      const all = [...rows, ...rest];
      return all.length === 0 ? undefined : { at: now(), ...Object.fromEntries(all) };
    },
  };
}

const shapeOf = ({ spec }: PolicyView): string => JSON.stringify([spec.rollout.groups, spec.rollout.zoneKey, spec.patchDeadline]);

/** Makes the named rows anew, and tells which of them are others than before. */
function takeRows<T>(rows: Rows<T>, names: Iterable<string>, make: (name: string) => T | undefined): { rows: T[]; gone: string[] } {
  const taken: { rows: T[]; gone: string[] } = { rows: [], gone: [] };
  for (const name of names) {
    const row = make(name);
    if (row === undefined) {
      if (rows.all.delete(name)) taken.gone.push(name);
      rows.text.delete(name);
      continue;
    }
    const text = JSON.stringify(row);
    if (rows.text.get(name) === text) continue;
    rows.text.set(name, text);
    rows.all.set(name, row);
    taken.rows.push(row);
  }
  return taken;
}

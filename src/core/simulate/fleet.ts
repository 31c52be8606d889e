import { MANAGED_LABEL } from '../../api/names.ts';
import { policySpecOf } from '../../api/update-policy.ts';
import { type DisruptionBudget, type Instant, type NodeView, type PodView, timestamp, type World } from '../world.ts';
import { Course, type Durations } from './course.ts';
import type { Flaw } from './objects.ts';
import { closedBudget, daemonSetPod, replicaSetPod } from './pods.ts';
import { randomNumbers } from './random.ts';
import { SnapshotCluster } from './snapshot-cluster.ts';
import type { Witness } from './witness.ts';

/** What a fleet is drawn by; shares are of all nodes. */
export interface FleetSettings {
  nodes: number;
  seed: number;
  maxUnavailable: number | string;
  /** Shares of nodes on which something goes wrong, by what it is. */
  flaws: Partial<Record<Flaw, number>>;
  /** Share of nodes with a pod whose budget never allows its eviction. */
  barred: number;
  /** Share of nodes without an agent. */
  mute: number;
  /** The shortest and the longest reboot, in minutes. */
  rebootMinutes: readonly [number, number];
}

/** Many nodes that run OLD and are offered NEW, in three zones, the first three canaries; and what is wrong with some. */
export interface Fleet {
  world: World;
  durations: ReadonlyMap<string, Durations>;
  flaws: ReadonlyMap<string, Flaw>;
  /** Nodes with which nothing is wrong, in any way. */
  sound: ReadonlySet<string>;
}

/** The versions of a fleet. */
export const OLD_RELEASE = '1.0.0';
export const NEW_RELEASE = '1.1.0';
/** When a fleet's rollout begins. */
export const FLEET_BEGIN: Instant = Date.parse('2026-03-01T12:00:00Z');

const MINUTE = 60_000;
const YEAR = 365 * 24 * 60 * MINUTE;

/** Draws a fleet; the same settings give the same one. */
export function fleetOf(settings: FleetSettings): Fleet {
  const random = randomNumbers(settings.seed);
  const names = Array.from({ length: settings.nodes }, (_, index) => `n${index}`);
  const flaws = new Map<string, Flaw>();
  const durations = new Map<string, Durations>();
  const budgets: DisruptionBudget[] = [];
  const pods = new Map<string, PodView[]>();
  const nodes: NodeView[] = [];
  const sound = new Set<string>();
  const [shortest, longest] = settings.rebootMinutes;
  for (const [index, name] of names.entries()) {
    const flaw = drawn(settings.flaws, random());
    const barred = random() < settings.barred;
    const mute = random() < settings.mute;
    if (flaw !== undefined) flaws.set(name, flaw);
    if (flaw === undefined && !barred && !mute) sound.add(name);
    if (barred) budgets.push(closedBudget(`web-${name}`));
    nodes.push(nodeAt(name, index, mute));
    pods.set(name, [daemonSetPod(`cni-${name}`), replicaSetPod(`web-${name}`, { labels: { app: `web-${name}` } })]);
    // Whole minutes: what happens at the same time is decided in one pass, as in a cluster in which passes take their time.
    const rebootMs = Math.round(shortest + random() * (longest - shortest)) * MINUTE;
    durations.set(name, {
      stagingMs: 2 * MINUTE,
      drainMs: (1 + Math.floor(random() * 3)) * MINUTE,
      rebootMs,
      readyMs: MINUTE,
      hookMs: MINUTE,
    });
  }
  return { world: worldOf(settings, nodes, pods, budgets), durations, flaws, sound };
}

/** Runs a fleet's rollout before a witness, until every sound node is updated or nothing happens any more. */
export function runFleet({ world, durations, flaws, sound }: Fleet, watch: (cluster: SnapshotCluster) => Witness): SnapshotCluster {
  const cluster = new SnapshotCluster(world, FLEET_BEGIN);
  cluster.witness = watch(cluster);
  for (const machine of cluster.machines) machine.flaw = flaws.get(machine.name);
  const durationsOf = (node: string) => durations.get(node) as Durations;
  const isAtHome = (name: string) => cluster.nodes.get(name)?.os?.version === NEW_RELEASE && cluster.nodes.get(name)?.record === undefined;
  new Course(cluster, { durationsOf, until: FLEET_BEGIN + YEAR }).run(() => [...sound].every(isAtHome));
  return cluster;
}

function drawn(shares: Partial<Record<Flaw, number>>, number: number): Flaw | undefined {
  let before = 0;
  for (const [flaw, share] of Object.entries(shares)) {
    before += share;
    if (number < before) return flaw as Flaw;
  }
  return undefined;
}

const nodeAt = (name: string, index: number, mute: boolean): NodeView => ({
  name,
  uid: `uid-${String(index).padStart(6, '0')}-${name}`,
  resourceVersion: '1',
  createdAt: timestamp(FLEET_BEGIN),
  labels: {
    [MANAGED_LABEL]: 'true',
    ring: index < 3 ? 'canary' : 'other',
    'topology.kubernetes.io/zone': 'abc'.charAt(index % 3),
  },
  annotations: {},
  unschedulable: false,
  ready: { status: true, since: timestamp(FLEET_BEGIN) },
  bootID: `host-${index}-boot-1`,
  hostID: `host-${index}`,
  deleting: false,
  os: { version: OLD_RELEASE, variant: 'aws-k8s', arch: 'amd64' },
  update: { resourceVersion: '1', annotations: {}, status: {} },
  host: {
    resourceVersion: '1',
    spec: { refreshInterval: '1h', ignoreWaves: false },
    status: { version: OLD_RELEASE, bootID: `host-${index}-boot-1`, available: [NEW_RELEASE, OLD_RELEASE] },
  },
  agent: mute ? 'missing' : 'ready',
});

const worldOf = (
  { maxUnavailable }: FleetSettings,
  nodes: readonly NodeView[],
  pods: ReadonlyMap<string, readonly PodView[]>,
  budgets: readonly DisruptionBudget[],
): World => ({
  policies: [
    {
      name: 'fleet',
      uid: 'uid-fleet',
      resourceVersion: '1',
      generation: 1,
      deleting: false,
      annotations: {},
      status: {},
      spec: policySpecOf({
        schedule: { always: true },
        rollout: {
          maxUnavailable,
          failureBudget: '20%',
          groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak: '3m' }],
        },
        staging: { maxParallel: '50%' },
      }),
    },
  ],
  nodes,
  pods,
  budgets: new Map([['shop', budgets]]),
  guarded: true,
  standby: false,
  daemonSets: new Set(['kube-system/cni']),
  blockedPods: new Map(),
  hookNamespaces: [],
  jobs: new Map(),
  checks: new Map(),
  prometheusHosts: [],
  retry: { baseMs: 30_000, maxMs: 600_000 },
});

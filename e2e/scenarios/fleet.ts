import type { NodeHost } from '../../src/api/node-host.ts';
import type { NodeUpdateStatus } from '../../src/api/node-update.ts';
import type { UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import type { KubeObject } from '../bed/api.ts';
import { type Bed, type BedMachineOptions, type BedOptions, startBed } from '../bed/bed.ts';
import type { Machine } from '../bed/machine.ts';
import type { NodeObject } from '../bed/node-object.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import { changes, type WatchHistory } from '../bed/watch-history.ts';
import type { HostTimings } from '../host/host.ts';
import { type Judge, judgeOf } from './judge.ts';

/** Hosts that need hardly any time, so that a scenario is as fast as our programs are. */
export const quickHost: Partial<HostTimings> = {
  refreshMs: 10,
  prepareMs: 30,
  activateMs: 10,
  rebootCommandMs: 5,
  bootMs: 150,
  renderMs: 5,
};

/** Leases short enough for a test that stops a leader; the proportions are those of the defaults. */
const shortLease = { duration: '3s', renewInterval: '1s', giveUpAfter: '2s' };

const infraLabel = 'bed.lockkeeper.dev/infra';
const leasesPath = '/apis/coordination.k8s.io/v1/namespaces/lockkeeper/leases';
const policyPath = '/apis/lockkeeper.dev/v1alpha1/updatepolicies';

type Lease = KubeObject & { spec: { holderIdentity?: string } };

export interface FleetOptions {
  readonly nodes: number;
  /** Over a policy that goes on by itself, in a hurry. */
  readonly policy?: object;
  /** Controller replicas; 1 unless told. */
  readonly replicas?: number;
  /** Where the controllers run: a machine of another OS that is never updated, or the nodes themselves. */
  readonly controllersOn?: 'infra' | 'nodes';
  /** For each machine (counting from 0). */
  readonly machine?: (index: number) => Partial<BedMachineOptions>;
  readonly timings?: Partial<HostTimings>;
  /** Further chart values. */
  readonly values?: { controller?: object; agent?: object };
  /** Components that reach the API server through `bed.faults`. */
  readonly faultsFor?: BedOptions['faultsFor'];
}

/** A bed with the chart installed, machines on 1.26.0, and a policy in force. */
export interface Fleet {
  readonly bed: Bed;
  readonly history: WatchHistory<NodeObject>;
  readonly judge: Judge;
  /** The machines that the policy has, in the order of their names. */
  readonly machines: readonly Machine[];
  /** Puts a release into the update repository of all hosts. */
  release(version: string, variant?: string): void;
  policy(): Promise<KubeObject & { spec: object; status?: UpdatePolicyStatus }>;
  /** Merges into the policy's spec. */
  patchPolicy(spec: object): Promise<void>;
  annotate(kind: 'updatepolicies' | 'nodeupdates' | 'nodes', name: string, annotations: Record<string, string | null>): Promise<void>;
  node(name: string): Promise<NodeObject>;
  nodeUpdate(name: string): Promise<NodeUpdateStatus>;
  nodeHost(name: string): Promise<KubeObject & Pick<NodeHost, 'spec' | 'status'>>;
  /** Waits until a node is in a phase, for a reason where one is given. */
  phase(name: string, phase: string, reason?: string): Promise<NodeUpdateStatus>;
  /** Waits until these nodes (all unless told) run a version by the kubelet's word, are Ready, schedulable, and hold no claim. */
  updated(version: string, names?: readonly string[], timeoutMs?: number): Promise<void>;
  /** The controller process that holds the Lease; another one than these, where some are given. */
  leader(...except: readonly PodProcess[]): Promise<PodProcess>;
  /** Who has held the Lease from now on: pods' names, and '' where it was given back. */
  leaseHolders(): Promise<() => string[]>;
  /** Waits until a controller process leads, and has itself seen a node (in a phase, where one is given). */
  leads(process: PodProcess, node: string, phase?: string): Promise<void>;
  agent(node: string): PodProcess;
  eventually: Bed['eventually'];
  stop(): Promise<void>;
}

/** Starts a bed with the chart, a fleet of machines and a policy. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { nodes, policy = {}, replicas = 1, controllersOn = 'infra', timings = {}, values = {}, faultsFor = [] } = options;
  const variant = 'aws-k8s-1.31';
  const bed = await startBed({ releases: [{ version: '1.26.0', variant, arch: 'x86_64' }], faultsFor });
  try {
    const infra = controllersOn === 'infra';
    if (infra) await bed.addMachine({ name: 'infra', osImage: 'Debian GNU/Linux 12 (bookworm)', labels: { [infraLabel]: 'true' } });
    const history = await bed.nodeHistory();
    const machines = await bed.addMachines(nodes, { host: { timings: { ...quickHost, ...timings } } }, options.machine);
    await bed.installChart({
      values: {
        ...values,
        controller: {
          replicas,
          lease: shortLease,
          extraArgs: ['--retry-base=1s', '--retry-max=4s'],
          ...(infra && { nodeSelector: { [infraLabel]: 'true' } }),
          ...values.controller,
        },
        defaultPolicy: { create: false },
      },
    });
    await bed.client.apply({
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'UpdatePolicy',
      metadata: { name: 'fleet' },
      spec: merge(hurriedPolicy, policy),
    });
    return fleetOn(bed, machines, history);
  } catch (error) {
    await bed.stop({ keepLogs: true });
    throw error;
  }
}

const hurriedPolicy = {
  version: { refreshInterval: '1s' },
  rollout: { minReadySeconds: 0 },
  staging: { maxParallel: '100%' },
  drain: { timeout: '60s' },
  reboot: { timeout: '60s' },
};

function merge(base: Record<string, unknown>, over: object): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    merged[key] = isObject(old) && isObject(value) ? merge(old, value) : value;
  }
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function fleetOn(bed: Bed, machines: readonly Machine[], history: WatchHistory<NodeObject>): Fleet {
  const { client, eventually } = bed;
  const fleet: Fleet = {
    bed,
    history,
    judge: judgeOf(bed, history),
    machines,
    eventually,
    release: (version, variant = 'aws-k8s-1.31') => bed.repository.releases.push({ version, variant, arch: 'x86_64' }),
    policy: () => client.get(`${policyPath}/fleet`),
    async patchPolicy(spec) {
      await client.patch(`${policyPath}/fleet`, { spec });
    },
    async annotate(kind, name, annotations) {
      const path = kind === 'nodes' ? '/api/v1/nodes' : `/apis/lockkeeper.dev/v1alpha1/${kind}`;
      await client.patch(`${path}/${name}`, { metadata: { annotations } });
    },
    node: (name) => client.get<NodeObject>(`/api/v1/nodes/${name}`),
    async nodeUpdate(name) {
      const object = await client.find<KubeObject & { status?: NodeUpdateStatus }>(`/apis/lockkeeper.dev/v1alpha1/nodeupdates/${name}`);
      return object?.status ?? {};
    },
    nodeHost: (name) => client.get(`/apis/lockkeeper.dev/v1alpha1/nodehosts/${name}`),
    phase: (name, phase, reason) =>
      eventually(
        async () => {
          const status = await fleet.nodeUpdate(name);
          return status.phase === phase && (reason === undefined || status.reason === reason) && status;
        },
        { timeoutMs: 60_000, describe: () => fleet.nodeUpdate(name) },
      ),
    async updated(version, names = machines.map(({ name }) => name), timeoutMs = 90_000) {
      const done = async () => {
        const seen = await Promise.all(names.map((name) => fleet.node(name)));
        const { status } = await fleet.policy();
        const claimed = new Set((status?.claims ?? []).map(({ node }) => node));
        return seen.every((node) => runs(node, version) && isAvailable(node) && !claimed.has(node.metadata.name));
      };
      await eventually(done, { timeoutMs, describe: () => bed.kubectl('get', 'nodes,nodeupdates,updatepolicies', '-o', 'wide') });
    },
    leader: (...except) =>
      eventually(async () => {
        const { spec } = await client.get<Lease>(`${leasesPath}/lockkeeper`);
        const leader = bed.pods.processes('controller').find(({ name, pid }) => name === spec.holderIdentity && pid !== undefined);
        return leader !== undefined && !except.includes(leader) && leader;
      }),
    async leaseHolders() {
      const leases = await bed.history<Lease>(leasesPath);
      return () => changes(leases.versions, 'lockkeeper', ({ spec }) => spec.holderIdentity ?? '');
    },
    async leads(process, node, phase = '') {
      const state = async () => {
        const text = await (await fetch(process.metricsUrl, { signal: AbortSignal.timeout(2_000) })).text();
        return text.split('\n').filter((line) => /^lockkeeper_(leader|node_phase)\b/.test(line));
      };
      const sees = (line: string) => line.includes(`{node="${node}",`) && line.includes(`,phase="${phase}`);
      await eventually(async () => (await state()).includes('lockkeeper_leader 1') && (await state()).some(sees), { describe: state });
    },
    agent: (node) => bed.pods.on(node, 'agent'),
    async stop() {
      history.stop();
      await bed.stop();
    },
  };
  return fleet;
}

/** The node runs an OS version, by its kubelet's word. */
export const runs = (node: NodeObject, version: string): boolean => node.status.nodeInfo.osImage.startsWith(`Bottlerocket OS ${version} (`);

/** Schedulable and Ready. */
export function isAvailable(node: NodeObject): boolean {
  const ready = node.status.conditions?.find(({ type }) => type === 'Ready');
  return node.spec.unschedulable !== true && ready?.status === 'True';
}

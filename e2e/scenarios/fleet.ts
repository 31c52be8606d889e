import { type Bed, type BedMachineOptions, type BedOptions, startBed } from '../bed/bed.ts';
import type { Machine } from '../bed/machine.ts';
import type { NodeObject } from '../bed/node-object.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import type { WatchHistory } from '../bed/watch-history.ts';
import type { HostTimings } from '../host/host.ts';
import { hurried, type WatchedFleet, watchFleet } from './watched-fleet.ts';

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
const policy = 'fleet';

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
  /** The folder of the chart; ours unless told. */
  readonly chart?: string;
  /** Set up before the chart is installed. */
  readonly before?: (bed: Bed) => Promise<void>;
  /** Further chart values. */
  readonly values?: { controller?: object; agent?: object; hooks?: object; checks?: object; monitoring?: object; notifications?: object };
  /** Components that reach the API server through `bed.faults`. */
  readonly faultsFor?: BedOptions['faultsFor'];
  /** How long a node's silence may last before the node lifecycle controller takes it for not ready. */
  readonly nodeGraceSeconds?: number;
}

/** A bed with the chart installed, machines on 1.26.0, and a policy in force. */
export interface Fleet extends WatchedFleet {
  readonly bed: Bed;
  /** The machines that the policy has, in the order of their names. */
  readonly machines: readonly Machine[];
  /** Puts a release into the update repository of all hosts. */
  release(version: string, variant?: string): void;
  /** The controller process that holds the Lease; another one than these, where some are given. */
  leader(...except: readonly PodProcess[]): Promise<PodProcess>;
  /** Waits until a controller process leads, and has itself seen a node (in a phase, where one is given). */
  leads(process: PodProcess, node: string, phase?: string): Promise<void>;
  agent(node: string): PodProcess;
  stop(): Promise<void>;
}

/** Starts a bed with the chart, a fleet of machines and a policy. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const {
    nodes,
    policy: spec = {},
    replicas = 1,
    controllersOn = 'infra',
    timings = {},
    values = {},
    faultsFor = [],
    nodeGraceSeconds,
  } = options;
  const variant = 'aws-k8s-1.31';
  const bed = await startBed({
    releases: [{ version: '1.26.0', variant, arch: 'x86_64' }],
    faultsFor,
    ...(nodeGraceSeconds !== undefined && { nodeGraceSeconds }),
  });
  try {
    const infra = controllersOn === 'infra';
    if (infra) await bed.addMachine({ name: 'infra', osImage: 'Debian GNU/Linux 12 (bookworm)', labels: { [infraLabel]: 'true' } });
    const history = await bed.nodeHistory();
    const machines = await bed.addMachines(nodes, { host: { timings: { ...quickHost, ...timings } } }, options.machine);
    await options.before?.(bed);
    await bed.installChart({
      ...(options.chart !== undefined && { chart: options.chart }),
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
      metadata: { name: policy },
      spec: hurried(spec),
    });
    return fleetOn(bed, machines, history);
  } catch (error) {
    await bed.stop({ keepLogs: true });
    throw error;
  }
}

function fleetOn(bed: Bed, machines: readonly Machine[], history: WatchHistory<NodeObject>): Fleet {
  const watched = watchFleet({
    bed,
    history,
    names: machines.map(({ name }) => name),
    policy,
    patience: { phaseMs: 60_000, updateMs: 90_000 },
  });
  return {
    ...watched,
    bed,
    machines,
    release: (version, variant = 'aws-k8s-1.31') => bed.repository.releases.push({ version, variant, arch: 'x86_64' }),
    leader: (...except) =>
      bed.eventually(async () => {
        const holder = await watched.leaseHolder();
        const leader = bed.pods.processes('controller').find(({ name, pid }) => name === holder && pid !== undefined);
        return leader !== undefined && !except.includes(leader) && leader;
      }),
    async leads(process, node, phase = '') {
      const state = async () => {
        const text = await (await fetch(process.metricsUrl, { signal: AbortSignal.timeout(2_000) })).text();
        return text.split('\n').filter((line) => /^lockkeeper_(leader|node_phase)\b/.test(line));
      };
      const sees = (line: string) => line.includes(`{node="${node}",`) && line.includes(`,phase="${phase}`);
      await bed.eventually(async () => (await state()).includes('lockkeeper_leader 1') && (await state()).some(sees), { describe: state });
    },
    agent: (node) => bed.pods.on(node, 'agent'),
    async stop() {
      history.stop();
      await bed.stop();
    },
  };
}

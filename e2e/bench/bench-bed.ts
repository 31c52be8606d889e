import type { NodeHostStatus } from '../../src/api/node-host.ts';
import type { UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import type { KubeObject } from '../bed/api.ts';
import { type Bed, startBed } from '../bed/bed.ts';
import type { Machine } from '../bed/machine.ts';
import type { NodeObject } from '../bed/node-object.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import { isUnavailable } from '../bed/watch-history.ts';
import type { HostTimings } from '../host/host.ts';
import type { BenchContext } from './figure.ts';
import { productRequests } from './requests.ts';

/** A host that needs no time at all: what is measured is ours. */
export const noDelay: Partial<HostTimings> = { refreshMs: 0, prepareMs: 0, activateMs: 0, rebootCommandMs: 0, bootMs: 0, renderMs: 0 };

const variant = 'aws-k8s-1.31';
const arch = 'x86_64';
const infraLabel = 'bench.lockkeeper.dev/infra';
const kinds = '/apis/lockkeeper.dev/v1alpha1';
const leases = '/apis/coordination.k8s.io/v1/namespaces/lockkeeper/leases';

/** The policy that the chart creates. */
export const policyPath = `${kinds}/updatepolicies/default`;
/** Selects the machines that are updated; the controllers run elsewhere. */
export const workLabel = { 'bench.lockkeeper.dev/work': 'true' } as const;

export interface BenchBedOptions {
  readonly nodes: number;
  /** Spec of the chart's policy. */
  readonly policy: object;
  /** How many pods fit on a machine; 110 unless told. */
  readonly podsPerNode?: number;
  /** The controller manager's requests per second, where it must not be what is measured. */
  readonly controllerQps?: number;
}

/** A bed with the chart by its own values: two controller replicas on machines of their own, default leases; agents have reported. */
export interface BenchBed {
  readonly bed: Bed;
  readonly machines: readonly Machine[];
  readonly leasePath: string;
  /** Puts a release into the update repository of all hosts. */
  release(version: string): void;
  /** Waits no longer than this (60 s unless told), and not at all once the run is ended. */
  until(condition: () => boolean | Promise<boolean>, timeoutMs?: number): Promise<void>;
  /** Waits until all machines run a version by the kubelet's word, are available, and no claim is left. */
  updated(version: string, timeoutMs: number): Promise<void>;
  /** Waits until the product has sent nothing but Lease renewals for so long. */
  quiet(forMs: number, timeoutMs: number): Promise<void>;
  /** The Ready controller process that holds the Lease. */
  leader(): PodProcess | undefined;
}

type Lease = KubeObject & { spec: { holderIdentity?: string } };

/** Starts such a bed, has the work done, and ends it whatever happens; its logs are kept where the work failed. */
export async function onBenchBed<T>(context: BenchContext, options: BenchBedOptions, work: (bench: BenchBed) => Promise<T>): Promise<T> {
  const { app, say, signal } = context;
  signal.throwIfAborted();
  say(`starting a control plane and ${options.nodes} nodes`);
  const { controllerQps } = options;
  const bed = await startBed({
    app,
    releases: [{ version: '1.26.0', variant, arch }],
    ...(controllerQps !== undefined && { controllerQps }),
  });
  let failed = true;
  try {
    const value = await Promise.race([prepared(bed, context, options).then(work), aborted(signal)]);
    failed = false;
    return value;
  } finally {
    await bed.stop({ keepLogs: failed && !signal.aborted });
    if (failed && !signal.aborted) say(`logs are in ${bed.home.out}`);
  }
}

async function prepared(bed: Bed, { say, signal }: BenchContext, { nodes, policy, podsPerNode = 110 }: BenchBedOptions): Promise<BenchBed> {
  const { client } = bed;
  for (const name of ['infra-1', 'infra-2']) {
    await bed.addMachine({ name, osImage: 'Debian GNU/Linux 12 (bookworm)', labels: { [infraLabel]: 'true' } });
  }
  const machines = await bed.addMachines(nodes, { zone: 'eu-west-1a', labels: workLabel, pods: podsPerNode, host: { timings: noDelay } });
  const until: BenchBed['until'] = async (condition, timeoutMs = 60_000) => {
    const describe = () => bed.kubectl('get', 'updatepolicies,nodeupdates');
    await bed.eventually(condition, { timeoutMs, intervalMs: 250, signal, describe });
  };
  say('installing the chart, and waiting for all agents to report');
  await bed.installChart({
    values: { controller: { nodeSelector: { [infraLabel]: 'true' } }, defaultPolicy: { spec: policy } },
  });
  await until(
    async () => {
      const hosts = await client.list<KubeObject & { status?: NodeHostStatus }>(`${kinds}/nodehosts`);
      return hosts.filter(({ status }) => status?.available !== undefined).length === nodes;
    },
    120_000 + nodes * 2_000,
  );

  let holder: string | undefined;
  const lease = await bed.history<Lease>(leases, { fieldSelector: 'metadata.name=lockkeeper' });
  return {
    bed,
    machines,
    leasePath: `${leases}/lockkeeper`,
    until,
    release: (version) => bed.repository.releases.push({ version, variant, arch }),
    updated: (version, timeoutMs) =>
      until(async () => {
        const seen = await client.list<NodeObject>('/api/v1/nodes', { labelSelector: selector(workLabel) });
        const { status } = await client.get<KubeObject & { status?: UpdatePolicyStatus }>(policyPath);
        const isNew = (node: NodeObject) => node.status.nodeInfo.osImage.startsWith(`Bottlerocket OS ${version} (`) && !isUnavailable(node);
        return seen.length === nodes && seen.every(isNew) && status?.claims?.length === 0;
      }, timeoutMs),
    async quiet(forMs, timeoutMs) {
      const mark = await bed.audit.mark();
      const from = Date.now();
      await until(async () => {
        const requests = (await productRequests(bed.audit, mark, from)).filter(({ kind }) => kind !== 'lease');
        return Date.now() - Math.max(from, ...requests.map(({ at }) => at)) > forMs;
      }, timeoutMs);
    },
    leader() {
      holder = lease.versions.at(-1)?.object.spec.holderIdentity ?? holder;
      return bed.pods.processes('controller').find(({ name, pid, ready }) => name === holder && pid !== undefined && ready);
    },
  };
}

function selector(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

/** Rejects with the signal's reason, once it is aborted. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

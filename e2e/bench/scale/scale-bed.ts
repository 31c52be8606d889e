import { fileURLToPath } from 'node:url';
import type { NodeHostStatus } from '../../../src/api/node-host.ts';
import type { UpdatePolicyStatus } from '../../../src/api/update-policy.ts';
import type { KubeObject } from '../../bed/api.ts';
import { type Bed, startBed } from '../../bed/bed.ts';
import { isRolledOut } from '../../bed/chart.ts';
import type { Child } from '../../bed/children.ts';
import type { PodObject } from '../../bed/pod-object.ts';
import type { PodProcess } from '../../bed/pod-process.ts';
import type { Release } from '../../host/host.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { followProgress, type NodeProgress } from './node-progress.ts';
import { howMany, RequestCounter, sentBetween } from './request-counter.ts';
import { readyPods, startWorkload } from './workload.ts';

/** What every part of a run gets. */
export interface ScaleContext {
  /** The folder that stands for the image's /app. */
  readonly app: string;
  /** Aborted where a person ends the run, or a simulated node fails. */
  readonly signal: AbortSignal;
  /** Tells a person what is being done. */
  say(text: string): void;
}

export interface ScaleBedOptions {
  readonly nodes: number;
  /** On each node of one half. */
  readonly podsPerNode: number;
  readonly agentsPerProcess: number;
  readonly releases: readonly string[];
  /** Spec of the chart's policy. */
  readonly policy: object;
}

/** A control plane with so many nodes and pods; our programs come with `install`. */
export interface ScaleBed {
  readonly bed: Bed;
  readonly pods: number;
  readonly fleet: Fleet;
  readonly progress: NodeProgress;
  readonly counter: RequestCounter;
  readonly signal: AbortSignal;
  /** A program of the control plane or of the bed. */
  program(name: string): Child;
  /** Installs the chart by its own values, and waits until all agents have reported. */
  install(): Promise<void>;
  leader(): Promise<PodProcess>;
  release(versions: readonly string[]): Promise<void>;
  /** Waits until the product has sent nothing but renewals of its Lease for so long. */
  quiet(forMs: number, timeoutMs: number): Promise<void>;
  until(condition: () => boolean | Promise<boolean>, timeoutMs: number, intervalMs?: number): Promise<void>;
  /**
   * Waits until all nodes run a version, are available, and no claim is left, or until `enough` nodes run it; gives up where no node has
   * come further for 10 minutes.
   */
  updated(version: string, say: (text: string) => void, enough?: number): Promise<void>;
}

const kinds = '/apis/lockkeeper.dev/v1alpha1';
/** The policy that the chart creates. */
export const policyPath = `${kinds}/updatepolicies/default`;
const infraLabel = 'bench.lockkeeper.dev/infra';
const workLabel = 'bench.lockkeeper.dev/work';
const loadedLabel = 'bench.lockkeeper.dev/loaded';
const controllers = '/apis/apps/v1/namespaces/lockkeeper/deployments/lockkeeper-controller';
const agents = '/apis/apps/v1/namespaces/lockkeeper/daemonsets/lockkeeper-agent';
const variant = 'aws-k8s-1.31';
const arch = 'x86_64';
/** A lease of an hour is renewed every quarter of one: the bed must not measure itself. */
const leaseSeconds = 3_600;
/** As kubelets do by themselves. */
const heartbeatMs = 300_000;
const stuckMs = 600_000;
const auditPolicy = fileURLToPath(new URL('audit-policy.yaml', import.meta.url));

const releasesOf = (versions: readonly string[]): Release[] => versions.map((version) => ({ version, variant, arch }));

/** Starts such a bed, has the work done, and ends it whatever happens; its logs are kept where the work failed. */
export async function onScaleBed<T>(
  { app, say, signal }: ScaleContext,
  options: ScaleBedOptions,
  work: (scale: ScaleBed) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  say(`starting a control plane and ${options.nodes} nodes`);
  const failing = new AbortController();
  const ended = AbortSignal.any([signal, failing.signal]);
  const fail = (error: unknown) => failing.abort(error);
  const bed = await startBed({
    app,
    leaseSeconds,
    nodeGraceSeconds: leaseSeconds + 600,
    controllerQps: 1_000,
    hastyScheduler: true,
    // With thousands of nodes, four times what lives in the API server is more than the machine has.
    heapGrowthPercent: 100,
    auditPolicy,
  });
  const closers: (() => Promise<void>)[] = [];
  let failed = true;
  try {
    const prepare = prepared(bed, ended, say, options, fail, closers);
    const value = await Promise.race([prepare.then(work), abortion(ended)]);
    failed = false;
    return value;
  } finally {
    await Promise.allSettled(closers.map((close) => close()));
    await bed.stop({ keepLogs: failed && !signal.aborted });
    if (failed && !signal.aborted) say(`logs are in ${bed.home.out}`);
  }
}

async function prepared(
  bed: Bed,
  signal: AbortSignal,
  say: (text: string) => void,
  options: ScaleBedOptions,
  fail: (error: unknown) => void,
  closers: (() => Promise<void>)[],
): Promise<ScaleBed> {
  const { client } = bed;
  const { nodes, podsPerNode, agentsPerProcess, releases, policy } = options;
  const until: ScaleBed['until'] = async (condition, timeoutMs, intervalMs = 1_000) => {
    await bed.eventually(condition, { timeoutMs, intervalMs, signal, describe: () => bed.kubectl('get', 'updatepolicies') });
  };
  for (const name of ['infra-1', 'infra-2']) {
    await bed.addMachine({ name, osImage: 'Debian GNU/Linux 12 (bookworm)', labels: { [infraLabel]: 'true' } });
  }
  const fleet = await startFleet({
    home: bed.home,
    access: bed.controlPlane.accessOf('bed'),
    nodes: Array.from({ length: nodes }, (_, index) => ({
      name: `node-${String(index + 1).padStart(5, '0')}`,
      // Those of the bed's own machines come before.
      index: index + 10,
      labels: { [workLabel]: 'true', [loadedLabel]: String(index % 2 === 0) },
    })),
    nodesPerProcess: agentsPerProcess,
    version: releases[0] ?? '',
    releases: releasesOf(releases),
    heartbeatMs,
    onError: fail,
  });
  closers.push(fleet.stop);
  const pods = Math.ceil(nodes / 2) * podsPerNode;
  if (pods > 0) {
    say(`${pods} pods are made, scheduled and run`);
    await startWorkload(client, pods, { [loadedLabel]: 'true' });
    await until(async () => (await readyPods(client)) === pods, 120_000 + pods * 40, 2_000);
  }
  const progress = await followProgress(client, `${workLabel}=true`, fail);
  closers.push(progress.stop);
  const counter = new RequestCounter(bed.controlPlane.auditLog);

  const scale: ScaleBed = {
    bed,
    pods,
    fleet,
    progress,
    counter,
    signal,
    until,
    program(name) {
      const found = bed.home.children.running.find((child) => child.name === name);
      if (found === undefined) throw new Error(`there is no ${name}`);
      return found;
    },
    async install() {
      say('installing the chart, and starting the agents');
      await bed.installChart({
        timeoutMs: 120_000 + nodes * 50,
        values: { controller: { nodeSelector: { [infraLabel]: 'true' } }, defaultPolicy: { spec: policy } },
      });
      // For the inspector, which two programs on one machine may not open on one port.
      const env = [{ name: 'NODE_OPTIONS', value: '--inspect-port=0' }];
      await client.patch(controllers, { spec: { template: { spec: { containers: [{ name: 'controller', env }] } } } }, 'strategic');
      await until(async () => isRolledOut(await client.get(controllers)), 120_000 + nodes * 50);
      await until(
        async () => {
          const { status } = await client.get<KubeObject & { status?: { currentNumberScheduled?: number } }>(agents);
          return status?.currentNumberScheduled === nodes;
        },
        120_000 + nodes * 200,
      );
      // That count has those that the scheduler has yet to bind.
      let pods: readonly PodObject[] = [];
      await until(
        async () => {
          pods = await client.list<PodObject>('/api/v1/namespaces/lockkeeper/pods', { labelSelector: 'app.kubernetes.io/component=agent' });
          return pods.length === nodes && pods.every(({ spec }) => spec.nodeName !== undefined);
        },
        120_000 + nodes * 200,
        5_000,
      );
      await fleet.adopt(pods);
      say('waiting for all agents to report');
      await until(
        async () => {
          const hosts = await client.list<KubeObject & { status?: NodeHostStatus }>(`${kinds}/nodehosts`);
          return hosts.filter(({ status }) => status?.available !== undefined).length === nodes;
        },
        120_000 + nodes * 200,
        3_000,
      );
    },
    async leader() {
      const lease = await client.get<KubeObject & { spec: { holderIdentity?: string } }>(
        '/apis/coordination.k8s.io/v1/namespaces/lockkeeper/leases/lockkeeper',
      );
      const holder = lease.spec.holderIdentity;
      const found = bed.pods.processes('controller').find(({ name, pid, ready }) => name === holder && pid !== undefined && ready);
      if (found === undefined) throw new Error('no controller leads');
      return found;
    },
    release: (versions) => fleet.release(releasesOf(versions)),
    async quiet(forMs, timeoutMs) {
      let before = await counter.read();
      let since = performance.now();
      await until(async () => {
        const now = await counter.read();
        const sent = sentBetween(before, now);
        if (howMany(sent) > howMany(sent, / leases$/)) since = performance.now();
        before = now;
        return performance.now() - since > forMs;
      }, timeoutMs);
    },
    async updated(version, say, enough = Number.POSITIVE_INFINITY) {
      let seen = -1;
      let since = performance.now();
      let said = since;
      for (;;) {
        signal.throwIfAborted();
        const updated = progress.updated(version);
        const now = performance.now();
        if (updated !== seen) [seen, since] = [updated, now];
        if (now - said > 15_000) {
          said = now;
          say(`${updated} of ${nodes} nodes run ${version}, ${progress.unavailable} are unavailable`);
        }
        if (updated >= enough) return;
        if (updated === nodes) {
          const { status } = await client.get<KubeObject & { status?: UpdatePolicyStatus }>(policyPath);
          if (status?.claims?.length === 0) return;
        }
        if (now - since > stuckMs)
          throw new Error(`no node has come further for ${stuckMs / 60_000} minutes: ${updated} of ${nodes} run ${version}`);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    },
  };
  return scale;
}

/** Rejects with the signal's reason, once it is aborted. */
function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

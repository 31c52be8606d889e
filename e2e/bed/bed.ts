import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type HostOptions, type Release, type Repository, SimulatedHost } from '../host/host.ts';
import type { Api, KubeObject, Query } from './api.ts';
import { type AuditLog, auditLog } from './audit.ts';
import { binaries } from './binaries.ts';
import { type ChartOptions, type Helm, helmFor } from './chart.ts';
import { type Cluster, existingCluster } from './cluster.ts';
import { runCommand } from './command.ts';
import { bedEnvironment, repository as repositoryRoot } from './config.ts';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
import { eventually } from './eventually.ts';
import { type FaultProxy, openFaultProxy } from './fault-proxy.ts';
import { type Gate, type GateState, openGate } from './gate.ts';
import { type Home, openHome } from './home.ts';
import { startKwok } from './kwok.ts';
import { Machine, type MachineOptions } from './machine.ts';
import type { NodeObject } from './node-object.ts';
import { type PodRunner, startPodRunner } from './pod-runner.ts';
import { recordHistory, type WatchHistory } from './watch-history.ts';

export interface BedOptions
  extends Pick<
    ControlPlaneOptions,
    'name' | 'dir' | 'features' | 'controllerQps' | 'hastyScheduler' | 'heapGrowthPercent' | 'nodeGraceSeconds' | 'auditPolicy'
  > {
  /** What the update repository holds at first. */
  readonly releases?: readonly Release[];
  /** Of nodes' leases, in seconds; longer for thousands of nodes, and `nodeGraceSeconds` with it: a quarter of it lies between two renewals. */
  readonly leaseSeconds?: number;
  /** An existing cluster instead of a control plane of the bed's own; `BED_KUBECONFIG` unless told. */
  readonly kubeconfig?: string;
  /** The folder that stands for the image's /app; `dist/` unless told. */
  readonly app?: string;
  /** Components of ours (`controller`, `agent`) that reach the API server through `bed.faults`; none unless told. */
  readonly faultsFor?: readonly string[];
}

export interface BedMachineOptions extends MachineOptions {
  /** Timings, seed, settings of the simulated host. */
  readonly host?: Partial<Omit<HostOptions, 'socketPath' | 'bootIDFile' | 'os' | 'repository'>>;
}

/** A cluster to test on: a real control plane, simulated machines, and our programs as processes. */
export interface Bed {
  readonly name: string;
  /** As a member of system:masters. */
  readonly client: Api;
  readonly kubeconfig: string;
  /** @throws Error on a cluster that is not the bed's own */
  readonly controlPlane: ControlPlane;
  /** @throws Error on a cluster that is not the bed's own */
  readonly audit: AuditLog;
  /** Does harm to chosen requests. @throws Error where `faultsFor` names nobody */
  readonly faults: FaultProxy;
  readonly home: Home;
  /** Shared by all hosts; a release added to it is seen at the next refresh. */
  readonly repository: Repository;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly pods: PodRunner;
  addMachine(options: BedMachineOptions): Promise<Machine>;
  /** Adds machines named `node-1`, `node-2`, … over three zones; `each` (counting from 0) changes one of them. */
  addMachines(
    count: number,
    options?: Omit<BedMachineOptions, 'name'>,
    each?: (index: number) => Partial<BedMachineOptions>,
  ): Promise<Machine[]>;
  /** @throws Error where there is none of that name */
  machine(name: string): Machine;
  /** Installs the chart, or upgrades it; waits until the controllers are ready, unless told not to. */
  installChart(options?: ChartOptions): Promise<void>;
  /** Waits until all of it is gone. Without `hooks`, no node is released first. */
  uninstallChart(options?: { readonly hooks?: boolean }): Promise<void>;
  /**
   * Cuts a node off from the API server: `refuse` resets connections, `silent` leaves them hanging, `open` ends it. With
   * `only: 'service'` the address that the host's own settings name goes on working.
   */
  isolate(node: string, state: GateState, options?: { readonly only?: 'service' }): void;
  /** Records all versions of what the path lists, from now on until the bed ends. */
  history<T extends KubeObject>(path: string, query?: Query): Promise<WatchHistory<T>>;
  /** The same for all nodes. */
  nodeHistory(): Promise<WatchHistory<NodeObject>>;
  /** @throws CommandError */
  kubectl(...args: string[]): Promise<string>;
  /** @throws CommandError */
  helm(...args: string[]): Promise<string>;
  eventually: typeof eventually;
  /** Ends everything. Logs are removed, unless told to keep them, or a test of the file has failed (with the bed's jest environment). */
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

const zones = ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'] as const;

/** Starts a bed without machines; several may run side by side. */
export async function startBed(options: BedOptions = {}): Promise<Bed> {
  const environment = bedEnvironment();
  const home = await openHome({ ...options, environment });
  try {
    const { cluster, controlPlane } = await openCluster();
    return await standOn(cluster, controlPlane);
  } catch (error) {
    await home.close({ keepLogs: true });
    throw error;
  }

  async function openCluster(): Promise<{ cluster: Cluster; controlPlane?: ControlPlane }> {
    const existing = options.kubeconfig ?? environment.kubeconfig;
    if (existing !== undefined) return { cluster: await existingCluster(existing, home) };
    const controlPlane = await startControlPlane({ ...options, home });
    const { client, kubeconfig } = controlPlane;
    const access = controlPlane.accessOf('bed');
    const kubelet = client.as({ userAgent: 'bed', token: access.token ?? '' });
    const kwokKubeconfig = controlPlane.kubeconfigOf('kwok');
    const cluster = { client, kubeconfig, ca: access.ca ?? '', kubelet, kwokKubeconfig, stop: controlPlane.stop };
    return { cluster, controlPlane };
  }

  async function standOn(cluster: Cluster, controlPlane: ControlPlane | undefined): Promise<Bed> {
    const programs = await binaries({ only: ['kwok', 'helm', 'kubectl'], environment });
    const { client, kubeconfig } = cluster;
    const { hostname, port } = new URL(client.access.server);
    const repository: Repository = { releases: [...(options.releases ?? [])] };
    const server = { host: hostname, port: Number(port) };
    const { faultsFor = [] } = options;
    const faults = faultsFor.length === 0 ? undefined : await openFaults(own(controlPlane, 'certificate'), server);
    const machines = new Map<string, Machine>();
    const gates = new Map<string, Gate>();
    const histories = new Set<{ stop(): void }>();
    let added = 0;

    await mkdir(path.join(home.scratch, 'm'));
    await startKwok(home, {
      program: programs.kwok,
      kubeconfig: cluster.kwokKubeconfig,
      ...(options.leaseSeconds === undefined ? {} : { leaseSeconds: options.leaseSeconds }),
    });
    const runtime = path.join(repositoryRoot, 'node_modules', 'node', 'bin', 'node');
    const app = options.app ?? path.join(repositoryRoot, 'dist');
    const pods = await startPodRunner({
      home,
      api: cluster.kubelet,
      machines,
      serverFor: (component) => (faults !== undefined && faultsFor.includes(component) ? faults : server),
      app,
      node: existsSync(runtime) ? runtime : process.execPath,
    });
    const env = { HOME: home.scratch, KUBECONFIG: kubeconfig, PATH: process.env['PATH'] ?? '' };
    const tool = (program: string) => (args: readonly string[], input?: string) =>
      runCommand(program, args, { env, cwd: repositoryRoot, timeoutMs: 300_000, ...(input === undefined ? {} : { input }) });
    const helm: Helm = helmFor({ run: tool(programs.helm), client, app });
    const kubectl = tool(programs.kubectl);

    const bed: Bed = {
      name: home.name,
      client,
      kubeconfig,
      get controlPlane() {
        return own(controlPlane, 'control plane');
      },
      get audit() {
        return auditLog(own(controlPlane, 'audit log').auditLog);
      },
      get faults() {
        if (faults === undefined) throw new Error('the bed was started without `faultsFor`');
        return faults;
      },
      home,
      repository,
      machines,
      pods,
      async addMachine({ host: hostOptions, ...machineOptions }) {
        const index = ++added;
        const socketPath = path.join(home.scratch, 'm', `${index}.sock`);
        const bootIDFile = path.join(home.scratch, 'm', `${index}.boot-id`);
        const { name, version = '1.26.0', variant = 'aws-k8s-1.31', arch = 'x86_64', osImage } = machineOptions;
        if (machines.has(name)) throw new Error(`there is a machine ${name} already`);
        const gate = gates.get(name) ?? (await openGate(server));
        gates.set(name, gate);
        const kubernetesSettings = {
          'api-server': `https://127.0.0.1:${gate.port}`,
          'cluster-certificate': Buffer.from(cluster.ca).toString('base64'),
          'cluster-dns-ip': '10.96.0.10',
          'cluster-name': 'bed',
        };
        const os = { version, variant, arch };
        const host =
          osImage === undefined
            ? new SimulatedHost({ kubernetesSettings, ...hostOptions, socketPath, bootIDFile, os, repository })
            : undefined;
        const onRemoved = () => machines.delete(name);
        const parts = { api: cluster.kubelet, processes: pods, index, host, socketPath, bootIDFile, onRemoved };
        const machine = new Machine(machineOptions, parts);
        machines.set(name, machine);
        await machine.start();
        return machine;
      },
      async addMachines(count, shared = {}, each = () => ({})) {
        const first = added + 1;
        const all = Array.from({ length: count }, (_, offset) => ({
          name: `node-${first + offset}`,
          zone: zones[(first + offset - 1) % zones.length] ?? zones[0],
          ...shared,
          ...each(offset),
        }));
        return Promise.all(all.map((one) => bed.addMachine(one)));
      },
      machine(name) {
        const machine = machines.get(name);
        if (machine === undefined) throw new Error(`no machine ${name}; there are ${[...machines.keys()].join(', ') || 'none'}`);
        return machine;
      },
      installChart: helm.install,
      uninstallChart: helm.uninstall,
      isolate(node, state, { only } = {}) {
        pods.cut(node, state);
        if (only !== 'service') gates.get(node)?.set(state);
      },
      async history<T extends KubeObject>(path: string, query: Query = {}) {
        const history = await recordHistory<T>(client, path, query);
        histories.add(history);
        return history;
      },
      nodeHistory: () => bed.history<NodeObject>('/api/v1/nodes'),
      kubectl: (...args) => kubectl(args),
      helm: (...args) => tool(programs.helm)(args),
      eventually,
      async stop({ keepLogs = testHasFailed() } = {}) {
        // Nobody ends while it waits for an API server that a test has frozen.
        controlPlane?.resumeApiServer();
        for (const history of histories) history.stop();
        // An existing cluster gets rid of our nodes; one of our own is thrown away whole.
        const leave = (machine: Machine) => (controlPlane === undefined ? machine.remove() : machine.stop());
        const ended = await Promise.allSettled([...machines.values()].map(leave));
        ended.push(...(await Promise.allSettled([pods.stop()])));
        await Promise.all([...gates.values(), ...(faults === undefined ? [] : [faults])].map((one) => one.close()));
        const wrong = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
        await cluster.stop({ keepLogs: keepLogs || wrong.length > 0 });
        if (wrong.length > 0) throw new AggregateError(wrong, `the bed ${home.name} itself failed; its logs are in ${home.out}`);
      },
    };
    return bed;
  }
}

function own<T>(part: T | undefined, what: string): T {
  if (part === undefined) throw new Error(`the bed stands on an existing cluster and has no ${what} of its own`);
  return part;
}

async function openFaults({ caFile, keyFile }: ControlPlane, server: { host: string; port: number }): Promise<FaultProxy> {
  const [certificate, key] = await Promise.all([readFile(caFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return openFaultProxy({ server, ca: certificate, certificate, key });
}

/** What the bed's jest environment has noted about the file that runs. */
function testHasFailed(): boolean {
  return (globalThis as { bedTestFailed?: boolean }).bedTestFailed === true;
}

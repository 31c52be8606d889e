import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Api, KubeObject, Query } from '../bed/api.ts';
import { type AuditLog, auditLog } from '../bed/audit.ts';
import { binaries } from '../bed/binaries.ts';
import { type ChartOptions, helmFor } from '../bed/chart.ts';
import { runCommand } from '../bed/command.ts';
import { bedEnvironment, repository as repositoryRoot } from '../bed/config.ts';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from '../bed/control-plane.ts';
import { eventually } from '../bed/eventually.ts';
import { type Home, openHome } from '../bed/home.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { recordHistory, type WatchHistory } from '../bed/watch-history.ts';
import type { Release } from '../host/host.ts';
import { type BedCgroups, cgroupLayout, createCgroups } from './cgroups.ts';
import { prepareImageStore } from './image-store.ts';
import { type ArchivedImage, buildWorkloadImage, nameIn } from './images.ts';
import { removeLeftovers, startReaper } from './leftovers.ts';
import type { RealMachine } from './machine.ts';
import { type BedNetwork, openNetwork } from './network.ts';
import { type BedRecord, cgroupName, startTimeOf, writeRecord } from './records.ts';
import { cniFolder, RequirementError, requireAll } from './requirements.ts';
import { controlSocket, machineUsers, openMachineRoom, type RealMachineOptions, untilReady } from './start-machine.ts';

export interface NodesOptions extends Pick<ControlPlaneOptions, 'features' | 'controllerQps' | 'nodeGraceSeconds' | 'certificate'> {
  /** How many machines; 3 unless told. */
  readonly nodes?: number;
  readonly name?: string;
  readonly dir?: string;
  /** What the update repository holds at first. */
  readonly releases?: readonly Release[];
  /** OCI archives whose images every machine has, beside the workload's. */
  readonly archives?: readonly string[];
  /** The archive whose image the chart is installed with; every machine has it too. */
  readonly image?: string;
  /** Shared by all machines; `each` (counting from 0) changes one of them. */
  readonly machine?: RealMachineOptions;
  readonly each?: (index: number) => RealMachineOptions;
  readonly progress?: (line: string) => void;
}

/** A cluster of real kubelets on machines that reboot. Machines are named `node-1`, `node-2`, … */
export interface Nodes {
  readonly name: string;
  /** As a member of system:masters. */
  readonly client: Api;
  readonly kubeconfig: string;
  readonly controlPlane: ControlPlane;
  readonly audit: AuditLog;
  readonly home: Home;
  /** The bed's network: what a client that is no node can reach. */
  readonly network: BedNetwork;
  /** How this machine groups processes. */
  readonly cgroups: 'v1' | 'v2';
  readonly machines: ReadonlyMap<string, RealMachine>;
  /** Starts further machines, and waits until they are Ready. */
  addMachines(count: number, options?: RealMachineOptions, each?: (index: number) => RealMachineOptions): Promise<RealMachine[]>;
  /** @throws Error where there is none of that name */
  machine(name: string): RealMachine;
  /** What all hosts see at their next refresh. */
  readonly releases: readonly Release[];
  /** Adds to it. */
  publish(...releases: Release[]): Promise<void>;
  /** Installs the chart with the image of the archive; waits until the controllers are ready, unless told not to. */
  installChart(options?: ChartOptions): Promise<void>;
  uninstallChart(): Promise<void>;
  history<T extends KubeObject>(path: string, query?: Query): Promise<WatchHistory<T>>;
  nodeHistory(): Promise<WatchHistory<NodeObject>>;
  kubectl(...args: string[]): Promise<string>;
  helm(...args: string[]): Promise<string>;
  eventually: typeof eventually;
  /** Ends everything and takes it back. Logs are kept where told to, or where a test of the file has failed. */
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

/**
 * Starts a bed of real nodes, which must run as root on Linux; several may run side by side. What earlier beds have left is
 * removed first.
 * @throws RequirementError where it cannot run here
 */
export async function startNodes(options: NodesOptions = {}): Promise<Nodes> {
  await requireAll();
  const { progress = () => undefined } = options;
  const environment = bedEnvironment();
  const programs = await binaries({ only: ['kubectl', 'helm', 'kubelet', 'kube-proxy'], environment, progress });
  for (const id of await removeLeftovers()) progress(`removed what bed ${id} had left`);
  const layout = cgroupLayout(await readFile('/proc/self/mounts', 'utf8'));
  const plugins = await cniFolder();
  if (layout === undefined || plugins === undefined) throw new Error('what was required a moment ago is gone');

  const id = randomBytes(3).toString('hex');
  const home = await openHome({
    name: options.name ?? `nodes-${id}`,
    ...(options.dir === undefined ? {} : { dir: options.dir }),
    environment,
  });
  for (const folder of [home.out, home.scratch]) {
    if (!/^\/(?:var|run)\//.test(folder)) continue;
    await home.close({ keepLogs: false });
    throw new RequirementError(
      `${folder} would be out of a machine's sight, which has a /var and a /run of its own: set BED_OUT and TMPDIR`,
    );
  }
  const cgroupFolders = layout.trees.map((tree) => path.join(tree, cgroupName(id)));
  let record: BedRecord = {
    id,
    pid: process.pid,
    startTime: (await startTimeOf(process.pid)) ?? '0',
    scratch: home.scratch,
    out: home.out,
    cgroups: cgroupFolders,
    machines: [],
    ready: false,
  };
  // From here on nothing is lost that is not written down.
  await writeRecord(record);
  const reaper = startReaper(record);
  try {
    return await start(await createCgroups(id, layout), plugins);
  } catch (error) {
    await home.close({ keepLogs: true });
    await reaper.close();
    throw error;
  }

  async function note(change: Partial<BedRecord>): Promise<void> {
    record = { ...record, ...change };
    await writeRecord(record);
  }

  async function start(cgroups: BedCgroups, plugins: string): Promise<Nodes> {
    const runtime = path.join(repositoryRoot, 'node_modules', 'node', 'bin', 'node');
    const node = existsSync(runtime) ? runtime : process.execPath;
    const machines = new Map<string, RealMachine>();
    let begun = 0;
    const histories = new Set<{ stop(): void }>();
    const releases = [...(options.releases ?? [])];
    const repositoryFile = path.join(home.scratch, 'releases.json');
    const users = machineUsers(options.nodes ?? 0);
    await publish();

    const network = await openNetwork(home, { node, procs: cgroups.procs });
    const { archives = [] } = options;
    const ours = options.image === undefined ? undefined : await archived(options.image);
    const [controlPlane, imageStore] = await Promise.all([
      startControlPlane({ ...options, home, network, users: [...users.kubelets, users.proxy] }),
      (async () => {
        const workload = await buildWorkloadImage({ node, cache: environment.cache, scratch: home.scratch });
        const images = [workload, ...(ours === undefined ? [] : [ours]), ...(await Promise.all(archives.map(archived)))];
        return prepareImageStore(home, images, network.counted);
      })(),
    ]);
    const { client, kubeconfig } = controlPlane;
    const startMachine = await openMachineRoom({
      home,
      api: client,
      network,
      cgroups,
      images: imageStore,
      users,
      repository: repositoryFile,
      plugins,
      programs: { node, kubelet: programs.kubelet, kubeProxy: programs['kube-proxy'] },
      nodeGraceSeconds: options.nodeGraceSeconds,
    });
    const toolEnv = { HOME: home.scratch, KUBECONFIG: kubeconfig, PATH: process.env['PATH'] ?? '' };
    const tool = (program: string) => (args: readonly string[], input?: string) =>
      runCommand(program, args, { env: toolEnv, cwd: repositoryRoot, timeoutMs: 300_000, ...(input === undefined ? {} : { input }) });
    const chart = helmFor({ run: tool(programs.helm), client, app: path.join(repositoryRoot, 'dist') });
    const kubectl = tool(programs.kubectl);

    const bed: Nodes = {
      name: home.name,
      client,
      kubeconfig,
      controlPlane,
      audit: auditLog(controlPlane.auditLog),
      home,
      network,
      cgroups: cgroups.layout.version,
      machines,
      releases,
      publish,
      async addMachines(count, shared = {}, each = () => ({})) {
        const first = begun + 1;
        begun += count;
        const added = await Promise.all(
          Array.from({ length: count }, (_, offset) => startMachine(first + offset, { ...shared, ...each(offset) })),
        );
        for (const machine of added) machines.set(machine.name, machine);
        await note({ machines: [...machines.values()].map(({ name, index }) => ({ name, control: controlSocket(home, index) })) });
        await Promise.all(added.map(untilReady));
        return added;
      },
      machine(name) {
        const machine = machines.get(name);
        if (machine === undefined) throw new Error(`no machine ${name}; there are ${[...machines.keys()].join(', ') || 'none'}`);
        return machine;
      },
      async installChart({ values = {}, ...more } = {}) {
        if (ours === undefined) throw new Error('the bed was started without `image`');
        const [tag = ''] = ours.name.split(':').slice(-1);
        const image = { repository: ours.name.slice(0, -tag.length - 1), tag };
        await chart.install({ values: { image, ...values }, ...more });
      },
      uninstallChart: chart.uninstall,
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
        controlPlane.resumeApiServer();
        for (const history of histories) history.stop();
        const ended = await Promise.allSettled([...machines.values()].map((machine) => machine.stop()));
        const wrong = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
        if (keepLogs || wrong.length > 0) await Promise.all([...machines.values()].map((machine) => machine.keepPodLogs()));
        network.close();
        ended.push(...(await Promise.allSettled([controlPlane.stop({ keepLogs: keepLogs || wrong.length > 0 })])));
        ended.push(...(await Promise.allSettled([reaper.close()])));
        const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
        if (failures.length > 0) throw new AggregateError(failures, `the bed ${home.name} itself failed; its logs are in ${home.out}`);
      },
    };
    const { nodes = 3, machine = {}, each = () => ({}) } = options;
    await bed.addMachines(nodes, machine, each);
    await note({ kubeconfig, ready: true });
    return bed;

    async function publish(...more: Release[]): Promise<void> {
      releases.push(...more);
      await writeFile(`${repositoryFile}.new`, JSON.stringify(releases));
      await rename(`${repositoryFile}.new`, repositoryFile);
    }
  }
}

async function archived(archive: string): Promise<ArchivedImage> {
  return { name: await nameIn(archive), archive: path.resolve(archive) };
}

/** What the bed's jest environment has noted about the file that runs. */
function testHasFailed(): boolean {
  return (globalThis as { bedTestFailed?: boolean }).bedTestFailed === true;
}

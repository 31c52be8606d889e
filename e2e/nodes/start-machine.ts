import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Api } from '../bed/api.ts';
import { runCommand } from '../bed/command.ts';
import type { TokenUser } from '../bed/control-plane.ts';
import { eventually } from '../bed/eventually.ts';
import { type Home, tail } from '../bed/home.ts';
import type { NodeObject } from '../bed/node-object.ts';
import type { HostTimings } from '../host/host.ts';
import { gatewayAddress, mostMachines } from './addresses.ts';
import type { BedCgroups } from './cgroups.ts';
import { writeMachineFiles } from './files.ts';
import type { ImageStore } from './image-store.ts';
import type { MachineSettings } from './machine/settings.ts';
import { type RealMachine, realMachine } from './machine.ts';
import type { BedNetwork } from './network.ts';
import { systemPath } from './requirements.ts';

export interface RealMachineOptions {
  /** The OS's version at first; 1.26.0 unless told. */
  readonly version?: string;
  readonly variant?: string;
  readonly zone?: string;
  readonly timings?: Partial<HostTimings>;
  readonly seed?: number;
  /** What the Node says that it runs instead of the host's version: a machine of another OS. */
  readonly osImage?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Versions of the OS that break its pods' network: what runs over the host's own does not notice. */
  readonly noPodNetworkOn?: readonly string[];
  /** Over the kubelet's configuration. */
  readonly kubelet?: object;
}

export interface MachineRoomParts {
  readonly home: Home;
  readonly api: Api;
  readonly network: BedNetwork;
  readonly cgroups: BedCgroups;
  readonly images: ImageStore;
  readonly users: MachineUsers;
  /** The update repository's file. */
  readonly repository: string;
  /** The folder with the network plugins. */
  readonly plugins: string;
  readonly programs: { readonly node: string; readonly kubelet: string; readonly kubeProxy: string };
  /** See `ControlPlaneOptions`. */
  readonly nodeGraceSeconds: number | undefined;
}

/** Who machines are to the API server: each kubelet by its node's name, and kube-proxy. */
export interface MachineUsers {
  readonly kubelets: readonly TokenUser[];
  readonly proxy: TokenUser;
}

/** A machine did not come up; the message ends with the log of what failed. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
}

const zones = ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'] as const;
const readyTimeoutMs = 120_000;
const main = fileURLToPath(new URL('machine/main.ts', import.meta.url));
const env = { PATH: systemPath.join(':') };

export const machineName = (index: number): string => `node-${index}`;

/** The control socket of the machine with this number. */
export const controlSocket = (home: Pick<Home, 'scratch'>, index: number): string => path.join(home.scratch, 'm', `${index}.sock`);

/** The API server reads its users at its start, so there are some for machines that come later. */
export function machineUsers(atLeast: number): MachineUsers {
  const user = (name: string, group: string) => ({ token: randomBytes(24).toString('hex'), name, groups: [group] });
  const kubelets = Array.from({ length: Math.min(mostMachines, Math.max(30, atLeast)) }, (_, index) =>
    user(`system:node:${machineName(index + 1)}`, 'system:nodes'),
  );
  return { kubelets, proxy: user('system:kube-proxy', 'system:node-proxiers') };
}

/** Returns what starts a machine, up to its first boot; its Node may not be there yet. */
export async function openMachineRoom(parts: MachineRoomParts) {
  const { home, api, network, cgroups, users, nodeGraceSeconds } = parts;
  const containerSpec = await runCommand('ctr', ['oci', 'spec'], { cwd: '/', env, timeoutMs: 30_000 });
  const { ca } = api.access;
  const server = `https://${gatewayAddress}:${new URL(api.access.server).port}`;
  await mkdir(path.join(home.scratch, 'm'));

  /** @throws MachineError */
  return async (index: number, asked: RealMachineOptions): Promise<RealMachine> => {
    const name = machineName(index);
    const user = users.kubelets[index - 1];
    if (user === undefined) throw new MachineError(`a bed has at most ${users.kubelets.length} machines`);
    const folder = path.join(home.scratch, 'm', String(index));
    await mkdir(folder);
    const { cgroupRoot, folders } = await cgroups.addNode(name);
    const settings = settingsOf(index, asked, folder, folders);
    const settingsFile = await writeMachineFiles({
      settings,
      cgroupRoot,
      kubelet: { server, ca, token: user.token },
      kubeProxy: { server, ca, token: users.proxy.token },
      plugins: parts.plugins,
      containerSpec,
      // It renews its lease four times in that time.
      kubeletConfiguration: { ...(nodeGraceSeconds === undefined ? {} : { nodeLeaseDurationSeconds: nodeGraceSeconds }), ...asked.kubelet },
    });
    await parts.images.copyTo(path.join(folder, 'containerd'));
    const [command = '', ...enter] = network.enter;
    const child = await home.children.spawn({
      name,
      command,
      args: [...enter, 'unshare', '--mount', '--propagation', 'private', '--', parts.programs.node, main, settingsFile],
      env,
      log: home.log(`${name}.machine`),
    });
    const machine = realMachine({ settings, process: child, api });
    const given = new AbortController();
    void child.ended.then(() => given.abort());
    try {
      await eventually(() => machine.state(), { signal: given.signal });
    } catch (cause) {
      throw new MachineError(`${name} did not start; ${child.log} ends with\n${await tail(child.log)}`, { cause });
    }
    return machine;
  };

  function settingsOf(index: number, asked: RealMachineOptions, folder: string, cgroupFolders: readonly string[]): MachineSettings {
    const { version = '1.26.0', variant = 'aws-k8s-1.31', zone = zones[(index - 1) % zones.length] ?? zones[0] } = asked;
    const { kubelet, kubeProxy } = parts.programs;
    return {
      name: machineName(index),
      index,
      folder,
      logs: path.join(home.out, machineName(index)),
      control: controlSocket(home, index),
      repository: parts.repository,
      cgroups: [...cgroupFolders],
      os: { version, variant, arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64' },
      osImage: asked.osImage,
      noPodNetworkOn: [...(asked.noPodNetworkOn ?? [])],
      timings: { bootMs: 1000, ...asked.timings },
      seed: asked.seed,
      kubernetesSettings: {
        'api-server': server,
        'cluster-certificate': Buffer.from(ca ?? '').toString('base64'),
        'cluster-dns-ip': '10.96.0.10',
        'cluster-name': 'bed',
      },
      labels: { 'topology.kubernetes.io/zone': zone, 'topology.kubernetes.io/region': zone.replace(/[a-z]$/, ''), ...asked.labels },
      programs: { kubelet, kubeProxy },
    };
  }
}

/** @throws MachineError where its kubelet does not report in time */
export async function untilReady(machine: RealMachine): Promise<void> {
  try {
    await eventually(async () => isReady(await machine.node()), { timeoutMs: readyTimeoutMs, intervalMs: 100 });
  } catch (cause) {
    const logs = await Promise.all((['boot', 'kubelet'] as const).map((of) => tail(machine.log(of))));
    throw new MachineError(`${machine.name} was not Ready; ${machine.log('boot')} and its kubelet's log end with\n${logs.join('\n--\n')}`, {
      cause,
    });
  }
}

/** Whether its kubelet says so, and somebody still hears it. */
export function isReady(node: NodeObject): boolean {
  return node.status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}

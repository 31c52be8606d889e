import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type HostOptions, type Release, type Repository, SimulatedHost } from '../host/host.ts';
import type { Api } from './api.ts';
import { binaries } from './binaries.ts';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
import { eventually } from './eventually.ts';
import { openHome } from './home.ts';
import { startKwok } from './kwok.ts';
import { Machine, type MachineOptions } from './machine.ts';

export interface BedOptions extends Pick<ControlPlaneOptions, 'name' | 'dir' | 'features' | 'controllerQps'> {
  /** What the update repository holds at first. */
  readonly releases?: readonly Release[];
  /** Seconds; longer for thousands of nodes. */
  readonly leaseSeconds?: number;
}

export type BedMachineOptions = MachineOptions & {
  readonly host?: Partial<Omit<HostOptions, 'socketPath' | 'bootIDFile' | 'os' | 'repository'>>;
};

/** A cluster to test on: a real control plane, simulated machines, and our programs as processes. */
export interface Bed {
  readonly name: string;
  /** As a member of system:masters. */
  readonly client: Api;
  readonly kubeconfig: string;
  readonly controlPlane: ControlPlane;
  /** Shared by all hosts; a release added to it is seen at the next refresh. */
  readonly repository: Repository;
  readonly machines: ReadonlyMap<string, Machine>;
  addMachine(options: BedMachineOptions): Promise<Machine>;
  /** Adds machines named `node-1`, `node-2`, … over three zones; `each` changes one of them. */
  addMachines(
    count: number,
    options?: Omit<BedMachineOptions, 'name'>,
    each?: (index: number) => Partial<BedMachineOptions>,
  ): Promise<Machine[]>;
  /** @throws Error where there is none of that name */
  machine(name: string): Machine;
  eventually: typeof eventually;
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

const zones = ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'] as const;

/** Starts a bed without machines; several may run side by side. */
export async function startBed(options: BedOptions = {}): Promise<Bed> {
  const programs = await binaries();
  const home = await openHome(options);
  const controlPlane = await startControlPlane({ ...options, home, binaries: programs });
  const repository: Repository = { releases: [...(options.releases ?? [])] };
  const machines = new Map<string, Machine>();
  let added = 0;
  const kubelet = controlPlane.client.as({ userAgent: 'bed', token: controlPlane.accessOf('bed').token ?? '' });
  await mkdir(path.join(home.scratch, 'm'));
  await startKwok(home, {
    program: programs.kwok,
    kubeconfig: controlPlane.kubeconfigOf('kwok'),
    ...(options.leaseSeconds === undefined ? {} : { leaseSeconds: options.leaseSeconds }),
  });

  const bed: Bed = {
    name: home.name,
    client: controlPlane.client,
    kubeconfig: controlPlane.kubeconfig,
    controlPlane,
    repository,
    machines,
    eventually,
    async addMachine({ host: hostOptions, ...machineOptions }) {
      const index = ++added;
      const socketPath = path.join(home.scratch, 'm', `${index}.sock`);
      const bootIDFile = path.join(home.scratch, 'm', `${index}.boot-id`);
      const { version = '1.26.0', variant = 'aws-k8s-1.31', arch = 'x86_64' } = machineOptions;
      const host =
        machineOptions.osImage === undefined
          ? new SimulatedHost({ ...hostOptions, socketPath, bootIDFile, os: { version, variant, arch }, repository })
          : undefined;
      const machine = new Machine(machineOptions, {
        api: kubelet,
        processes: { nodeDown: async () => undefined, nodeUp: () => undefined, renewTokens: () => undefined },
        index,
        host,
        socketPath,
        bootIDFile,
      });
      machines.set(machine.name, machine);
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
    async stop(how) {
      await Promise.all([...machines.values()].map((machine) => machine.stop()));
      await controlPlane.stop(how);
    },
  };
  return bed;
}

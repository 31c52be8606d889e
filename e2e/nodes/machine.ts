import { cp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Api } from '../bed/api.ts';
import type { Child } from '../bed/children.ts';
import { runCommand } from '../bed/command.ts';
import type { NodeObject } from '../bed/node-object.ts';
import type { FaultName } from '../host/faults.ts';
import type { HostTimings, RequestRecord } from '../host/host.ts';
import { type Ask, asker } from '../host/test-host.ts';
import { addressesOf } from './addresses.ts';
import { tell } from './control-client.ts';
import type { MachineState } from './machine/control.ts';
import type { MachineSettings } from './machine/settings.ts';
import { systemPath } from './requirements.ts';

/** What a machine runs by itself, and starts again when it ends. */
export type MachineProgram = 'containerd' | 'kubelet' | 'kube-proxy';

/** The simulated host inside a machine, from outside; it means what SimulatedHost's methods of the same names mean. */
export interface RemoteHost {
  readonly faults: {
    /** `Infinity`: until disarmed. */
    arm(name: FaultName, times?: number): Promise<void>;
    disarm(name?: FaultName): Promise<void>;
  };
  setTimings(timings: Partial<HostTimings>): Promise<void>;
  /** Asks the host's own API, on the socket that pods find at /run/api.sock. */
  readonly ask: Ask;
  requests(): Promise<RequestRecord[]>;
  release(): Promise<void>;
  killSocket(): Promise<void>;
  removeSocket(): Promise<void>;
  reviveSocket(): Promise<void>;
}

/** A real kubelet on real containers, on a machine that reboots. */
export interface RealMachine {
  readonly name: string;
  readonly index: number;
  /** Its address in the bed's network. */
  readonly address: string;
  /** Of its Node in the API. */
  readonly path: string;
  readonly host: RemoteHost;
  node(): Promise<NodeObject>;
  state(): Promise<MachineState>;
  /** How often it has booted since its first time. */
  rebootCount(): Promise<number>;
  /** Somebody else's hand; settles when the next boot has begun, or the machine is down to stay. */
  reboot(): Promise<MachineState>;
  /** Settles when nothing of what ran there is left. */
  powerOff(): Promise<MachineState>;
  powerOn(): Promise<MachineState>;
  /** A program that ends is not started again, not after a reboot either, until it is let go. */
  hold(program: MachineProgram): Promise<void>;
  letGo(program: MachineProgram): Promise<void>;
  /** Runs something on the machine, seeing what its programs see. @throws CommandError */
  run(command: string, ...args: string[]): Promise<string>;
  /** The log file of `boot`, `machine` (the host's requests) or of one of its programs. */
  log(of: MachineProgram | 'boot' | 'machine'): string;
  /** Copies what its pods' containers have written (those that are still there) beside its own logs. */
  keepPodLogs(): Promise<void>;
  /** Ends it for good; its Node stays. */
  stop(): Promise<void>;
}

export interface RealMachineParts {
  readonly settings: MachineSettings;
  readonly process: Child;
  readonly api: Api;
}

const endMs = 20_000;

export function realMachine({ settings, process: child, api }: RealMachineParts): RealMachine {
  const { name, index, control, folder, logs } = settings;
  const nodePath = `/api/v1/nodes/${name}`;
  const post = <T = MachineState>(what: string, body?: unknown) => tell<T>(control, 'POST', what, body);
  const state = () => tell<MachineState>(control, 'GET', '/state');
  const socket = async (action: 'kill' | 'remove' | 'revive') => {
    await post('/socket', { action });
  };
  const holdFile = (program: MachineProgram) => path.join(folder, `hold.${program}`);

  return {
    name,
    index,
    address: addressesOf(index).address,
    path: nodePath,
    node: () => api.get<NodeObject>(nodePath),
    state,
    rebootCount: async () => (await state()).rebootCount,
    reboot: () => post('/reboot'),
    powerOff: () => post('/power-off'),
    powerOn: () => post('/power-on'),
    hold: (program) => writeFile(holdFile(program), ''),
    letGo: (program) => rm(holdFile(program), { force: true }),
    async run(command, ...args) {
      const { process: pid } = await state();
      if (pid === undefined) throw new Error(`${name} is powered off`);
      const inside = ['--target', String(pid), '--mount', '--uts', '--ipc', '--net', '--pid', '--'];
      return runCommand('nsenter', [...inside, command, ...args], { cwd: '/', env: { PATH: systemPath.join(':') }, timeoutMs: 60_000 });
    },
    log: (of) => (of === 'machine' ? child.log : `${logs}.${of}.log`),
    keepPodLogs: () => cp(path.join(folder, 'pods'), `${logs}.pods`, { recursive: true }),
    async stop() {
      if (!child.running) return;
      await post('/end').catch(() => undefined);
      await child.stop(endMs);
    },
    host: {
      faults: {
        async arm(fault, times = 1) {
          await post('/arm', { name: fault, times: times === Number.POSITIVE_INFINITY ? 'always' : times });
        },
        async disarm(fault) {
          await post('/disarm', fault === undefined ? {} : { name: fault });
        },
      },
      async setTimings(timings) {
        await post('/timings', timings);
      },
      // The machine's own view of its files.
      ask: asker(`/proc/${child.pid}/root/run/api.sock`),
      async requests() {
        const records = await tell<(Omit<RequestRecord, 'at'> & { at: string })[]>(control, 'GET', '/requests');
        return records.map((record) => ({ ...record, at: new Date(record.at) }));
      },
      async release() {
        await post('/release');
      },
      killSocket: () => socket('kill'),
      removeSocket: () => socket('remove'),
      reviveSocket: () => socket('revive'),
    },
  };
}

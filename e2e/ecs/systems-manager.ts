import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SimulatedHost } from '../host/host.ts';
import type { AwsFault, Json } from './stand-in.ts';

const programs = fileURLToPath(new URL('bin', import.meta.url));

/** A host that Systems Manager reaches. */
export interface ManagedHost {
  readonly host: SimulatedHost;
  readonly folder: string;
  readonly socketPath: string;
  readonly bootIDFile: string;
}

interface Invocation {
  readonly instance: string;
  status: 'Pending' | 'InProgress' | 'Success' | 'Failed' | 'TimedOut';
  output: string;
  errors: string;
}

/** Runs the shell scripts of SendCommand against simulated hosts, as their control containers would. */
export class SystemsManager {
  readonly #hosts: ReadonlyMap<string, ManagedHost>;
  readonly #invocations = new Map<string, Invocation>();
  readonly #running = new Map<string, Set<ChildProcess>>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(hosts: ReadonlyMap<string, ManagedHost>) {
    this.#hosts = hosts;
    for (const [instance, { host, folder }] of hosts) {
      host.on('rebooting', () => {
        // Whatever ran there ends with its boot, and with it what its containers kept.
        for (const child of this.#running.get(instance) ?? []) child.kill('SIGKILL');
        rmSync(path.join(folder, 'tmp'), { recursive: true, force: true });
      });
      host.on('booted', () => {
        const waiting = [...(this.#waiting.get(instance) ?? [])];
        this.#waiting.delete(instance);
        for (const deliver of waiting) deliver();
      });
    }
  }

  send(input: Json): Json | AwsFault {
    const {
      InstanceIds = [],
      Parameters,
      TimeoutSeconds = 3_600,
    } = input as {
      InstanceIds?: string[];
      Parameters?: { commands?: string[] };
      TimeoutSeconds?: number;
    };
    const [instance = ''] = InstanceIds;
    const managed = this.#hosts.get(instance);
    if (managed === undefined || InstanceIds.length !== 1) return { status: 400, code: 'InvalidInstanceId', message: '' };
    const id = randomUUID();
    const invocation: Invocation = { instance, status: 'Pending', output: '', errors: '' };
    this.#invocations.set(id, invocation);
    const script = (Parameters?.commands ?? []).join('\n');
    const deliver = (): void => {
      if (invocation.status === 'Pending') this.#run(managed, invocation, script);
    };
    if (managed.host.running) deliver();
    else {
      const waiting = this.#waiting.get(instance) ?? new Set();
      this.#waiting.set(instance, waiting.add(deliver));
      const timer = setTimeout(() => {
        if (invocation.status === 'Pending') invocation.status = 'TimedOut';
      }, TimeoutSeconds * 1000);
      timer.unref();
    }
    return { Command: { CommandId: id, InstanceIds: [instance], Status: 'Pending' } };
  }

  result(input: Json): Json | AwsFault {
    const { CommandId = '' } = input as { CommandId?: string };
    const invocation = this.#invocations.get(CommandId);
    if (invocation === undefined) return { status: 400, code: 'InvocationDoesNotExist', message: '' };
    const { status, output, errors, instance } = invocation;
    const ended = status !== 'Pending' && status !== 'InProgress';
    return {
      CommandId,
      InstanceId: instance,
      Status: status,
      StandardOutputContent: ended ? output.slice(0, 24_000) : '',
      StandardErrorContent: ended ? errors.slice(0, 8_000) : '',
    };
  }

  /** Ends all that runs. */
  close(): void {
    for (const children of this.#running.values()) for (const child of children) child.kill('SIGKILL');
  }

  #run({ folder, socketPath, bootIDFile }: ManagedHost, invocation: Invocation, script: string): void {
    const temporary = path.join(folder, 'tmp');
    mkdirSync(temporary, { recursive: true });
    invocation.status = 'InProgress';
    const child = spawn('/bin/sh', ['-c', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: `${programs}:/usr/bin:/bin`, TMPDIR: temporary, API_SOCKET: socketPath, BOOT_ID_FILE: bootIDFile },
    });
    const children = this.#running.get(invocation.instance) ?? new Set();
    this.#running.set(invocation.instance, children.add(child));
    child.stdout.on('data', (chunk: Buffer) => {
      invocation.output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      invocation.errors += chunk.toString();
    });
    child.on('close', (code, signal) => {
      children.delete(child);
      // Of one that a reboot has cut off nobody hears any more.
      if (signal === null) invocation.status = code === 0 ? 'Success' : 'Failed';
    });
  }
}

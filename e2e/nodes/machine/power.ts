import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface PowerOptions {
  /** Where a boot runs, and the files that it reads. */
  readonly folder: string;
  /** The file that its own words are appended to. */
  readonly log: string;
  readonly env: Readonly<Record<string, string>>;
  /** The kubelet's folders in the cgroup trees. */
  readonly cgroups: readonly string[];
  /** The end of the machine's cable that is in the network of this process. */
  readonly cable: string;
  /** In /run, what a boot begins with. */
  readonly kept: readonly string[];
  /** A boot has ended that nobody ended: its process 1 is gone. */
  readonly onPanic: () => void;
}

/** What runs on a machine: nothing, or one boot. */
export interface Power {
  /** Begins a boot; the one before must have been ended. */
  on(): Promise<void>;
  /** Ends the boot as a cut of the power does; settles when nothing of it is left. */
  off(): Promise<void>;
  /** The number of the boot's process 1, as seen from outside; undefined while the power is off. */
  readonly process: number | undefined;
}

const script = fileURLToPath(new URL('boot.sh', import.meta.url));
/** User and mount namespaces aside: process 1 and what it can see. */
const namespaces = ['--pid', '--net', '--uts', '--ipc', '--mount', '--propagation', 'private', '--fork', '--kill-child', '--mount-proc'];
const cgroupTimeoutMs = 10_000;

export function createPower(options: PowerOptions): Power {
  let boot: ChildProcess | undefined;

  return {
    get process() {
      return boot?.pid === undefined ? undefined : firstChild(boot.pid);
    },
    async on() {
      // Where they outlive a boot, the next kubelet takes their pods for running ones and is late.
      for (const folder of options.cgroups) await removeCgroupsIn(folder);
      for (const entry of readdirSync('/run')) {
        if (!options.kept.includes(entry)) rmSync(path.join('/run', entry), { recursive: true, force: true });
      }
      const log = openSync(options.log, 'a');
      const cable = openSync('/proc/self/ns/net', 'r');
      try {
        const started = spawn('unshare', [...namespaces, '--', '/bin/sh', script], {
          cwd: options.folder,
          env: { ...options.env },
          // This process's own group is the host API's.
          gid: 0,
          uid: 0,
          stdio: ['ignore', log, log, cable, 'pipe'],
        });
        boot = started;
        started.stdio[4]?.on('error', () => undefined);
        started.once('exit', () => {
          if (boot !== started) return;
          boot = undefined;
          options.onPanic();
        });
        await once(started, 'spawn');
      } finally {
        closeSync(log);
        closeSync(cable);
      }
    },
    async off() {
      const ending = boot;
      if (ending === undefined) return;
      boot = undefined;
      const ended = once(ending, 'exit');
      ending.stdio[4]?.destroy();
      await ended;
      unplug(options.cable);
    },
  };
}

/** The kernel takes its time with the network of a boot that has ended, and kube-proxy's rules in it forward until then. */
function unplug(cable: string): void {
  spawnSync('ip', ['link', 'del', cable], { stdio: 'ignore' });
}

function firstChild(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]) || undefined;
  } catch {
    return undefined;
  }
}

/** Removes the folders below this one; the kernel may need a moment for their last processes. */
async function removeCgroupsIn(folder: string): Promise<void> {
  const deadline = performance.now() + cgroupTimeoutMs;
  for (;;) {
    try {
      removeBelow(folder);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || performance.now() > deadline) throw error;
    }
    await sleep(20);
  }
}

function removeBelow(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const below = path.join(folder, entry.name);
    removeBelow(below);
    rmdirSync(below);
  }
}

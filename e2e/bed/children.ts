import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';

export interface Spawn {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The file that stdout and stderr are appended to. */
  readonly log: string;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running program of the bed's, the leader of a process group of its own. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  readonly running: boolean;
  /** Settles when the program has ended; never rejects. */
  readonly ended: Promise<Ending>;
  /** Sends a signal to the whole group; nothing happens where it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** SIGSTOP; settles when none of its threads does anything more, until a SIGCONT. */
  freeze(): Promise<void>;
  /** SIGTERM, and SIGKILL where the program has not ended `graceMs` later (because it is stopped, say); with 0, SIGKILL at once. */
  stop(graceMs: number): Promise<Ending>;
}

/** The programs that one bed has started. They end with the bed's process, even where that is killed by SIGKILL. */
export interface Children {
  /** @throws SpawnError where the program cannot be started. */
  spawn(what: Spawn): Promise<Child>;
  readonly running: readonly Child[];
  /** Kills what still runs, and removes the scratch folder. */
  close(): Promise<void>;
}

/** A program could not be started at all; a retry does not help. */
export class SpawnError extends Error {
  override readonly name = 'SpawnError';
}

const watchdogScript = fileURLToPath(new URL('watchdog.sh', import.meta.url));

/**
 * @param scratch removed at the end, by the watchdog where this process cannot do it any more
 */
export function createChildren(scratch: string): Children {
  const children = new Set<Child>();
  const watchdog = startWatchdog(scratch);

  return {
    async spawn(what) {
      const child = await start(what, watchdog.tell);
      children.add(child);
      void child.ended.then(() => children.delete(child));
      return child;
    },
    get running() {
      return [...children];
    },
    async close() {
      await Promise.all([...children].map((child) => child.stop(0)));
      await watchdog.close();
    },
  };
}

async function start(what: Spawn, tell: (line: string) => void): Promise<Child> {
  const log = openSync(what.log, 'a');
  let process_: ChildProcess;
  try {
    process_ = spawn(what.command, what.args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...what.env },
      ...(what.cwd === undefined ? {} : { cwd: what.cwd }),
    });
  } finally {
    closeSync(log);
  }
  const { pid } = process_;
  if (pid === undefined) {
    const [error] = await once(process_, 'error');
    throw new SpawnError(`cannot start ${what.name} (${what.command})`, { cause: error });
  }
  tell(`group ${pid}`);

  let running = true;
  const ended = new Promise<Ending>((resolve) => {
    process_.once('exit', (code, signal) => {
      // What it has left behind goes with it: the group's number stays taken while a member lives.
      killGroup(pid, 'SIGKILL');
      tell(`gone ${pid}`);
      running = false;
      resolve({ code, signal });
    });
  });
  process_.unref();

  return {
    name: what.name,
    pid,
    log: what.log,
    ended,
    get running() {
      return running;
    },
    signal(signal) {
      if (running) killGroup(pid, signal);
    },
    async freeze() {
      killGroup(pid, 'SIGSTOP');
      await eventually(() => isStopped(pid));
    },
    async stop(graceMs) {
      if (!running) return ended;
      process_.ref();
      if (graceMs <= 0) {
        killGroup(pid, 'SIGKILL');
        return ended;
      }
      killGroup(pid, 'SIGTERM');
      const timer = setTimeout(() => killGroup(pid, 'SIGKILL'), graceMs);
      try {
        return await ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Whether each thread of a process is stopped, by the kernel's word: a signal takes a while where the machine is busy. */
async function isStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`);
  const states = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')));
  return states.every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('T'));
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function startWatchdog(scratch: string): { tell(line: string): void; close(): Promise<void> } {
  const script = spawn('/bin/sh', [watchdogScript], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const pipe = script.stdin as Writable & { unref?: () => void };
  const ended = once(script, 'exit');
  pipe.on('error', () => undefined);
  pipe.unref?.();
  script.unref();
  const tell = (line: string) => {
    pipe.write(`${line}\n`);
  };
  tell(`folder ${scratch}`);
  return {
    tell,
    async close() {
      script.ref();
      pipe.end();
      await ended;
    },
  };
}

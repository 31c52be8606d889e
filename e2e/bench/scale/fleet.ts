import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ApiAccess } from '../../bed/api.ts';
import type { Home } from '../../bed/home.ts';
import type { PodObject } from '../../bed/pod-object.ts';
import type { Release } from '../../host/host.ts';
import type { Call, FleetCalls, FleetStart, FleetTraffic, Reply } from './fleet-messages.ts';

export interface FleetOptions {
  readonly home: Home;
  readonly access: ApiAccess;
  readonly nodes: FleetStart['nodes'];
  readonly nodesPerProcess: number;
  readonly version: string;
  readonly releases: readonly Release[];
  readonly heartbeatMs: number;
  /** A process has failed: nothing that is measured counts any more. */
  readonly onError: (error: Error) => void;
}

/** Simulated nodes with their agents, some hundred in a process. */
export interface Fleet {
  readonly pids: readonly number[];
  /** Runs the agents of these pods, each on its node; not all at one moment, as no cluster's kubelets would. */
  adopt(pods: readonly PodObject[]): Promise<void>;
  release(releases: readonly Release[]): Promise<void>;
  traffic(): Promise<FleetTraffic>;
  /** Ends all of them. */
  stop(): Promise<void>;
}

const startedPerSecond = 25;
const program = fileURLToPath(new URL('fleet-process.ts', import.meta.url));

/** Starts the processes, and registers the nodes, one process after the other. They end with this one, however that ends. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { home, nodes, nodesPerProcess, access, version, releases, heartbeatMs, onError } = options;
  const scratch = path.join(home.scratch, 'f');
  await mkdir(scratch);
  const parts = Array.from({ length: Math.ceil(nodes.length / nodesPerProcess) }, (_, index) => ({
    process: new FleetProcess(home.log(`fleet-${index + 1}`), onError),
    nodes: nodes.slice(index * nodesPerProcess, (index + 1) * nodesPerProcess),
  }));
  const stop = async () => void (await Promise.all(parts.map(({ process }) => process.stop())));
  try {
    for (const { process, nodes } of parts) await process.call('start', { access, nodes, version, releases, scratch, heartbeatMs });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pids: parts.map(({ process }) => process.pid),
    async adopt(pods) {
      const byNode = new Map(pods.map((pod) => [pod.spec.nodeName ?? '', pod]));
      for (const { process, nodes } of parts) {
        const theirs = nodes.flatMap(({ name }) => byNode.get(name) ?? []);
        for (let index = 0; index < theirs.length; index += startedPerSecond) {
          await process.call('adopt', theirs.slice(index, index + startedPerSecond));
          await sleep(1_000);
        }
      }
    },
    async release(releases) {
      await Promise.all(parts.map(({ process }) => process.call('release', releases)));
    },
    async traffic() {
      const all = await Promise.all(parts.map(({ process }) => process.call('traffic', undefined)));
      const sum = (key: keyof FleetTraffic) => all.reduce((sum, one) => sum + one[key], 0);
      return { toServer: sum('toServer'), fromServer: sum('fromServer'), running: sum('running'), failed: sum('failed') };
    },
    stop,
  };
}

class FleetProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #calls = 0;
  #stopping = false;

  constructor(log: string, onError: (error: Error) => void) {
    const file = openSync(log, 'a');
    this.#child = fork(program, [], { stdio: ['ignore', file, file, 'ipc'], execArgv: ['--disable-warning=ExperimentalWarning'] });
    closeSync(file);
    this.#child.on('message', (reply: Reply) => {
      const waiting = reply.id === undefined ? undefined : this.#waiting.get(reply.id);
      if (reply.id !== undefined) this.#waiting.delete(reply.id);
      if (!('error' in reply)) waiting?.resolve(reply.value);
      else if (waiting === undefined) onError(new Error(`${log}: ${reply.error}`));
      else waiting.reject(new Error(`${log}: ${reply.error}`));
    });
    this.#child.on('exit', (code, signal) => {
      const error = new Error(`a process of simulated nodes ended by itself (${signal ?? code}); see ${log}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      if (!this.#stopping) onError(error);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<K extends keyof FleetCalls>(name: K, argument: Parameters<FleetCalls[K]>[0]): Promise<ReturnType<FleetCalls[K]>> {
    const waiting = Promise.withResolvers<unknown>();
    const id = ++this.#calls;
    this.#waiting.set(id, waiting);
    const call: Call<K> = { id, name, argument };
    this.#child.send(call, (error) => {
      if (error !== null) waiting.reject(error);
    });
    return waiting.promise as Promise<ReturnType<FleetCalls[K]>>;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

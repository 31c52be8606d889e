import path from 'node:path';
import type { Api } from './api.ts';
import { follow } from './follow.ts';
import type { GateState } from './gate.ts';
import type { Home } from './home.ts';
import type { Machine, NodeProcesses } from './machine.ts';
import type { PodObject } from './pod-object.ts';
import { PodProcess } from './pod-process.ts';

export const oursSelector = 'app.kubernetes.io/part-of=lockkeeper';
const componentLabel = 'app.kubernetes.io/component';

export interface PodRunnerOptions {
  readonly home: Home;
  /** As the bed, with the kubelets' part in mind. */
  readonly api: Api;
  readonly machines: ReadonlyMap<string, Machine>;
  /** Where the API server's service address leads for a component of ours. */
  readonly serverFor: (component: string) => { readonly host: string; readonly port: number };
  /** The folder that stands for the image's /app. */
  readonly app: string;
  /** The program that stands for the image's `node`. */
  readonly node: string;
}

/** Plays the kubelet for our own pods: each is a real process, with the token, files and addresses that a container would have. */
export interface PodRunner extends NodeProcesses {
  /** All of them, or those of one component (`agent`, `controller`); also those that do not run right now. */
  processes(component?: string): PodProcess[];
  /** @throws Error where the node has none of that component */
  on(node: string, component: string): PodProcess;
  /** Cuts all processes of a node off from the API server's service address, or joins them again. */
  cut(node: string, state: GateState): void;
  /** Ends all of them. Throws what went wrong in the bed itself meanwhile. */
  stop(): Promise<void>;
}

export async function startPodRunner({ home, api, machines, serverFor, app, node }: PodRunnerOptions): Promise<PodRunner> {
  const ending = new AbortController();
  const processes = new Map<string, PodProcess>();
  const ends = new Set<Promise<void>>();
  const down = new Set<string>();
  const cuts = new Map<string, GateState>();
  const synced = Promise.withResolvers<void>();
  let started = 0;
  let failure: unknown;

  const following = follow<PodObject>(
    api,
    '/api/v1/pods',
    { labelSelector: oursSelector },
    ({ type, object }) => {
      if (type === 'DELETED') drop(object);
      else see(object);
    },
    ending.signal,
    () => synced.resolve(),
  );
  const onError = (error: unknown) => {
    failure ??= error;
    synced.reject(error);
  };
  following.catch(onError);
  await synced.promise;

  return {
    processes: (component) => [...processes.values()].filter((one) => component === undefined || one.component === component),
    on(name, component) {
      const found = [...processes.values()].find((one) => one.node === name && one.component === component);
      if (found === undefined) throw new Error(`${name} has no ${component}`);
      return found;
    },
    cut(name, state) {
      cuts.set(name, state);
      for (const one of onNode(name)) one.cut(state);
    },
    async nodeDown(name) {
      down.add(name);
      await Promise.all(onNode(name).map((one) => one.machineDown()));
    },
    nodeUp(name) {
      down.delete(name);
      for (const one of onNode(name)) one.machineUp();
    },
    async renewTokens(name) {
      await Promise.all(onNode(name).map((one) => one.renewTokens()));
    },
    async stop() {
      ending.abort();
      await Promise.all([...processes.values()].map((one) => one.end()));
      await Promise.all(ends);
      if (failure !== undefined) throw failure;
    },
  };

  function onNode(name: string): PodProcess[] {
    return [...processes.values()].filter((one) => one.node === name);
  }

  function see(pod: PodObject): void {
    const uid = pod.metadata.uid ?? '';
    const known = processes.get(uid);
    if (known !== undefined) known.update(pod);
    else if (isToRun(pod)) processes.set(uid, start(pod, uid));
  }

  function isToRun(pod: PodObject): boolean {
    const over = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    return pod.spec.nodeName !== undefined && machines.has(pod.spec.nodeName) && !over && !ending.signal.aborted;
  }

  function start(pod: PodObject, uid: string): PodProcess {
    const name = pod.spec.nodeName ?? '';
    const machine = machines.get(name);
    if (machine === undefined) throw new Error(`no machine ${name}`);
    const folder = path.join(home.scratch, 'p', String(++started));
    const one = new PodProcess(pod, {
      api,
      children: home.children,
      machine,
      server: serverFor(pod.metadata.labels?.[componentLabel] ?? ''),
      app,
      node,
      folder,
      onError,
      log: home.log(`pod-${pod.metadata.name}`),
      up: !down.has(name),
      gate: cuts.get(name) ?? 'open',
    });
    if (pod.metadata.deletionTimestamp !== undefined) one.update(pod);
    processes.set(uid, one);
    return one;
  }

  function drop(pod: PodObject): void {
    const uid = pod.metadata.uid ?? '';
    const one = processes.get(uid);
    if (one === undefined) return;
    processes.delete(uid);
    const end = one.end().finally(() => ends.delete(end));
    ends.add(end);
  }
}

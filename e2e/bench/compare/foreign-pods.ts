import path from 'node:path';
import type { Bed } from '../../bed/bed.ts';
import { follow } from '../../bed/follow.ts';
import type { PodObject } from '../../bed/pod-object.ts';
import type { Contender, ProgramSpec } from './contender.ts';
import { ForeignPod, type ProgramEnd } from './foreign-pod.ts';
import { makeHostRoot } from './host-root.ts';
import type { Values } from './placeholders.ts';

export type Part = 'controllers' | 'agents';

export interface ForeignPodsOptions {
  readonly bed: Bed;
  readonly contender: Contender;
  readonly values: Values;
  /** In which commands find kubectl, helm and this Node. */
  readonly path: string;
  /** What is wrong with the bed itself. */
  readonly onError: (error: unknown) => void;
}

/** The contender's programs: one process for each pod that the scheduler has put on a machine of the bed. */
export interface ForeignPods {
  /** Process groups that run now. */
  groups(part: Part): number[];
  /** Names of all pods that there have been. */
  readonly agentPods: ReadonlySet<string>;
  /** How often programs have ended by themselves. */
  readonly restarts: number;
  /** The last of them. */
  readonly lastEnd: ProgramEnd | undefined;
  /** The programs without a process. */
  readonly missing: readonly string[];
  stop(): Promise<void>;
}

const graceMs = 5_000;

/** Follows the pods of the contender's programs from now on. */
export async function startForeignPods(options: ForeignPodsOptions): Promise<ForeignPods> {
  const { bed, contender, values, path: searched, onError } = options;
  const { spec, folder: cwd } = contender;
  const ending = new AbortController();
  const pods = new Map<string, { readonly part: Part; readonly program: ProgramSpec; readonly pod: ForeignPod }>();
  const agentPods = new Set<string>();
  let restarts = 0;
  let lastEnd: ProgramEnd | undefined;
  const stopping = new Set<Promise<void>>();
  const down = new Set<string>();
  const roots = new Map<string, Promise<string>>();
  let started = 0;

  for (const machine of bed.machines.values()) {
    if (machine.facts.osImage.startsWith('Bottlerocket ')) {
      machine.host.on('rebooting', () => {
        down.add(machine.name);
        for (const pod of podsOn(machine.name)) pod.down();
      });
      machine.host.on('booted', () => {
        // A kubelet starts pods once it runs, and says so first.
        machine.settled().then(() => {
          down.delete(machine.name);
          for (const pod of podsOn(machine.name)) pod.up();
        }, onError);
      });
    }
  }
  const programs = [
    ...spec.controllers.map((program) => ({ part: 'controllers' as const, program })),
    ...spec.agents.map((program) => ({ part: 'agents' as const, program })),
  ];
  const following = programs.map(({ part, program }) => {
    const { namespace = spec.namespace, selector } = program;
    const synced = Promise.withResolvers<void>();
    const ended = follow<PodObject>(
      bed.client,
      `/api/v1/namespaces/${namespace}/pods`,
      { labelSelector: selector },
      ({ type, object }) => {
        const uid = object.metadata.uid ?? '';
        if (type === 'DELETED' || object.metadata.deletionTimestamp !== undefined) drop(uid);
        else if (!pods.has(uid) && bed.machines.has(object.spec.nodeName ?? '')) start(uid, object, part, program).catch(onError);
      },
      ending.signal,
      () => synced.resolve(),
    ).catch((error: unknown) => {
      synced.reject(error);
      onError(error);
    });
    return { synced: synced.promise, ended };
  });
  await Promise.all(following.map(({ synced }) => synced));

  return {
    groups: (part) => [...pods.values()].flatMap((one) => (one.part === part ? (one.pod.pid ?? []) : [])),
    agentPods,
    get restarts() {
      return restarts;
    },
    get lastEnd() {
      return lastEnd;
    },
    get missing() {
      const running = new Set([...pods.values()].filter(({ pod }) => pod.pid !== undefined).map(({ program }) => program));
      return programs.filter(({ program }) => !running.has(program)).map(({ program }) => program.name);
    },
    async stop() {
      ending.abort();
      for (const uid of [...pods.keys()]) drop(uid, 0);
      await Promise.all([...stopping, ...following.map(({ ended }) => ended)]);
    },
  };

  function podsOn(node: string): ForeignPod[] {
    return [...pods.values()].map(({ pod }) => pod).filter((pod) => pod.node === node);
  }

  async function start(uid: string, object: PodObject, part: Part, program: ProgramSpec): Promise<void> {
    const node = object.spec.nodeName ?? '';
    const number = ++started;
    if (part === 'agents') agentPods.add(object.metadata.name);
    const root = path.join(bed.home.scratch, 'r', node);
    const parts = { bed, program, values, cwd, folder: path.join(bed.home.scratch, 'q', String(number)), root, path: searched, onError };
    const onEnd = (end: ProgramEnd) => {
      restarts += 1;
      lastEnd = end;
    };
    // Entered at once, so that a second look at the pod does not start it twice.
    const pod = new ForeignPod(object, false, { ...parts, onEnd });
    pods.set(uid, { part, program, pod });
    await rootOf(node, root);
    if (!down.has(node)) pod.up();
  }

  function rootOf(node: string, root: string): Promise<string> {
    const known = roots.get(node) ?? makeHostRoot(root, bed.machine(node)).then(() => root);
    roots.set(node, known);
    return known;
  }

  function drop(uid: string, grace = graceMs): void {
    const one = pods.get(uid);
    if (one === undefined) return;
    pods.delete(uid);
    const end = one.pod.end(grace).finally(() => stopping.delete(end));
    stopping.add(end);
  }
}

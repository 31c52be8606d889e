import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeObject } from '../../bed/node-object.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';
import type { RealMachine } from '../machine.ts';
import type { BedNetwork } from '../network.ts';

/** How a client was served. */
export interface Served {
  readonly requests: number;
  readonly failed: readonly { readonly at: string; readonly node: string; readonly why: string }[];
  /** Who answered, by the pods' names. */
  readonly pods: ReadonlySet<string>;
}

export interface SteadyClient {
  /** How many have been answered by now. */
  readonly answered: number;
  stop(): Promise<Served>;
}

export interface SteadyClientParts {
  readonly network: BedNetwork;
  readonly history: WatchHistory<NodeObject>;
  readonly machines: readonly RealMachine[];
  readonly nodePort: number;
}

const excludingLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const workers = 3;
const pauseMs = 40;
const checkEveryMs = 250;
/** Every tenth request is on its way for so long. */
const slowMs = 500;

/**
 * A client out of the cluster that keeps requesting, through kube-proxy on all nodes in turn, as a load balancer in front of them
 * does: it sends nothing to a node with the label that takes it out, nor after that before a health check of its own has been
 * answered there. Each request is a new connection.
 */
export function keepRequesting({ network, history, machines, nodePort }: SteadyClientParts): SteadyClient {
  const ending = new AbortController();
  const failed: Served['failed'][number][] = [];
  const pods = new Set<string>();
  const healthy = new Set<string>();
  let requests = 0;
  let answered = 0;

  const get = async ({ address }: RealMachine, path: string) => {
    const { status, body } = await network.get(`http://${address}:${nodePort}${path}`);
    if (status !== 200) throw new Error(`status ${status}`);
    return body.trim();
  };
  const excluded = (name: string) => {
    const node = history.versions.findLast(({ object }) => object.metadata.name === name)?.object;
    return node?.metadata.labels === undefined || excludingLabel in node.metadata.labels;
  };

  const check = async (machine: RealMachine) => {
    while (!ending.signal.aborted) {
      const ok = await get(machine, '/').then(
        () => true,
        () => false,
      );
      if (ok && !excluded(machine.name)) healthy.add(machine.name);
      else healthy.delete(machine.name);
      await pause(checkEveryMs);
    }
  };

  const work = async () => {
    while (!ending.signal.aborted) {
      const usable = machines.filter(({ name }) => healthy.has(name) && !excluded(name));
      const number = ++requests;
      const machine = usable[number % usable.length];
      try {
        if (machine === undefined) throw new Error('no node is in rotation');
        pods.add(await get(machine, number % 10 === 0 ? `/?ms=${slowMs}` : '/'));
        answered += 1;
      } catch (error) {
        failed.push({ at: new Date().toISOString(), node: machine?.name ?? '', why: String(error) });
      }
      await pause(pauseMs);
    }
  };

  const pause = (ms: number) => sleep(ms, undefined, { signal: ending.signal }).catch(() => undefined);
  const checks = machines.map(check);
  // The first requests wait for the first checks.
  const works = Array.from({ length: workers }, async () => {
    while (healthy.size < machines.length && !ending.signal.aborted) await pause(checkEveryMs);
    await work();
  });

  return {
    get answered() {
      return answered;
    },
    async stop() {
      ending.abort();
      await Promise.all([...checks, ...works]);
      return { requests, failed, pods };
    },
  };
}

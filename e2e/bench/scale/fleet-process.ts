import path from 'node:path';
import { forEachBounded } from '../../../src/controller/bounded.ts';
import { type Api, createApi } from '../../bed/api.ts';
import { type Gate, openGate } from '../../bed/gate.ts';
import { Machine, type NodeProcesses } from '../../bed/machine.ts';
import { persist } from '../../bed/persist.ts';
import type { PodObject } from '../../bed/pod-object.ts';
import { type HostTimings, type Repository, SimulatedHost } from '../../host/host.ts';
import { AgentPod } from './agent-pod.ts';
import type { Call, FleetStart, FleetTraffic, Reply } from './fleet-messages.ts';

/** A host that needs no time at all: what is measured is ours. */
const noDelay: Partial<HostTimings> = { refreshMs: 0, prepareMs: 0, activateMs: 0, rebootCommandMs: 0, bootMs: 0, renderMs: 0 };
const variant = 'aws-k8s-1.31';
const atOnce = 16;

/** Plays some hundred nodes: their hosts, their kubelets' reports, and the real agents' code on them. */
class Fleet implements NodeProcesses {
  readonly #machines = new Map<string, Machine>();
  readonly #agents = new Map<string, AgentPod>();
  readonly #repository: Repository = { releases: [] };
  readonly #onError: (error: unknown) => void;
  #start: FleetStart | undefined;
  #api: Api | undefined;
  #gate: Gate | undefined;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  async start(start: FleetStart): Promise<void> {
    const api = createApi(start.access, 'bed');
    const { hostname, port } = new URL(start.access.server);
    this.#start = start;
    this.#api = api;
    this.#gate = await openGate({ host: hostname, port: Number(port) });
    const kubernetesSettings = {
      'api-server': `https://127.0.0.1:${this.#gate.port}`,
      'cluster-certificate': Buffer.from(start.access.ca ?? '').toString('base64'),
    };
    this.release(start.releases);
    await forEachBounded(start.nodes, atOnce, async ({ name, index, labels }) => {
      const socketPath = path.join(start.scratch, `${index}.sock`);
      const os = { version: start.version, variant, arch: 'x86_64' };
      const host = new SimulatedHost({ kubernetesSettings, socketPath, os, repository: this.#repository, timings: noDelay });
      const parts = { api, processes: this, index, host, socketPath, bootIDFile: '', onRemoved: () => undefined };
      // A host without delay is back before anybody could miss it.
      const machine = new Machine({ name, labels, version: start.version, variant, kubelet: { tooFastToNotice: true } }, parts);
      this.#machines.set(name, machine);
      await machine.start();
    });
    this.#beat(api, start);
  }

  async adopt(pods: readonly PodObject[]): Promise<void> {
    const { access } = this.#started();
    for (const pod of pods) {
      const machine = this.#machines.get(pod.spec.nodeName ?? '');
      if (machine === undefined || this.#agents.has(machine.name)) continue;
      const agent = new AgentPod(pod, {
        api: this.#api as Api,
        ip: machine.ip,
        server: new URL(`https://127.0.0.1:${this.#gate?.port}`),
        ca: access.ca ?? '',
        socketPath: machine.socketPath,
        bootID: () => machine.host.bootID,
        onError: this.#onError,
      });
      this.#agents.set(machine.name, agent);
      agent.up();
    }
  }

  release(releases: FleetStart['releases']): void {
    this.#repository.releases.splice(0, this.#repository.releases.length, ...releases);
  }

  traffic(): FleetTraffic {
    const agents = [...this.#agents.values()];
    const running = agents.filter((agent) => agent.running).length;
    const failed = agents.reduce((sum, agent) => sum + agent.failed, 0);
    return { ...(this.#gate?.passed ?? { toServer: 0, fromServer: 0 }), running, failed };
  }

  async nodeDown(node: string): Promise<void> {
    await this.#agents.get(node)?.down();
  }

  nodeUp(node: string): void {
    this.#agents.get(node)?.up();
  }

  async renewTokens(): Promise<void> {}

  /** Kubelets report every five minutes what has not changed: one node after the other. */
  #beat(api: Api, { nodes, heartbeatMs }: FleetStart): void {
    let next = 0;
    setInterval(() => {
      const { name } = nodes[next % nodes.length] ?? { name: '' };
      next += 1;
      const now = new Date().toISOString();
      const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({ type, lastHeartbeatTime: now }));
      persist(() => api.patch(`/api/v1/nodes/${name}/status`, { status: { conditions } }, 'strategic'), {
        signal: AbortSignal.timeout(30_000),
      }).catch(this.#onError);
    }, heartbeatMs / nodes.length);
  }

  #started(): FleetStart {
    if (this.#start === undefined) throw new Error('it was not started');
    return this.#start;
  }
}

const reply = (answer: Reply): void => {
  process.send?.(answer);
};
const words = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
const fleet = new Fleet((error) => reply({ id: undefined, error: words(error) }));

async function answer({ name, argument }: Call): Promise<unknown> {
  switch (name) {
    case 'start':
      return fleet.start(argument as FleetStart);
    case 'adopt':
      return fleet.adopt(argument as readonly PodObject[]);
    case 'release':
      return fleet.release(argument as FleetStart['releases']);
    case 'traffic':
      return fleet.traffic();
  }
}

process.on('message', (call: Call) => {
  answer(call).then(
    (value) => reply({ id: call.id, value }),
    (error: unknown) => reply({ id: call.id, error: words(error) }),
  );
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0));
// The group's Ctrl-C is the bench's to act upon.
process.on('SIGINT', () => undefined);

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedHost } from '../host/host.ts';
import { type Api, ApiError, type KubeObject } from './api.ts';
import {
  bottlerocketImage,
  type HostArch,
  type NodeCondition,
  type NodeFacts,
  type NodeObject,
  nodeAddress,
  nodeObject,
  providerID,
  readyCondition,
  type Taint,
} from './node-object.ts';
import { persist } from './persist.ts';
import { podPath } from './pod-object.ts';

/** How the kubelet comes back from a reboot; may be changed at any time, and counts from the next event on. */
export interface KubeletBehaviour {
  /** The node stays not ready, whatever the host does. */
  neverReturns?: boolean;
  /** The node does not get ready on these versions of the OS, though its kubelet and what runs over the host's network are back. */
  neverReadyOn?: readonly string[];
  /** How much later than the host the kubelet is back. */
  slowMs?: number;
  /** The reboot is over before anybody sees the node not ready: only its boot ID tells. */
  tooFastToNotice?: boolean;
  /** What is seen of a node that is down: what its kubelet said last, or what the node lifecycle controller makes of its silence. */
  seenAs?: 'False' | 'Unknown';
}

export interface MachineOptions {
  readonly name: string;
  readonly zone?: string;
  /** The OS's version, such as 1.26.0. */
  readonly version?: string;
  readonly variant?: string;
  readonly arch?: HostArch;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  /** Another OS altogether; such a machine has no host to talk to. */
  readonly osImage?: string;
  readonly kubelet?: KubeletBehaviour;
  readonly kubeletVersion?: string;
  /** How many pods fit. */
  readonly pods?: number;
}

/** What the machine does to the processes that run on it. */
export interface NodeProcesses {
  /** The power is off: kills what runs there and starts nothing until `nodeUp`. */
  nodeDown(node: string): Promise<void>;
  nodeUp(node: string): void;
  /** The kubelet has lost what it kept: tokens are asked for anew. */
  renewTokens(node: string): Promise<void>;
}

export interface MachineParts {
  /** As the bed, with the kubelet's part in mind. */
  readonly api: Api;
  readonly processes: NodeProcesses;
  readonly index: number;
  readonly host: SimulatedHost | undefined;
  readonly socketPath: string;
  readonly bootIDFile: string;
  readonly onRemoved: () => void;
}

const downAnnotation = 'bed.lockkeeper.dev/node-down';

/** One machine: a Node whose kubelet is played by the bed, on a simulated host. */
export class Machine {
  readonly name: string;
  readonly kubelet: KubeletBehaviour;
  readonly #parts: MachineParts;
  readonly #ending = new AbortController();
  #facts: NodeFacts;
  #variant: string;
  #incarnation = 0;
  #work: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(options: MachineOptions, parts: MachineParts) {
    const { zone = 'eu-west-1a', version = '1.26.0', variant = 'aws-k8s-1.31', arch = 'x86_64' } = options;
    this.name = options.name;
    this.kubelet = { ...options.kubelet };
    this.#parts = parts;
    this.#variant = variant;
    this.#facts = {
      name: options.name,
      index: parts.index,
      zone,
      arch,
      osImage: options.osImage ?? bottlerocketImage(version, variant),
      bootID: parts.host?.bootID ?? randomUUID(),
      labels: options.labels ?? {},
      annotations: options.annotations ?? {},
      taints: options.taints ?? [],
      providerID: providerID(zone, options.name),
      kubeletVersion: options.kubeletVersion ?? 'v1.36.3',
      pods: options.pods ?? 110,
    };
    parts.host?.on('rebooting', () => this.#then(() => this.#goDown()));
    parts.host?.on('booted', (boot) => this.#then(() => this.#comeBack(boot)));
  }

  get path(): string {
    return `/api/v1/nodes/${this.name}`;
  }

  /** The simulated host under it: its faults, its reboots, its disk. */
  get host(): SimulatedHost {
    if (this.#parts.host === undefined) throw new Error(`${this.name} runs ${this.#facts.osImage} and has no simulated host`);
    return this.#parts.host;
  }

  /** How often its host has booted since its first time. */
  rebootCount(): number {
    return this.host.rebootCount;
  }

  /** The host's socket, as a hostPath volume of /run/api.sock shows it. */
  get socketPath(): string {
    return this.#parts.socketPath;
  }

  get ip(): string {
    return nodeAddress(this.#facts.index);
  }

  get bootIDFile(): string {
    return this.#parts.bootIDFile;
  }

  /** What the kubelet reports of its boot and its OS. */
  get facts(): NodeFacts {
    return this.#facts;
  }

  /** Boots the host and creates the Node, Ready. */
  async start(): Promise<void> {
    await this.#parts.host?.start();
    this.#facts = { ...this.#facts, bootID: this.#parts.host?.bootID ?? this.#facts.bootID };
    await this.#register();
    this.#parts.processes.nodeUp(this.name);
  }

  async #register(): Promise<NodeObject> {
    return this.#parts.api.create<NodeObject>('/api/v1/nodes', nodeObject(this.#facts, now()));
  }

  async node(): Promise<NodeObject> {
    return this.#parts.api.get<NodeObject>(this.path);
  }

  /** The node as somebody else sees it: not ready, though its host is well. */
  async setReady(status: NodeCondition['status']): Promise<void> {
    this.#then(() => this.#report(status));
    await this.settled();
  }

  /** Ends `neverReturns`: the kubelet reports what the host is now. */
  async kubeletReturns(): Promise<void> {
    this.kubelet.neverReturns = false;
    this.#then(() => this.#up());
    await this.settled();
  }

  /** Deletes the Node and registers it anew: same name, another uid; with `otherHost`, another machine altogether. */
  async registerAnew(options: { readonly otherHost?: boolean } = {}): Promise<NodeObject> {
    await this.settled();
    await this.#parts.api.delete(this.path);
    if (options.otherHost) {
      this.#incarnation++;
      this.#facts = { ...this.#facts, providerID: providerID(this.#facts.zone, `${this.name}#${this.#incarnation}`) };
    }
    const node = await this.#register();
    await this.#parts.processes.renewTokens(this.name);
    return node;
  }

  /** The machine is gone for good, its Node with it, and its pods: the garbage collector would take them 40 s later. */
  async remove(): Promise<void> {
    await this.stop();
    await this.#parts.processes.nodeDown(this.name);
    this.#parts.onRemoved();
    await this.#parts.api.delete(this.path);
    const pods = await this.#parts.api.list('/api/v1/pods', { fieldSelector: `spec.nodeName=${this.name}` });
    await Promise.all(pods.map((pod) => this.#parts.api.delete(podPath(pod), { gracePeriodSeconds: 0 })));
  }

  /** Settles when everything that the host has said so far is reported. Throws what went wrong on the way. */
  async settled(): Promise<void> {
    await this.#work;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the host and the kubelet's part; the Node stays. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#parts.host?.stop();
    await this.#work;
  }

  /** One thing after the other, as the host said them. */
  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      if (!this.#ending.signal.aborted) this.#failure ??= error;
    });
  }

  async #goDown(): Promise<void> {
    await this.#parts.processes.nodeDown(this.name);
    if (this.kubelet.tooFastToNotice) return;
    await this.#report(this.kubelet.seenAs ?? 'False');
    await this.#annotatePods('true');
  }

  async #comeBack(boot: { readonly bootID: string; readonly version: string }): Promise<void> {
    this.#facts = { ...this.#facts, bootID: boot.bootID, osImage: bottlerocketImage(boot.version, this.#variant) };
    if (this.kubelet.neverReturns) return;
    if (this.kubelet.slowMs) await sleep(this.kubelet.slowMs, undefined, { signal: this.#ending.signal });
    await this.#up();
  }

  async #up(): Promise<void> {
    const { neverReadyOn = [] } = this.kubelet;
    const broken = neverReadyOn.some((version) => this.#facts.osImage === bottlerocketImage(version, this.#variant));
    await this.#report(broken ? 'False' : 'True', true);
    await this.#annotatePods(null);
    this.#parts.processes.nodeUp(this.name);
  }

  async #report(status: NodeCondition['status'], up = status === 'True'): Promise<void> {
    const write = async () => {
      const { bootID, osImage } = this.#facts;
      const seen = (await this.node()).status.conditions?.find((condition) => condition.type === 'Ready');
      const conditions = seen?.status === status ? [] : [readyCondition(status, now())];
      // What a kubelet that is down cannot report is not reported.
      const nodeInfo = up ? { bootID, osImage } : {};
      await this.#parts.api.patch(`${this.path}/status`, { status: { conditions, nodeInfo } }, 'strategic');
    };
    await persist(write, { signal: this.#ending.signal });
  }

  /** Tells kwok whether the node of these pods is up. */
  async #annotatePods(value: 'true' | null): Promise<void> {
    const write = async () => {
      const pods = await this.#parts.api.list<KubeObject>('/api/v1/pods', { fieldSelector: `spec.nodeName=${this.name}` });
      const wrong = pods.filter((pod) => (pod.metadata.annotations?.[downAnnotation] ?? null) !== value);
      await Promise.all(
        wrong.map(async (pod) => {
          try {
            await this.#parts.api.patch(podPath(pod), { metadata: { annotations: { [downAnnotation]: value } } });
          } catch (error) {
            if (!(error instanceof ApiError && error.status === 404)) throw error;
          }
        }),
      );
    };
    await persist(write, { signal: this.#ending.signal });
  }
}

function now(): string {
  return new Date().toISOString();
}

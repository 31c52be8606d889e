import { podKey } from '../drain-settings.ts';
import type { Instant, JobView, NodeView, PolicyView, World } from '../world.ts';
import { timestamp } from '../world.ts';
import {
  bootIDOf,
  isWell,
  type Machine,
  type Objects,
  type SimHost,
  type SimJob,
  type SimNode,
  type SimPod,
  type SimUpdate,
} from './objects.ts';
import { Store } from './store.ts';
import type { Witness } from './witness.ts';

/** What a World says besides the objects that controllers watch, and what those have asked to see. */
export type Surroundings = Omit<World, 'policies' | 'nodes' | 'pods' | 'blockedPods' | 'jobs' | 'checks'>;

/** The API server's objects, the machines behind them, and the clock: everything but the controllers and the agents. */
export abstract class Cluster implements Objects {
  readonly policies = new Store<PolicyView>();
  readonly nodes = new Store<SimNode>();
  readonly updates = new Store<SimUpdate>();
  readonly hosts = new Store<SimHost>();
  readonly pods = new Store<SimPod>(({ node }) => node);
  readonly jobs = new Store<SimJob>();
  readonly machines: readonly Machine[];
  witness: Witness = {};
  now: Instant;
  readonly #machines: ReadonlyMap<string, Machine>;
  #serial = 0;

  constructor(machines: readonly Machine[], now: Instant) {
    this.machines = machines;
    this.now = now;
    this.#machines = new Map(machines.map((machine) => [machine.name, machine]));
  }

  /** What is there besides. */
  abstract surroundings(): Surroundings;

  /** The versions that a machine's host is offered, the newest first. */
  abstract offered(machine: Machine): readonly string[];

  /** Which check of a policy (by its uid) fails, if any. */
  abstract failedCheck(policy: string): string | undefined;

  /** How many changes of objects there were. */
  get changes(): number {
    const { policies, nodes, updates, hosts, pods, jobs } = this;
    return policies.latest + nodes.latest + updates.latest + hosts.latest + pods.latest + jobs.latest;
  }

  /** A number that was never given before. */
  serial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  /** Counts from 0 and wraps around. */
  machine(index: number): Machine {
    return this.machines[index % this.machines.length] as Machine;
  }

  machineOf(node: string): Machine | undefined {
    return this.#machines.get(node);
  }

  /** What is known of the agent's pod on a node. */
  agentOf(node: string): NodeView['agent'] {
    return this.machineOf(node)?.agentUp === true ? 'ready' : 'missing';
  }

  putPod(pod: Omit<SimPod, 'resourceVersion'>): void {
    this.pods.put(podKey(pod), pod);
  }

  patchPod(pod: SimPod, change: Partial<SimPod>): void {
    this.pods.patch(podKey(pod), undefined, () => change);
  }

  /** The Node goes, and with it what it owns, and its pods. */
  deleteNode(name: string): void {
    this.nodes.delete(name);
    for (const pod of this.pods.group(name)) this.removePod(pod);
  }

  /** Garbage collection: what an earlier node owned. */
  collect(): void {
    for (const store of [this.updates, this.hosts])
      for (const machine of this.machines) {
        const owned = store.get(machine.name);
        if (owned !== undefined && owned.nodeUID !== this.nodes.get(machine.name)?.uid) store.delete(machine.name);
      }
  }

  /** The machine boots: into what is activated, unless it has a reason not to. */
  boot(machine: Machine): void {
    this.witness.boots?.(machine);
    const { activated, staged, flaw } = machine;
    if (activated && staged !== undefined && flaw !== 'rollsBack') machine.version = staged;
    Object.assign(machine, {
      boot: machine.boot + 1,
      activated: false,
      staged: undefined,
      asked: undefined,
      pretends: false,
      reported: false,
    });
    for (const pod of this.pods.group(machine.name)) if (pod.ready) this.patchPod(pod, { ready: false });
  }

  /** The kubelet reports; nothing where its node is not registered. */
  report(machine: Machine, ready = isWell(machine)): void {
    const node = this.nodes.get(machine.name);
    if (node === undefined || machine.asked !== undefined) return;
    const bootID = bootIDOf(machine);
    machine.reported = true;
    if (node.bootID === bootID && node.ready.status === ready) return;
    this.nodes.patch(machine.name, undefined, () => ({
      bootID,
      os: { version: machine.version, variant: machine.variant, arch: machine.arch },
      ready: { status: ready, since: timestamp(this.now) },
    }));
  }

  /** The node controller has not heard of the kubelet for a while. */
  lose(machine: Machine): void {
    const node = this.nodes.get(machine.name);
    if (node?.ready.status !== true) return;
    this.nodes.patch(machine.name, undefined, () => ({ ready: { status: false, since: timestamp(this.now) } }));
  }

  /** Kubelets end what terminates and start what is new; what is gone comes back elsewhere. Its volume, of its name, is detached a while later. */
  workPods(): void {
    for (const { name, volumesAttached = [] } of this.nodes.items) {
      const used = volumesAttached.filter((volume) => this.pods.get(`shop/${volume}`)?.node === name);
      if (used.length < volumesAttached.length) this.nodes.patch(name, undefined, () => ({ volumesAttached: used }));
    }
    for (const pod of this.pods.items) {
      const machine = this.machineOf(pod.node);
      if (machine?.reported === false) continue;
      if (pod.terminating) this.removePod(pod);
      else if (pod.node === '') this.#bind(pod);
      else if (!pod.ready) this.patchPod(pod, { ready: true });
    }
  }

  /** Jobs end: as they should, or as their machine's flaw has it. */
  workJobs(): void {
    for (const { hook, createdAt, view } of this.jobs.items) {
      if (view.state !== 'Active') continue;
      const flaw = this.machineOf(hook.node)?.flaw;
      const late = createdAt + hook.timeoutMs <= this.now;
      if (flaw === 'hangsHooks' && !late) continue;
      const failed = flaw === 'failsHooks' || flaw === 'hangsHooks';
      const ended: JobView = failed ? { state: 'Failed', timedOut: late, message: 'as it was told' } : { state: 'Succeeded' };
      this.jobs.patch(`${hook.namespace}/${hook.name}`, undefined, () => ({ view: ended }));
    }
  }

  /** The pod is gone; its controller makes another, which waits for a node. */
  protected removePod(pod: SimPod): void {
    this.pods.delete(podKey(pod));
    if (pod.controller?.kind !== 'ReplicaSet') return;
    this.putPod({ ...pod, uid: `${pod.name}-${this.serial()}`, node: '', ready: false, terminating: false, guarded: false });
  }

  #bind(pod: SimPod): void {
    const home = pod.toleratesCordon === true ? pod.name.slice('log-'.length) : undefined;
    const fit = this.nodes.items.filter(
      ({ name, unschedulable, ready, outdated }) =>
        ready.status && (home === undefined ? !unschedulable && outdated !== true : name === home),
    );
    const node = fit[this.serial() % Math.max(1, fit.length)];
    if (node === undefined) return;
    this.patchPod(pod, { node: node.name });
    if (pod.attachable === undefined || node.volumesAttached?.includes(pod.name)) return;
    this.nodes.patch(node.name, undefined, ({ volumesAttached = [] }) => ({ volumesAttached: [...volumesAttached, pod.name] }));
  }
}

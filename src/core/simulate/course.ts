import type { Instant } from '../world.ts';
import { AgentModel } from './agent-model.ts';
import { ControllerModel } from './controller-model.ts';
import type { Machine } from './objects.ts';
import type { SnapshotCluster } from './snapshot-cluster.ts';
import type { Store } from './store.ts';

/** More passes than anything takes that needs no time. */
const MAX_PASSES_AT_ONCE = 64;
/** So many times may be come to in a row at which nothing happens but the time. */
const MAX_IDLE = 200;
/** Times that one forecast comes to. */
const MAX_TIMES = 100_000;

/** How long things take on one node, in milliseconds. */
export interface Durations {
  /** From the Stage order to the proof. */
  stagingMs: number;
  /** From the first eviction until the last pod is gone, and its volumes are detached. */
  drainMs: number;
  /** From the request for the reboot until the kubelet reports the new boot. */
  rebootMs: number;
  /** From then until the node is Ready. */
  readyMs: number;
  /** One hook's Job. */
  hookMs: number;
}

/** What a forecast takes for granted, besides that nothing goes wrong and nobody meddles. */
export interface Assumptions {
  /** By the node's name, for some nodes are known to be slower than others. */
  durationsOf: (node: string) => Durations;
  /** Where to stop looking ahead. */
  until: Instant;
  /** Called at each time that is come to; `left` counts the nodes that are still to come to rest. For those who wait for the forecast. */
  onTime?: (left: () => number) => void;
}

/** What will have come about, and when. */
interface Event {
  at: Instant;
  happen: () => void;
}

/** The course of things in a cluster where everything takes as long as assumed: from one event straight to the next. */
export class Course {
  readonly #cluster: SnapshotCluster;
  readonly #assumptions: Assumptions;
  readonly #controller: ControllerModel;
  readonly #agents: ReadonlyMap<string, AgentModel>;
  /** By what they are about: the same is begun once. */
  readonly #events = new Map<string, Event>();
  /** Until when the pods of a claim's node leave. */
  readonly #drains = new Map<string, Instant>();
  readonly #seen = { nodes: 0, hosts: 0, pods: 0, jobs: 0 };

  constructor(cluster: SnapshotCluster, assumptions: Assumptions) {
    this.#cluster = cluster;
    this.#assumptions = assumptions;
    this.#controller = new ControllerModel(cluster);
    this.#agents = new Map(cluster.machines.map((machine) => [machine.name, new AgentModel(cluster, machine)]));
  }

  /** Runs until all is done, nothing more can happen, or there is no more time; calls `onTime` at each time that it comes to. */
  run(isDone: () => boolean, onTime: () => void = () => {}): void {
    for (let times = 0, idle = 0; times < MAX_TIMES && idle <= MAX_IDLE; times += 1) {
      const before = this.#progress;
      this.#settle();
      if (this.#events.size === 0 && isDone()) return;
      idle = this.#progress === before ? idle + 1 : 0;
      const next = this.#next();
      if (next === undefined || next > this.#assumptions.until) return;
      this.#cluster.now = next;
      onTime();
      for (const [about, { at, happen }] of this.#events)
        if (at <= next) {
          this.#events.delete(about);
          happen();
        }
    }
  }

  /** Statuses alone are none. */
  get #progress(): number {
    const { nodes, hosts, pods, jobs } = this.#cluster;
    return nodes.latest + hosts.latest + pods.latest + jobs.latest;
  }

  /** The next event, or the time at which the controller wants to look again. */
  #next(): Instant | undefined {
    const { now } = this.#cluster;
    const { wakeAt } = this.#controller;
    let next = wakeAt === undefined ? Number.POSITIVE_INFINITY : Math.max(wakeAt, now + 1);
    for (const { at } of this.#events.values()) next = Math.min(next, at);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** All that happens in no time: passes, until one changes nothing. */
  #settle(): void {
    const mark = () => `${this.#cluster.changes} ${this.#controller.attention}`;
    for (let passes = 0; passes < MAX_PASSES_AT_ONCE; passes += 1) {
      const before = mark();
      this.#controller.begin();
      while (this.#controller.step());
      this.#controller.evict();
      this.#begin();
      if (mark() === before) return;
    }
  }

  /** Everybody begins what there is to do since the last time. */
  #begin(): void {
    const { nodes, hosts, pods, jobs } = this.#cluster;
    for (const { name } of news(nodes, this.#seen, 'nodes')) this.#onNode(name);
    for (const { name } of news(hosts, this.#seen, 'hosts')) this.#onHost(name);
    for (const { value } of news(pods, this.#seen, 'pods')) if (value?.terminating === true) this.#onDrain(value.node);
    for (const { name, value } of news(jobs, this.#seen, 'jobs')) {
      if (value?.view.state !== 'Active') continue;
      this.#after(`job ${name}`, this.#durations(value.hook.node).hookMs, () =>
        jobs.patch(name, undefined, () => ({ view: { state: 'Succeeded' } })),
      );
    }
  }

  #onNode(name: string): void {
    const { nodes } = this.#cluster;
    const machine = this.#cluster.machineOf(name);
    const node = nodes.get(name);
    if (machine === undefined || node === undefined || typeof node.record !== 'object') return;
    if ((node.volumesAttached ?? []).length > 0) this.#onDrain(name);
    if (node.bootID !== node.record.bootID && !node.ready.status)
      this.#after(`${name} gets ready`, this.#durations(name).readyMs, () => this.#cluster.getReady(machine));
  }

  #onDrain(name: string): void {
    const record = this.#cluster.nodes.get(name)?.record;
    const claim = typeof record === 'object' ? record.claim : name;
    const { now } = this.#cluster;
    const at = this.#drains.get(claim) ?? now + this.#durations(name).drainMs;
    this.#drains.set(claim, at);
    this.#after(`${name} drains`, Math.max(0, at - now), () => this.#cluster.finishDrain(name));
  }

  #onHost(name: string): void {
    const host = this.#cluster.hosts.get(name);
    const machine = this.#cluster.machineOf(name);
    const agent = this.#agents.get(name);
    if (machine === undefined || agent === undefined || host === undefined || !machine.agentUp) return;
    const { order } = host.spec;
    const { answer } = host.status;
    const answered = answer?.id === order?.id && answer?.state !== 'Running';
    if (order?.action === 'Stage' && !answered) {
      this.#after(`${name} stages ${order.id}`, this.#durations(name).stagingMs, () => agent.work());
      return;
    }
    agent.work();
    if (machine.asked !== undefined) this.#after(`${name} reboots`, this.#durations(name).rebootMs, () => this.#reboot(machine, agent));
  }

  #reboot(machine: Machine, agent: AgentModel): void {
    this.#cluster.comeUp(machine);
    agent.kill();
    agent.work();
  }

  #durations(node: string): Durations {
    return this.#assumptions.durationsOf(node);
  }

  #after(about: string, ms: number, happen: () => void): void {
    if (!this.#events.has(about)) this.#events.set(about, { at: this.#cluster.now + ms, happen });
  }
}

/** What has changed in a store since it was asked last. */
function news<T extends { resourceVersion: string }, Kind extends string>(store: Store<T>, seen: Record<Kind, number>, kind: Kind) {
  const changes = store.since(seen[kind]);
  seen[kind] = store.latest;
  return changes;
}

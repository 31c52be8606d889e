import { BY_HAND } from '../../api/names.ts';
import { timestamp } from '../world.ts';
import { AgentModel } from './agent-model.ts';
import { MINUTE } from './builders.ts';
import { Cluster, type Flaw, type Machine, type Setup, type SimNode, VERSIONS } from './cluster.ts';
import { ControllerModel, type Lags } from './controller-model.ts';
import type { Lag } from './store.ts';
import { Violation } from './watchman.ts';

/** How long a round of everybody's work takes. */
const ROUND_MS = 4_000;

type Worker = 'evictions' | 'agents' | 'hosts';

/** One thing that happens. `node` and `leader` count from 0 and wrap around. */
export type Action =
  /** Everything works as it should for a while: whole passes of one controller, evictions, agents, hosts; or all but one of these. */
  | { do: 'work'; leader: number; rounds: number; without?: Worker | undefined }
  /** A controller begins a pass from caches that lag. */
  | { do: 'pass'; leader: number; lags: Lags }
  /** A controller makes some more API calls of its pass, and freezes again. */
  | { do: 'step'; leader: number; calls: number }
  | { do: 'crash'; leader: number }
  | { do: 'evict'; leader: number }
  | { do: 'agent'; node: number; steps: number; lag: Lag }
  | { do: 'killAgent'; node: number }
  | { do: 'agentUp'; node: number; up: boolean }
  /** The machine boots if it was asked to, or `anyway`: by somebody else's hand. */
  | { do: 'boot'; node: number; anyway: boolean }
  | { do: 'kubelet'; node: number }
  | { do: 'notReady'; node: number }
  /** Somebody else used the host's update API. */
  | { do: 'loseProof'; node: number }
  | { do: 'flaw'; node: number; flaw: Flaw | null }
  | { do: 'pods' }
  | { do: 'guardPod'; node: number; guarded: boolean }
  | { do: 'nakedPod'; node: number }
  | { do: 'time'; minutes: number }
  | { do: 'release' }
  | { do: 'guard'; on: boolean }
  | { do: 'standby'; on: boolean }
  | { do: 'cordon'; node: number }
  | { do: 'uncordon'; node: number }
  | { do: 'disrupt'; node: number; on: boolean }
  | { do: 'deleteNode'; node: number }
  | { do: 'register'; node: number }
  | { do: 'collect' }
  | { do: 'deleteUpdate'; node: number }
  | { do: 'deleteHost'; node: number }
  | { do: 'annotateNode'; node: number; key: 'paused' | 'retry' | 'pinVersion'; value: string | null }
  | { do: 'annotatePolicy'; policy: 'a' | 'b'; key: 'paused' | 'retry' | 'resume' | 'pinVersion' | 'approvedVersion'; value: string | null }
  | { do: 'pausePolicy'; policy: 'a' | 'b'; paused: boolean }
  | { do: 'maxUnavailable'; policy: 'a' | 'b'; to: number | string }
  | { do: 'deletePolicy'; policy: 'a' | 'b' }
  | { do: 'createPolicy'; policy: 'a' | 'b' };

/** A world and what happens in it: plain data, so that a failure can be replayed. */
export interface Scenario {
  setup: Setup;
  actions: readonly Action[];
}

/** Plays a scenario; throws a Violation as soon as an invariant does not hold. */
export function play({ setup, actions }: Scenario): Simulation {
  const simulation = new Simulation(setup);
  for (const action of actions) simulation.act(action);
  return simulation;
}

/** A cluster with two controllers that both believe they lead, and an agent on each machine. */
export class Simulation {
  readonly cluster: Cluster;
  readonly #controllers: readonly [ControllerModel, ControllerModel];
  readonly #agents: readonly AgentModel[];

  constructor(setup: Setup) {
    this.cluster = new Cluster(setup);
    this.#controllers = [new ControllerModel(this.cluster), new ControllerModel(this.cluster)];
    this.#agents = this.cluster.machines.map((machine) => new AgentModel(this.cluster, machine));
  }

  act(action: Action): void {
    const { cluster } = this;
    cluster.now += 1;
    switch (action.do) {
      case 'work':
        for (let round = 0; round < action.rounds; round += 1) this.#round(this.#controller(action.leader), ROUND_MS, action.without);
        return;
      case 'pass':
        this.#controller(action.leader).begin(action.lags);
        return;
      case 'step':
        for (let call = 0; call < action.calls; call += 1) this.#controller(action.leader).step();
        return;
      case 'crash':
        this.#controller(action.leader).restart();
        return;
      case 'evict':
        this.#controller(action.leader).evict();
        return;
      case 'agent':
        for (let step = 0; step < action.steps; step += 1) this.#agent(action.node).step(action.lag);
        return;
      case 'killAgent':
        this.#agent(action.node).kill();
        return;
      case 'boot':
        this.#boot(action.node, action.anyway);
        return;
      case 'pods':
        cluster.workPods();
        return;
      case 'time':
        cluster.now += action.minutes * MINUTE;
        return;
      case 'release':
        cluster.released = Math.min(VERSIONS.length, cluster.released + 1);
        return;
      case 'guard':
        cluster.guarded = action.on;
        return;
      case 'standby':
        cluster.standby = action.on;
        return;
      case 'collect':
        cluster.collect();
        return;
      case 'annotatePolicy':
      case 'pausePolicy':
      case 'maxUnavailable':
      case 'deletePolicy':
      case 'createPolicy':
        this.#actOnPolicy(action);
        return;
      default:
        this.#actOnNode(action, cluster.machine(action.node));
        return;
    }
  }

  #actOnPolicy(action: Action & { policy: 'a' | 'b' }): void {
    const { cluster } = this;
    if (action.do === 'createPolicy') {
      cluster.createPolicy(action.policy);
      return;
    }
    if (cluster.policies.get(action.policy) === undefined) return;
    switch (action.do) {
      case 'deletePolicy':
        for (const machine of cluster.machines) cluster.watchman.forgive(machine);
        cluster.policies.delete(action.policy);
        return;
      case 'annotatePolicy': {
        if (action.key === 'retry') for (const machine of cluster.machines) cluster.watchman.forgive(machine);
        const key = BY_HAND[action.key];
        cluster.policies.patch(action.policy, undefined, ({ annotations }) => ({
          annotations: this.#annotated(annotations, key, action.value),
        }));
        return;
      }
      case 'pausePolicy':
        cluster.policies.patch(action.policy, undefined, ({ spec }) => ({ spec: { ...spec, paused: action.paused } }));
        return;
      case 'maxUnavailable':
        cluster.policies.patch(action.policy, undefined, ({ spec }) => ({
          spec: { ...spec, rollout: { ...spec.rollout, maxUnavailable: action.to } },
        }));
    }
  }

  #actOnNode(action: Action & { node: number }, machine: Machine): void {
    const { cluster } = this;
    const { name } = machine;
    const patch = (change: (node: SimNode) => Partial<SimNode>) => {
      if (cluster.nodes.get(name) !== undefined) cluster.nodes.patch(name, undefined, change);
    };
    switch (action.do) {
      case 'agentUp':
        machine.agentUp = action.up;
        return;
      case 'kubelet':
        cluster.report(machine);
        return;
      case 'notReady':
        cluster.lose(machine);
        return;
      case 'loseProof':
        machine.staged = undefined;
        machine.activated = false;
        return;
      case 'flaw':
        machine.flaw = action.flaw ?? undefined;
        return;
      case 'guardPod':
        for (const pod of cluster.pods.items)
          if (pod.node === name && pod.controller?.kind === 'ReplicaSet')
            cluster.pods.patch(pod.name, undefined, () => ({ guarded: action.guarded }));
        return;
      case 'nakedPod':
        cluster.addNakedPod(name);
        return;
      case 'cordon':
        patch((node) => {
          cluster.watchman.personCordons(node);
          return { unschedulable: true };
        });
        return;
      case 'uncordon':
        patch((node) => {
          cluster.watchman.personUncordons(node);
          return { unschedulable: false };
        });
        return;
      case 'disrupt':
        patch(() => ({ deleting: action.on }));
        return;
      case 'deleteNode':
        cluster.watchman.losesMemory(machine);
        cluster.deleteNode(name);
        return;
      case 'register':
        cluster.register(machine);
        for (const controller of this.#controllers) controller.observeRegistration(name);
        return;
      case 'deleteUpdate':
        cluster.watchman.losesMemory(machine);
        cluster.updates.delete(name);
        return;
      case 'deleteHost':
        cluster.hosts.delete(name);
        return;
      case 'annotateNode':
        if (action.key === 'retry') cluster.watchman.forgive(machine);
        patch(({ annotations }) => ({ annotations: this.#annotated(annotations, BY_HAND[action.key], action.value) }));
        return;
    }
  }

  /** A token is a new one each time. */
  #annotated(annotations: Readonly<Record<string, string>>, key: string, value: string | null): Record<string, string> {
    const { [key]: _, ...rest } = annotations;
    return value === null ? rest : { ...rest, [key]: value === 'token' ? `token-${this.cluster.serial()}` : value };
  }

  #controller(index: number): ControllerModel {
    return this.#controllers[index % 2] as ControllerModel;
  }

  #agent(index: number): AgentModel {
    return this.#agents[index % this.#agents.length] as AgentModel;
  }

  #boot(index: number, anyway: boolean): void {
    const machine = this.cluster.machine(index);
    if (machine.asked === undefined && !anyway) return;
    this.cluster.boot(machine);
    this.#agent(index).kill();
  }

  /** One round in which everybody does its work. */
  #round(controller: ControllerModel, takes = ROUND_MS, without?: Worker): void {
    const { cluster } = this;
    cluster.now += takes;
    controller.begin();
    while (controller.step());
    if (without !== 'evictions') controller.evict();
    cluster.workPods();
    cluster.collect();
    for (const [index, machine] of cluster.machines.entries()) {
      if (without !== 'agents') for (let step = 0; step < 8; step += 1) this.#agent(index).step('none');
      if (without === 'hosts') continue;
      this.#boot(index, false);
      cluster.report(machine);
    }
  }

  /** Nothing happens any more, and hardly any time passes: nobody writes for ever. Throws a Violation where somebody does. */
  settle(patience = 60): void {
    const controller = this.#controller(0);
    controller.restart();
    for (let round = 0; round < patience; round += 1) {
      const before = this.#mark(controller);
      this.#round(controller, 1);
      if (this.#mark(controller) === before) return;
    }
    throw new Violation(`10: no rest after ${patience} rounds: ${this.#describe()}`);
  }

  /**
   * Faults stop, and people take back what they did: afterwards everything that is eligible gets updated, and nothing stays
   * behind. Whatever failed is retried, as often as `patience` says. Throws a Violation where the world does not come to rest so.
   */
  heal(patience = 400): void {
    this.#repair();
    const controller = this.#controller(0);
    controller.restart();
    for (let round = 0; round < patience; round += 1) {
      const before = this.#mark(controller);
      this.#round(controller);
      if (this.#mark(controller) !== before) continue;
      if (this.#isDone()) return;
      if (!this.#passTime(controller) && !this.#retry()) throw new Violation(`10: stuck: ${this.#describe()}`);
    }
    throw new Violation(`10: no rest after ${patience} rounds: ${this.#describe()}`);
  }

  #repair(): void {
    const { cluster } = this;
    Object.assign(cluster, { guarded: true, standby: false });
    cluster.createPolicy('a');
    for (const [index, machine] of cluster.machines.entries()) {
      Object.assign(machine, { flaw: undefined, agentUp: true });
      this.#boot(index, false);
      this.act({ do: 'register', node: index });
      if (cluster.nodes.get(machine.name)?.record === undefined) this.act({ do: 'uncordon', node: index });
      cluster.nodes.patch(machine.name, undefined, ({ annotations }) => ({
        annotations: this.#annotated(this.#annotated(annotations, BY_HAND.paused, null), BY_HAND.pinVersion, null),
        deleting: false,
      }));
      cluster.report(machine);
    }
    for (const pod of cluster.pods.items) {
      if (pod.controller === undefined) cluster.pods.delete(pod.name);
      else cluster.pods.patch(pod.name, undefined, () => ({ guarded: false }));
    }
    for (const { name } of cluster.policies.items)
      cluster.policies.patch(name, undefined, ({ spec, annotations }) => ({
        spec: { ...spec, paused: false, approval: 'Automatic' },
        annotations: this.#annotated(this.#annotated(annotations, BY_HAND.paused, null), BY_HAND.pinVersion, null),
      }));
  }

  #mark({ looking }: ControllerModel): string {
    const { policies, nodes, updates, hosts, pods } = this.cluster;
    return [...[policies, nodes, updates, hosts, pods].map(({ latest }) => latest), ...looking].join();
  }

  #isDone(): boolean {
    const { cluster } = this;
    const target = VERSIONS[cluster.released - 1];
    return (
      cluster.policies.items.every(({ status }) => (status.claims ?? []).length === 0) &&
      cluster.nodes.items.every(({ os, unschedulable, record }) => os?.version === target && !unschedulable && record === undefined)
    );
  }

  #passTime({ wakeAt }: ControllerModel): boolean {
    const { cluster } = this;
    if (wakeAt === undefined || wakeAt <= cluster.now) return false;
    cluster.now = wakeAt;
    return true;
  }

  /** A person asks for a retry of everything that failed. */
  #retry(): boolean {
    const { cluster } = this;
    let asked = false;
    for (const [node, { name }] of cluster.machines.entries()) {
      const phase = cluster.updates.get(name)?.status.phase;
      if (phase !== 'RolledBack' && phase !== 'Failed') continue;
      this.act({ do: 'annotateNode', node, key: 'retry', value: 'token' });
      asked = true;
    }
    for (const { name, status } of cluster.policies.items) {
      if (!status.conditions?.some(({ type, status: value }) => type === 'Halted' && value === 'True')) continue;
      this.act({ do: 'annotatePolicy', policy: name as 'a' | 'b', key: 'resume', value: 'token' });
      asked = true;
    }
    return asked;
  }

  #describe(): string {
    const { cluster } = this;
    const nodes = cluster.nodes.items.map(({ name, os, unschedulable, record }) => {
      const { phase, reason, message } = cluster.updates.get(name)?.status ?? {};
      return `${name} runs ${os?.version}${unschedulable ? ', cordoned' : ''}${record === undefined ? '' : ', with a record'}: ${phase} ${reason} (${message})`;
    });
    const claims = cluster.policies.items.map(({ name, status }) => `${name} claims ${status.claims?.map(({ node }) => node)}`);
    return [timestamp(cluster.now), ...nodes, ...claims].join('; ');
  }
}

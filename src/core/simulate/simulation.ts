import { BY_HAND, CORDON_LABELS, KEEP_NODE_ANNOTATIONS } from '../../api/names.ts';
import type { Action, Scenario, Worker } from './actions.ts';
import { AgentModel } from './agent-model.ts';
import { scheduleOf } from './calendar.ts';
import { ControllerModel } from './controller-model.ts';
import { type Lie, UNHEARD_OF } from './lies.ts';
import type { Machine, SimNode } from './objects.ts';
import { RandomCluster } from './random-cluster.ts';
import type { Setup } from './setup.ts';
import type { Witness } from './witness.ts';

const MINUTE = 60_000;

/** How long a round of everybody's work takes. */
const ROUND_MS = 4_000;

/** Makes the witness of a cluster, which may end it by an error. */
export type Watch = (cluster: RandomCluster) => Witness;

/** Plays a scenario before a witness. */
export function play({ setup, actions }: Scenario, watch: Watch): Simulation {
  const simulation = new Simulation(setup, watch);
  for (const action of actions) simulation.act(action);
  return simulation;
}

/** A cluster with two controllers that both believe they lead, and an agent on each machine. */
export class Simulation {
  readonly cluster: RandomCluster;
  readonly #controllers: readonly [ControllerModel, ControllerModel];
  readonly #agents: readonly AgentModel[];

  constructor(setup: Setup, watch: Watch) {
    this.cluster = new RandomCluster(setup);
    this.cluster.witness = watch(this.cluster);
    this.#controllers = [new ControllerModel(this.cluster), new ControllerModel(this.cluster)];
    this.#agents = this.cluster.machines.map((machine) => new AgentModel(this.cluster, machine));
  }

  act(action: Action): void {
    const { cluster } = this;
    cluster.now += 1;
    switch (action.do) {
      case 'work':
        for (let round = 0; round < action.rounds; round += 1) this.round(this.controller(action.leader), { without: action.without });
        return;
      case 'pass':
        this.controller(action.leader).begin(action.lags);
        return;
      case 'step':
        for (let call = 0; call < action.calls; call += 1) this.controller(action.leader).step();
        return;
      case 'crash':
        this.controller(action.leader).restart();
        return;
      case 'clock':
        this.controller(action.leader).skewMs = action.seconds * 1_000;
        return;
      case 'lie':
        this.#lie(action.node, action.lie);
        return;
      case 'evict':
        this.controller(action.leader).evict();
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
      case 'jobs':
        cluster.workJobs();
        return;
      case 'time':
        cluster.now += action.minutes * MINUTE;
        return;
      case 'release':
        cluster.release();
        return;
      case 'guard':
        cluster.guarded = action.on;
        return;
      case 'checks':
        cluster.checksHold = action.hold;
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
      case 'schedule':
      case 'onTimeout':
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
        for (const machine of cluster.machines) cluster.witness.forgive?.(machine);
        cluster.policies.delete(action.policy);
        return;
      case 'annotatePolicy': {
        if (action.key === 'retry') for (const machine of cluster.machines) cluster.witness.forgive?.(machine);
        if (action.key === 'reboot') for (const machine of cluster.machines) cluster.witness.asksReboot?.(machine);
        const key = BY_HAND[action.key];
        cluster.policies.patch(action.policy, undefined, ({ annotations }) => ({
          annotations: this.#annotated(annotations, key, action.value),
        }));
        return;
      }
      case 'pausePolicy':
        cluster.policies.patch(action.policy, undefined, ({ spec }) => ({ spec: { ...spec, paused: action.paused } }));
        return;
      case 'schedule':
        cluster.policies.patch(action.policy, undefined, ({ spec }) => ({
          spec: { ...spec, schedule: scheduleOf(action.to, action.onClose) },
        }));
        return;
      case 'maxUnavailable':
        cluster.policies.patch(action.policy, undefined, ({ spec }) => ({
          spec: { ...spec, rollout: { ...spec.rollout, maxUnavailable: action.to } },
        }));
        return;
      case 'onTimeout':
        cluster.policies.patch(action.policy, undefined, ({ spec }) => ({
          spec: { ...spec, drain: { ...spec.drain, onTimeout: action.to } },
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
      case 'wave':
        machine.waits = !action.open;
        return;
      case 'loseProof':
        machine.staged = undefined;
        machine.activated = false;
        return;
      case 'flaw':
        Object.assign(machine, { flaw: action.flaw ?? undefined, fine: machine.version });
        return;
      case 'guardPod':
        for (const pod of cluster.pods.group(name))
          if (pod.controller?.kind === 'ReplicaSet') cluster.patchPod(pod, { guarded: action.guarded });
        return;
      case 'nakedPod':
        cluster.addNakedPod(name);
        return;
      case 'cordon':
        patch((node) => {
          cluster.witness.personCordons?.(node);
          return { unschedulable: true };
        });
        return;
      case 'uncordon':
        patch((node) => {
          cluster.witness.personUncordons?.(node);
          return { unschedulable: false };
        });
        return;
      case 'disrupt':
        patch(() => ({ deleting: action.on }));
        return;
      case 'meddle': {
        const ours = action.with === 'labels' ? CORDON_LABELS : KEEP_NODE_ANNOTATIONS;
        const [key = ''] = Object.keys(ours);
        patch((node) => ({ [action.with]: this.#annotated(node[action.with], key, action.value) }));
        return;
      }
      case 'deleteNode':
        cluster.witness.losesMemory?.(machine);
        cluster.deleteNode(name);
        this.#endAnnouncements();
        return;
      case 'register':
        cluster.register(machine, action.outdated);
        for (const controller of this.#controllers) controller.observeRegistration(name);
        return;
      case 'deleteUpdate':
        cluster.witness.losesMemory?.(machine);
        cluster.updates.delete(name);
        return;
      case 'deleteHost':
        cluster.hosts.delete(name);
        return;
      case 'annotateNode':
        if (action.key === 'retry') cluster.witness.forgive?.(machine);
        if (action.key === 'reboot') cluster.witness.asksReboot?.(machine);
        patch(({ annotations }) => ({ annotations: this.#annotated(annotations, BY_HAND[action.key], action.value) }));
        return;
    }
  }

  /** A token is a new one each time. */
  #annotated(annotations: Readonly<Record<string, string>>, key: string, value: string | null): Record<string, string> {
    const { [key]: _, ...rest } = annotations;
    return value === null ? rest : { ...rest, [key]: value === 'token' ? `token-${this.cluster.serial()}` : value };
  }

  #agent(index: number): AgentModel {
    return this.#agents[index % this.#agents.length] as AgentModel;
  }

  /** One that announces a release is alone with it, and not alone of its kind: of two, or of the only one, it would be believed. */
  #lie(index: number, lie: Lie): void {
    const { cluster } = this;
    const { variant, name } = cluster.machine(index);
    const peers = cluster.nodes.items.filter(({ os }) => os?.variant === variant);
    const believed = cluster.hosts.items.some(({ status }) => status.available?.includes(UNHEARD_OF)) || peers.length < 2;
    if (lie === 'isOffered' && (believed || !peers.some((peer) => peer.name === name))) return;
    // A boot by a person ends the pretence, and the watchman cannot tell the drains before and after a boot on the way back apart.
    const record = cluster.nodes.get(name)?.record;
    if (lie === 'isAsked' && typeof record === 'object' && record.rollback !== undefined) return;
    this.#agent(index).lie(lie);
  }

  #endAnnouncements(): void {
    const { hosts } = this.cluster;
    for (const machine of this.cluster.machines)
      if (hosts.get(machine.name)?.status.available?.includes(UNHEARD_OF))
        hosts.patch(machine.name, undefined, ({ status }) => ({ status: { ...status, available: [...this.cluster.offered(machine)] } }));
  }

  #boot(index: number, anyway: boolean): void {
    const machine = this.cluster.machine(index);
    if (machine.asked === undefined && !anyway) return;
    this.cluster.boot(machine);
    this.#agent(index).kill();
  }

  controller(index: number): ControllerModel {
    return this.#controllers[index % 2] as ControllerModel;
  }

  /** One round in which everybody does its work, but for who rests. */
  round(
    controller: ControllerModel,
    { milliseconds = ROUND_MS, without }: { milliseconds?: number; without?: Worker | undefined } = {},
  ): void {
    const { cluster } = this;
    cluster.now += milliseconds;
    controller.begin();
    while (controller.step());
    if (without !== 'evictions') controller.evict();
    cluster.workPods();
    cluster.workJobs();
    cluster.collect();
    for (const [index, machine] of cluster.machines.entries()) {
      if (without !== 'agents') this.#agent(index).work();
      if (without === 'hosts') continue;
      this.#boot(index, false);
      cluster.report(machine);
    }
  }
}

import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS, MANAGED_LABEL } from '../../api/names.ts';
import { aBudget, aDaemonSetPod, aPod, aPolicy, NOW } from '../testing/builders.ts';
import { Watchman } from '../testing/watchman.ts';
import { type DisruptionBudget, type Instant, type JobView, type PolicyView, timestamp } from '../world.ts';
import { scheduleOf } from './calendar.ts';
import {
  bootIDOf,
  type Machine,
  type Objects,
  type Setup,
  type SimHost,
  type SimJob,
  type SimNode,
  type SimPod,
  type SimUpdate,
} from './objects.ts';
import { Store } from './store.ts';

/** The namespace of all hooks. */
export const HOOK_NAMESPACE = 'ops';
const HOOKS = (['Finally', 'AfterReboot', 'BeforeReboot', 'BeforeDrain', 'Finally'] as const).map((at) => ({
  at,
  cronJob: { namespace: HOOK_NAMESPACE, name: 'hook' },
  timeout: '5m',
}));

export const VERSIONS = ['1.0.0', '1.1.0', '1.2.0', '1.3.0'] as const;

/** The group that goes first in a grouped world. */
const CANARY = { name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak: '3m' };

/** The API server's objects, the machines behind them, and the clock: everything but the controllers. */
export class Cluster implements Objects {
  readonly setup: Setup;
  readonly policies = new Store<PolicyView>();
  readonly nodes = new Store<SimNode>();
  readonly updates = new Store<SimUpdate>();
  readonly hosts = new Store<SimHost>();
  readonly pods = new Store<SimPod>();
  readonly jobs = new Store<SimJob>();
  readonly machines: readonly Machine[];
  readonly watchman = new Watchman(this);
  now = NOW;
  guarded = true;
  standby = false;
  checksHold = true;
  /** How many of VERSIONS have been released. */
  released = 2;
  /** When each of them was. */
  readonly releasedAt = new Map<string, Instant>(VERSIONS.slice(0, 2).map((version) => [version, NOW]));
  #serial = 0;

  constructor(setup: Setup) {
    this.setup = setup;
    this.machines = Array.from({ length: setup.nodes }, (_, index) => ({
      name: `n${index}`,
      hostID: `host-${index}`,
      variant: setup.mixed && index % 2 === 1 ? 'metal-k8s' : 'aws-k8s',
      boot: 1,
      version: VERSIONS[0],
      activated: false,
      reported: true,
      agentUp: true,
    }));
    for (const machine of this.machines) this.register(machine);
    this.createPolicy('a');
    if (setup.second) this.createPolicy('b');
    if (setup.selfNode !== undefined) {
      const node = `n${setup.selfNode % setup.nodes}`;
      this.pods.put('lockkeeper', { ...aPod('lockkeeper', { namespace: 'lockkeeper' }), node, guarded: false });
    }
  }

  /** The budgets of guarded pods: each has one of its own. */
  get budgets(): DisruptionBudget[] {
    return this.pods.items
      .filter(({ guarded, terminating }) => guarded !== false && !terminating)
      .map(({ name, guarded, ready }) => aBudget(name, { currentHealthy: ready ? 2 : 1, expectedPods: guarded === 'never' ? 2 : 3 }));
  }

  /** A number that was never given before. */
  serial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  machine(index: number): Machine {
    return this.machines[index % this.machines.length] as Machine;
  }

  /** The node registers, as a new one. */
  register(machine: Machine): void {
    const { name, hostID } = machine;
    if (this.nodes.get(name) !== undefined) return;
    const index = Number(name.slice(1));
    const kept = Object.keys(KEEP_NODE_ANNOTATIONS)[index % 3];
    machine.reported = true;
    this.nodes.put(name, {
      name,
      uid: `uid-${this.serial()}-${name}`,
      createdAt: timestamp(this.now),
      labels: {
        [MANAGED_LABEL]: 'true',
        pool: index % 2 === 1 ? 'odd' : 'even',
        // As kubeadm labels control-plane nodes: empty.
        ...(index === 3 && mapped(CORDON_LABELS, '')),
        ...(this.setup.grouped && { ring: index === 0 ? 'canary' : 'other', 'topology.kubernetes.io/zone': index % 3 === 0 ? 'b' : 'a' }),
      },
      annotations: kept === undefined ? {} : { [kept]: index % 2 === 1 ? 'true' : 'false' },
      unschedulable: false,
      ready: { status: true, since: timestamp(this.now) },
      bootID: bootIDOf(machine),
      hostID,
      deleting: false,
      os: { version: machine.version, variant: machine.variant, arch: 'amd64' },
      volumesAttached: [`web-${name}`],
    });
    this.pods.put(`cni-${name}`, { ...aDaemonSetPod(`cni-${name}`), node: name, guarded: false });
    this.pods.put(`web-${name}`, {
      ...aPod(`web-${name}`, { labels: { app: `web-${name}` }, attachable: 1 }),
      uid: `web-${this.serial()}`,
      node: name,
      guarded: false,
    });
    if (this.setup.tolerant) this.#putTolerant(name);
  }

  /** A pod of a controller that wants it on this node, cordoned or not. */
  #putTolerant(node: string): void {
    const name = `log-${node}`;
    const controller = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name };
    this.pods.put(name, {
      ...aPod(name, { labels: { app: name }, controller, toleratesCordon: true }),
      uid: `log-${this.serial()}`,
      node,
      guarded: false,
    });
  }

  /** The next version comes out. */
  release(): void {
    const version = VERSIONS[this.released];
    if (version === undefined) return;
    this.released += 1;
    this.releasedAt.set(version, this.now);
  }

  createPolicy(name: 'a' | 'b'): void {
    if (this.policies.get(name) !== undefined) return;
    const { maxUnavailable, failureBudget, manual, calendar, onClose, grouped, hooks = false, checked = false } = this.setup;
    const { minAge = 0, drainMode = 'Evict', onTimeout = 'Skip' } = this.setup;
    const groups = grouped ? [CANARY] : [];
    const { resourceVersion: _, ...policy } = aPolicy({
      name,
      uid: `uid-${this.serial()}-${name}`,
      spec: {
        ...(name === 'b' && { nodeSelector: { matchLabels: { pool: 'odd' } }, priority: 1 }),
        approval: manual ? 'Manual' : 'Automatic',
        rollout: { maxUnavailable, failureBudget, groups, soak: grouped ? '1m' : '0s' },
        version: { minAge: `${minAge}m` },
        schedule: scheduleOf(calendar, onClose),
        staging: { maxParallel: '50%' },
        drain: { mode: drainMode, timeout: '10m', onTimeout, loadBalancerDelay: name === 'b' ? '2m' : '0s' },
        reboot: { timeout: '10m' },
        ...(hooks && { hooks: HOOKS }),
        ...(checked && { checks: [{ pods: { namespace: 'shop', minReady: 1 } }] }),
      },
    });
    this.policies.put(name, policy);
  }

  /** A pod that no controller would create again. */
  addNakedPod(node: string): void {
    if (this.nodes.get(node) === undefined) return;
    const { controller: _, ...pod } = aPod(`bare-${node}`);
    this.pods.put(pod.name, { ...pod, node, guarded: false });
  }

  /** The Node goes, and with it what it owns, and its pods. */
  deleteNode(name: string): void {
    this.nodes.delete(name);
    for (const pod of this.pods.items) if (pod.node === name) this.#remove(pod);
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
    this.watchman.boots(machine);
    const { activated, staged, flaw } = machine;
    if (activated && staged !== undefined && flaw !== 'rollsBack') machine.version = staged;
    Object.assign(machine, { boot: machine.boot + 1, activated: false, staged: undefined, asked: undefined, reported: false });
    for (const pod of this.pods.items)
      if (pod.node === machine.name && pod.ready) this.pods.patch(pod.name, undefined, () => ({ ready: false }));
  }

  /** The kubelet reports; nothing where its node is not registered. */
  report(machine: Machine): void {
    const node = this.nodes.get(machine.name);
    if (node === undefined || machine.asked !== undefined) return;
    const bootID = bootIDOf(machine);
    const ready = machine.flaw !== 'staysNotReady';
    machine.reported = true;
    if (node.bootID === bootID && node.ready.status === ready) return;
    this.nodes.patch(machine.name, undefined, () => ({
      bootID,
      os: { version: machine.version, variant: machine.variant, arch: 'amd64' },
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
      const used = volumesAttached.filter((volume) => this.pods.get(volume)?.node === name);
      if (used.length < volumesAttached.length) this.nodes.patch(name, undefined, () => ({ volumesAttached: used }));
    }
    for (const pod of this.pods.items) {
      const machine = this.machines.find(({ name }) => name === pod.node);
      if (machine?.reported === false) continue;
      if (pod.terminating) this.#remove(pod);
      else if (pod.node === '') this.#bind(pod);
      else if (!pod.ready) this.pods.patch(pod.name, undefined, () => ({ ready: true }));
    }
  }

  /** Jobs end: as they should, or as their machine's flaw has it. */
  workJobs(): void {
    for (const { hook, createdAt, view } of this.jobs.items) {
      if (view.state !== 'Active') continue;
      const flaw = this.machines.find(({ name }) => name === hook.node)?.flaw;
      const late = createdAt + hook.timeoutMs <= this.now;
      if (flaw === 'hangsHooks' && !late) continue;
      const failed = flaw === 'failsHooks' || flaw === 'hangsHooks';
      const ended: JobView = failed ? { state: 'Failed', timedOut: late, message: 'as it was told' } : { state: 'Succeeded' };
      this.jobs.patch(`${hook.namespace}/${hook.name}`, undefined, () => ({ view: ended }));
    }
  }

  #remove(pod: SimPod): void {
    this.pods.delete(pod.name);
    if (pod.controller?.kind !== 'ReplicaSet') return;
    this.pods.put(pod.name, { ...pod, uid: `${pod.name}-${this.serial()}`, node: '', ready: false, terminating: false, guarded: false });
  }

  #bind(pod: SimPod): void {
    const home = pod.toleratesCordon === true ? pod.name.slice('log-'.length) : undefined;
    const fit = this.nodes.items.filter(
      ({ name, unschedulable, ready }) => ready.status && (home === undefined ? !unschedulable : name === home),
    );
    const node = fit[this.serial() % Math.max(1, fit.length)];
    if (node === undefined) return;
    this.pods.patch(pod.name, undefined, () => ({ node: node.name }));
    if (pod.attachable === undefined || node.volumesAttached?.includes(pod.name)) return;
    this.nodes.patch(node.name, undefined, ({ volumesAttached = [] }) => ({ volumesAttached: [...volumesAttached, pod.name] }));
  }
}

const mapped = (values: Readonly<Record<string, string>>, to: string) => Object.fromEntries(Object.keys(values).map((name) => [name, to]));

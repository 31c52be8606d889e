import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS, MANAGED_LABEL } from '../../api/names.ts';
import { policySpecOf } from '../../api/update-policy.ts';
import { type DisruptionBudget, type Instant, timestamp } from '../world.ts';
import { BEGIN, scheduleOf } from './calendar.ts';
import { Cluster, type Surroundings } from './cluster.ts';
import { bootIDOf, type Machine } from './objects.ts';
import { daemonSetPod, replicaSetPod } from './pods.ts';
import type { Setup } from './setup.ts';

/** The namespace of all hooks. */
const HOOK_NAMESPACE = 'ops';
const HOOKS = (['Finally', 'AfterReboot', 'BeforeReboot', 'BeforeDrain', 'Finally'] as const).map((at) => ({
  at,
  cronJob: { namespace: HOOK_NAMESPACE, name: 'hook' },
  timeout: '5m',
}));

export const VERSIONS = ['1.0.0', '1.1.0', '1.2.0', '1.3.0'] as const;

/** The group that goes first in a grouped world. */
const CANARY = { name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak: '3m' };

/** The cluster of a random world: made by a setup, its machines are offered one version after the other. */
export class RandomCluster extends Cluster {
  readonly setup: Setup;
  guarded = true;
  standby = false;
  checksHold = true;
  /** How many of VERSIONS have been released. */
  released = 2;
  /** When each of them was. */
  readonly releasedAt = new Map<string, Instant>(VERSIONS.slice(0, 2).map((version) => [version, BEGIN]));

  constructor(setup: Setup) {
    super(
      Array.from({ length: setup.nodes }, (_, index) => machineAt(setup, index)),
      BEGIN,
    );
    this.setup = setup;
    for (const machine of this.machines) this.register(machine);
    this.createPolicy('a');
    if (setup.second) this.createPolicy('b');
    if (setup.selfNode !== undefined) {
      const node = `n${setup.selfNode % setup.nodes}`;
      this.putPod({ ...replicaSetPod('lockkeeper', { namespace: 'lockkeeper' }), node, guarded: false });
    }
  }

  surroundings(): Surroundings {
    const { guarded, standby, setup } = this;
    return {
      guarded,
      standby,
      ...(setup.selfNode !== undefined && {
        self: { namespace: 'lockkeeper', pod: 'lockkeeper', node: this.pods.get('lockkeeper/lockkeeper')?.node ?? '' },
      }),
      budgets: new Map([['shop', this.#budgets()]]),
      daemonSets: new Set(['kube-system/cni']),
      hookNamespaces: [HOOK_NAMESPACE],
      prometheusHosts: [],
      retry: { baseMs: 30_000, maxMs: 600_000 },
    };
  }

  offered({ waits = false }: Partial<Machine> = {}): readonly string[] {
    return VERSIONS.slice(0, waits ? this.released - 1 : this.released).reverse();
  }

  failedCheck(): string | undefined {
    return this.checksHold ? undefined : 'a check';
  }

  /** The budgets of guarded pods: each has one of its own. */
  #budgets(): DisruptionBudget[] {
    return this.pods.items
      .filter(({ guarded, terminating }) => guarded !== false && !terminating)
      .map(({ name, guarded, ready }) => ({
        namespace: 'shop',
        name,
        selector: { matchLabels: { app: name } },
        observed: true,
        disruptionsAllowed: 0,
        currentHealthy: ready ? 2 : 1,
        desiredHealthy: 2,
        expectedPods: guarded === 'never' ? 2 : 3,
      }));
  }

  /** The node registers, as a new one. */
  register(machine: Machine, outdated = false): void {
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
      ...(outdated && { outdated }),
      os: { version: machine.version, variant: machine.variant, arch: machine.arch },
      volumesAttached: [`web-${name}`],
    });
    this.putPod({ ...daemonSetPod(`cni-${name}`), node: name, guarded: false });
    this.putPod({
      ...replicaSetPod(`web-${name}`, { labels: { app: `web-${name}` }, attachable: 1 }),
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
    this.putPod({
      ...replicaSetPod(name, { labels: { app: name }, controller, toleratesCordon: true }),
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
    const { minAge = 0, drainMode = 'Evict', onTimeout = 'Skip', onExceeded = 'Halt' } = this.setup;
    const groups = grouped ? [CANARY] : [];
    this.policies.put(name, {
      name,
      uid: `uid-${this.serial()}-${name}`,
      generation: 1,
      deleting: false,
      annotations: {},
      status: {},
      spec: policySpecOf({
        ...(name === 'b' && { nodeSelector: { matchLabels: { pool: 'odd' } }, priority: 1 }),
        approval: manual ? 'Manual' : 'Automatic',
        rollout: { maxUnavailable, failureBudget, onExceeded, groups, soak: grouped ? '1m' : '0s', minReadySeconds: name === 'b' ? 0 : 10 },
        version: { minAge: `${minAge}m` },
        schedule: scheduleOf(calendar, onClose),
        staging: { maxParallel: '50%' },
        drain: { mode: drainMode, timeout: '10m', onTimeout, loadBalancerDelay: name === 'b' ? '2m' : '0s' },
        reboot: { timeout: '10m' },
        ...(hooks && { hooks: HOOKS }),
        ...(checked && { checks: [{ pods: { namespace: 'shop', minReady: 1 } }] }),
      }),
    });
  }

  /** A pod that no controller would create again. */
  addNakedPod(node: string): void {
    if (this.nodes.get(node) === undefined) return;
    const { controller: _, ...pod } = replicaSetPod(`bare-${node}`);
    this.putPod({ ...pod, node, guarded: false });
  }
}

const machineAt = ({ mixed, fragile }: Setup, index: number): Machine => ({
  name: `n${index}`,
  hostID: `host-${index}`,
  variant: mixed && index % 2 === 1 ? 'metal-k8s' : 'aws-k8s',
  arch: 'amd64',
  boot: 1,
  version: VERSIONS[0],
  activated: false,
  reported: true,
  agentUp: true,
  ...(fragile === index && { flaw: 'needsItsVersion', fine: VERSIONS[0] }),
});

const mapped = (values: Readonly<Record<string, string>>, to: string) => Object.fromEntries(Object.keys(values).map((name) => [name, to]));

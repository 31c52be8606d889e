import type { CordonRecord } from '../../api/cordon-record.ts';
import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS, MANAGED_LABEL, ON_NODE } from '../../api/names.ts';
import type { Order } from '../../api/node-host.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import type { Command, HookRun, RefreshSettings } from '../command.ts';
import { planDrain } from '../drain-plan.ts';
import { type Instant, type NodeView, timestamp, type World } from '../world.ts';
import type { Cluster } from './cluster.ts';
import type { SimHost, SimNode, SimPod } from './objects.ts';
import { Cache, ConflictError, type Store } from './store.ts';

/** The caches of a controller that has just listed everything. */
export const freshCaches = ({ policies, nodes, updates, hosts, pods, jobs }: Cluster) => ({
  policies: new Cache(policies),
  nodes: new Cache(nodes),
  updates: new Cache(updates),
  hosts: new Cache(hosts),
  pods: new Cache(pods),
  jobs: new Cache(jobs),
});

/** Whether two statuses are equal, so that no write is made. */
export function isSame(before: unknown, after: unknown): boolean {
  if (before === after) return true;
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) return false;
  const [old, present] = [before, after] as [Record<string, unknown>, Record<string, unknown>];
  const keys = Object.keys(present);
  return keys.length === Object.keys(old).length && keys.every((key) => key in old && isSame(old[key], present[key]));
}

/** One node's writes, each under the resourceVersion that the decision saw or that its own last write left. */
export class NodeWriter {
  readonly #cluster: Cluster;
  readonly #caches: ReturnType<typeof freshCaches>;
  readonly #world: World;
  readonly #decidedAt: Instant;
  #node: NodeView;
  /** The node's pods as they were listed for a Reboot order. */
  #listed: readonly SimPod[] = [];

  constructor(cluster: Cluster, caches: ReturnType<typeof freshCaches>, world: World, node: NodeView, decidedAt: Instant) {
    this.#cluster = cluster;
    this.#caches = caches;
    this.#world = world;
    this.#decidedAt = decidedAt;
    this.#node = node;
  }

  /** The API calls that a command takes, one after the other. */
  carryOut(command: Command): (() => void)[] {
    switch (command.type) {
      case 'CreateObjects':
        return [() => this.#createUpdate(), ...(command.host ? [() => this.#createHost(command.refresh)] : [])];
      case 'WriteStatus':
        return [() => this.writeStatus(command.status)];
      case 'LabelManaged':
        return [() => this.#patchNode(({ labels }) => ({ labels: { ...labels, [MANAGED_LABEL]: 'true' } }))];
      case 'SetRefresh':
        return [() => this.#patchHost(({ spec }) => ({ spec: { ...spec, ...command.refresh } }))];
      case 'Order':
        return [() => this.#order(command.order)];
      case 'OrderReboot':
        return [
          () => this.#checkDrained(command),
          () => this.writeStatus(command.status),
          () => {
            const { order, record } = command;
            const [decidedAt, listed] = [this.#decidedAt, this.#listed];
            this.#cluster.witness.ordersReboot?.(this.#world, this.#node, { order, record, decidedAt, listed });
            this.#order(command.order);
          },
        ];
      case 'Cordon':
        return [
          () =>
            this.#patchNode(({ annotations, labels }) => ({
              unschedulable: true,
              record: command.record,
              annotations: { ...annotations, ...command.annotations },
              labels: { ...labels, ...command.labels },
            })),
        ];
      case 'UpdateRecord':
        return [() => this.#patchNode(() => ({ record: command.record }))];
      case 'CordonAgain':
        return [() => this.#patchNode(() => ({ unschedulable: true }))];
      case 'Uncordon':
        return [() => this.#uncordon(command.record)];
      case 'RunHook':
        return [() => this.#isUnchanged(), () => this.#makeJob(command.hook)];
      case 'Fence':
        return [() => this.#patchNode(({ annotations }) => ({ annotations: { ...annotations, [ON_NODE.fence]: command.claim } }))];
      case 'Untaint':
        return [() => this.#patchNode(() => ({ outdated: undefined }))];
      case 'Sweep':
        return [
          () =>
            this.#patchNode(({ labels, annotations }) => {
              const { [MANAGED_LABEL]: _label, ...otherLabels } = labels;
              const { [ON_NODE.fence]: _fence, ...otherAnnotations } = annotations;
              return { labels: otherLabels, annotations: otherAnnotations, outdated: undefined };
            }),
        ];
    }
  }

  writeStatus(status: NodeUpdateStatus): void {
    const { name, update } = this.#node;
    if (update === undefined) throw new ConflictError(`no NodeUpdate ${name}`);
    if (isSame(update.status, status)) return;
    const { resourceVersion } = this.#cluster.updates.patch(name, update.resourceVersion, () => ({ status }));
    this.#caches.updates.observe(name);
    this.#cluster.witness.statusWritten?.(name, status);
    this.#node = { ...this.#node, update: { ...update, resourceVersion, status } };
  }

  #checkDrained({ record, context }: Command & { type: 'OrderReboot' }): void {
    const { name } = this.#node;
    this.#listed = this.#cluster.pods.group(name);
    const { evict, later, waitFor, errors } = planDrain(this.#listed, record.drain, context);
    if (evict.length + later.length + waitFor.length + errors.length > 0) throw new ConflictError(`pods have come to ${name}`);
  }

  #isUnchanged(): void {
    const { name, update } = this.#node;
    if (this.#cluster.updates.get(name)?.resourceVersion !== update?.resourceVersion) throw new ConflictError(`${name} has changed`);
  }

  /** As the controller does: a Job that is there already is taken notice of. */
  #makeJob(hook: HookRun): void {
    const { jobs, now, witness } = this.#cluster;
    const key = `${hook.namespace}/${hook.name}`;
    const known = jobs.get(key) !== undefined;
    if (!known) {
      witness.makesJob?.(hook);
      jobs.put(key, { hook, createdAt: now, view: { state: 'Active', createdAt: timestamp(now) } });
    }
    this.#caches.jobs.observe(key);
    if (known) throw new ConflictError(`${key} is there`);
  }

  #createUpdate(): void {
    if (this.#node.update !== undefined) return;
    const { name, uid } = this.#node;
    const { resourceVersion } = this.#create(this.#cluster.updates, { nodeUID: uid, annotations: {}, status: {} });
    this.#caches.updates.observe(name);
    this.#node = { ...this.#node, update: { resourceVersion, annotations: {}, status: {} } };
  }

  #createHost(refresh: RefreshSettings): void {
    if (this.#node.host !== undefined) return;
    const { name, uid } = this.#node;
    const { resourceVersion } = this.#create(this.#cluster.hosts, { nodeUID: uid, spec: refresh, status: {} });
    this.#caches.hosts.observe(name);
    this.#node = { ...this.#node, host: { resourceVersion, spec: refresh, status: {} } };
  }

  /** As the controller does: what an earlier node owned is removed, and made anew in the next pass. */
  #create<T extends { resourceVersion: string; nodeUID: string }>(store: Store<T>, value: Omit<T, 'resourceVersion'>): T {
    const { name, uid } = this.#node;
    const existing = store.get(name);
    if (existing !== undefined && existing.nodeUID !== uid) store.delete(name);
    if (existing !== undefined) throw new ConflictError(`${name} was there already`);
    if (this.#cluster.nodes.get(name)?.uid !== uid) throw new ConflictError(`the owner of ${name} is gone`);
    return store.put(name, value);
  }

  #order(order: Order): void {
    this.#patchHost(({ spec }) => ({ spec: { ...spec, order } }));
  }

  #uncordon({ claim, prior }: CordonRecord): void {
    this.#patchNode(({ annotations, labels }) => {
      const restored: Record<string, string> = { ...annotations, [ON_NODE.fence]: claim };
      const kept = Object.entries(labels).filter(([name, value]) => value !== CORDON_LABELS[name] || prior.labels?.[name] !== null);
      for (const [name, value] of Object.entries(prior.annotations)) {
        if (annotations[name] !== KEEP_NODE_ANNOTATIONS[name]) continue;
        delete restored[name];
        if (value !== null) restored[name] = value;
      }
      return { unschedulable: prior.unschedulable, record: undefined, annotations: restored, labels: Object.fromEntries(kept) };
    });
  }

  #patchNode(change: (node: SimNode) => { [Key in keyof SimNode]?: SimNode[Key] | undefined }): void {
    const { name, resourceVersion } = this.#node;
    const before = this.#cluster.nodes.get(name);
    const after = this.#cluster.nodes.patch(name, resourceVersion, (node) => change(node) as Partial<SimNode>);
    this.#caches.nodes.observe(name);
    this.#node = { ...this.#node, resourceVersion: after.resourceVersion };
    if (before !== undefined) this.#cluster.witness.nodeWritten?.(before, after, this.#world);
  }

  #patchHost(change: (host: SimHost) => Partial<SimHost>): void {
    const { name, host } = this.#node;
    if (host === undefined) throw new ConflictError(`no NodeHost ${name}`);
    const { resourceVersion } = this.#cluster.hosts.patch(name, host.resourceVersion, change);
    this.#caches.hosts.observe(name);
    this.#node = { ...this.#node, host: { ...host, resourceVersion } };
  }
}

import type { ContainerInstance, Service } from '@aws-sdk/client-ecs';
import type { BlockedPod } from '../api/node-update.ts';
import type { PolicyFile } from '../cli/policy-file.ts';
import type { Command, Decision, NodeDecision, PolicyDecision } from '../core/command.ts';
import { podKey } from '../core/drain-settings.ts';
import type { Instant, PodView, RetrySettings, World } from '../core/world.ts';
import type { EcsApi } from './aws.ts';
import { Stale } from './errors.ts';
import { type Instance, isBottlerocket, isGone, nodeOf, readiness } from './instances.ts';
import { type KeptPolicy, policyViews } from './policies.ts';
import { INSTANCE_PREFIX, type InstanceRecord, instanceRecordSchema, POLICY_PREFIX, readRecord } from './records.ts';
import type { Table } from './table.ts';
import { budgetOfService, missingOf, podOfReplacement, podOfTask, serviceOf } from './tasks.ts';
import { InstanceWriter } from './writer.ts';

const NEW_RECORD: InstanceRecord = {
  changes: 0,
  update: {},
  host: { spec: { refreshInterval: '1h', ignoreWaves: false }, status: {} },
};

/** One ECS cluster as it was read last, and what may be done to it. */
export class EcsCluster {
  readonly #ecs: EcsApi;
  readonly #table: Table;
  readonly #name: string;
  readonly #files: readonly PolicyFile[];
  readonly #retry: RetrySettings;
  #instances = new Map<string, Instance>();
  #policies = new Map<string, KeptPolicy>();
  /** Of the instances that the last decision wanted to look at. */
  #pods = new Map<string, readonly PodView[]>();
  #services = new Map<string, Service>();
  #wanted: readonly string[] = [];

  constructor(deps: { ecs: EcsApi; table: Table; name: string; files: readonly PolicyFile[]; retry: RetrySettings }) {
    this.#ecs = deps.ecs;
    this.#table = deps.table;
    this.#name = deps.name;
    this.#files = deps.files;
    this.#retry = deps.retry;
  }

  get instances(): readonly Instance[] {
    return [...this.#instances.values()];
  }

  /** Reads the cluster anew: its instances, and what is kept of them. */
  async read(now: Instant): Promise<void> {
    const listed = await this.#ecs.listInstances();
    await this.#table.read();
    const kept = this.#table.under(INSTANCE_PREFIX).map(({ id }) => id.slice(INSTANCE_PREFIX.length));
    const seen = await this.#ecs.describeInstances([...new Set([...listed, ...kept])]);
    const present = seen.filter((one) => !isGone(one) && isBottlerocket(one) && one.containerInstanceArn !== undefined);
    this.#instances = new Map(present.map((one) => [nameOf(one), this.#instanceOf(one, now)]));
    const arns = new Set(present.map(({ containerInstanceArn }) => containerInstanceArn));
    for (const arn of kept) {
      const item = this.#table.get(INSTANCE_PREFIX + arn);
      if (!arns.has(arn) && item !== undefined) await this.#table.remove(item.id, item.version);
    }
    this.#policies = policyViews(this.#files, this.#table, this.#name);
    this.#services.clear();
    await this.#look();
  }

  /** The world as a decision sees it. */
  world(): World {
    const budgets = [...this.#services.values()].map(budgetOfService);
    return {
      policies: [...this.#policies.values()].map(({ view }) => view),
      nodes: this.instances.map(nodeOf),
      // Nobody but this process writes what hosts are told: there is nothing to guard it from.
      guarded: true,
      standby: false,
      pods: this.#pods,
      daemonSets: new Set(),
      budgets: Map.groupBy(budgets, ({ namespace }) => namespace),
      blockedPods: this.#blocked(),
      hookNamespaces: [],
      jobs: new Map(),
      checks: new Map(),
      prometheusHosts: [],
      retry: this.#retry,
    };
  }

  /** Looks at the tasks that the next decision wants to see; true where it has not seen them yet. */
  async want({ lookAt, drains }: Decision): Promise<boolean> {
    const fresh = lookAt.filter((name) => !this.#pods.has(name));
    this.#wanted = lookAt;
    // Tasks of services leave by themselves; only where the policy says so is stopped what is left.
    for (const { node, evict, force } of drains)
      if (force === true) for (const { uid } of evict) await this.#ecs.stopTask(uid, `Lockkeeper drains ${node}`);
    for (const name of fresh) await this.#lookAt(name);
    return fresh.length > 0;
  }

  /** Whether there is something to be kept of an instance that is not yet. */
  isUnsaved({ arn, record, version }: Instance): boolean {
    const item = this.#table.get(INSTANCE_PREFIX + arn);
    if (item === undefined || item.version !== version) return item === undefined;
    return readRecord(instanceRecordSchema, item.id, item.data).ready?.since !== record.ready?.since;
  }

  /** Replaces what is known of an instance by what was written. */
  keep(instance: Instance): void {
    this.#instances.set(instance.id, instance);
  }

  /** Writes an instance's record under the version that was seen. Throws Stale. */
  async write(instance: Instance, record: InstanceRecord): Promise<Instance> {
    const version = await this.#table.put(INSTANCE_PREFIX + instance.arn, instance.version, record);
    const written = { ...instance, record, version };
    this.keep(written);
    return written;
  }

  async writePolicy({ policy, status }: PolicyDecision): Promise<void> {
    const kept = this.#policies.get(policy);
    if (kept === undefined) throw new Stale(`policy ${policy} is gone`);
    const { view, record } = kept;
    const version = await this.#table.put(POLICY_PREFIX + policy, Number(view.resourceVersion), { ...record, status });
    this.#policies.set(policy, { record: { ...record, status }, view: { ...view, status, resourceVersion: String(version) } });
  }

  policyStatus(policy: string): object | undefined {
    return this.#policies.get(policy)?.record.status;
  }

  /** Carries out what was decided for one instance; what was done stays known where something fails. */
  async carryOut({ node, status }: NodeDecision, commands: readonly Command[], onDone: (command: Command) => void): Promise<boolean> {
    const instance = this.#instances.get(node);
    if (instance === undefined) throw new Stale(`${node} is gone`);
    const writer = new InstanceWriter(
      { ecs: this.#ecs, table: this.#table, podsOf: (one) => this.#podsOf(one), runningOf: (one) => this.#runningOf(one) },
      instance,
    );
    try {
      for (const command of commands) {
        await writer.carryOut(command);
        onDone(command);
      }
      if (commands.length === 0) await writer.carryOut({ type: 'WriteStatus', status });
      await writer.flush();
      return writer.instance.version !== instance.version;
    } finally {
      this.keep(writer.instance);
    }
  }

  async #look(): Promise<void> {
    this.#pods.clear();
    for (const name of this.#wanted) await this.#lookAt(name);
  }

  async #lookAt(name: string): Promise<void> {
    const instance = this.#instances.get(name);
    if (instance !== undefined) this.#pods.set(name, await this.#podsOf(instance));
  }

  /** Its tasks, and one for each service that lost some by the drain and has not replaced them yet. */
  async #podsOf({ arn, record }: Instance): Promise<PodView[]> {
    const tasks = await this.#ecs.tasksOf(arn);
    const before = record.services ?? {};
    const names = new Set([...tasks.flatMap((task) => serviceOf(task) ?? []), ...Object.keys(before)]);
    await this.#readServices([...names], record.services !== undefined);
    const replaced = Object.entries(before).flatMap(([name, running]) => {
      const service = this.#services.get(name);
      const missing = service === undefined ? 0 : missingOf(service, running);
      return missing === 0 ? [] : [podOfReplacement(name, missing)];
    });
    return [...tasks.map(podOfTask), ...replaced];
  }

  async #runningOf({ arn }: Instance): Promise<Record<string, number>> {
    const names = [...new Set((await this.#ecs.tasksOf(arn)).flatMap((task) => serviceOf(task) ?? []))];
    await this.#readServices(names, true);
    return Object.fromEntries(names.map((name) => [name, this.#services.get(name)?.runningCount ?? 0]));
  }

  async #readServices(names: readonly string[], anew: boolean): Promise<void> {
    const wanted = names.filter((name) => anew || !this.#services.has(name));
    if (wanted.length === 0) return;
    for (const service of await this.#ecs.services(wanted)) this.#services.set(service.serviceName ?? '', service);
  }

  #blocked(): Map<string, BlockedPod[]> {
    const blocked = new Map<string, BlockedPod[]>();
    for (const [name, pods] of this.#pods) {
      if (this.#instances.get(name)?.record.cordon === undefined) continue;
      const waits = pods.map((pod) => ({ pod: podKey(pod), reason: pod.controller === undefined ? 'RunsByItself' : 'WaitsForService' }));
      if (waits.length > 0) blocked.set(name, waits);
    }
    return blocked;
  }

  #instanceOf(seen: ContainerInstance, now: Instant): Instance {
    const arn = seen.containerInstanceArn ?? '';
    const item = this.#table.get(INSTANCE_PREFIX + arn);
    const known = item === undefined ? NEW_RECORD : readRecord(instanceRecordSchema, item.id, item.data);
    return { arn, id: nameOf(seen), seen, record: { ...known, ready: readiness(seen, known.ready, now) }, version: item?.version ?? 0 };
  }
}

const nameOf = ({ ec2InstanceId, containerInstanceArn }: ContainerInstance): string => ec2InstanceId ?? containerInstanceArn ?? '';

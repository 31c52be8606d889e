import type { ContainerInstance } from '@aws-sdk/client-ecs';
import type { PolicyFile } from '../cli/policy-file.ts';
import type { Command, Decision, NodeDecision, PolicyDecision } from '../core/command.ts';
import type { Instant, RetrySettings, World } from '../core/world.ts';
import type { Place } from './advice.ts';
import type { EcsApi } from './ecs-api.ts';
import { AwsError, Stale } from './errors.ts';
import { type Instance, isBottlerocket, isGone, nodeOf, readiness } from './instances.ts';
import { type KeptPolicy, policyViews } from './policies.ts';
import { INSTANCE_PREFIX, type InstanceRecord, instanceRecordSchema, POLICY_PREFIX, readRecord } from './records.ts';
import type { Table } from './table.ts';
import type { Item } from './table-api.ts';
import { Workloads } from './workloads.ts';
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
  readonly #workloads: Workloads;
  #wanted: readonly string[] = [];
  readonly #unreadable = new Map<string, Error>();

  constructor(deps: { ecs: EcsApi; table: Table; name: string; files: readonly PolicyFile[]; retry: RetrySettings }) {
    this.#ecs = deps.ecs;
    this.#workloads = new Workloads(deps.ecs);
    this.#table = deps.table;
    this.#name = deps.name;
    this.#files = deps.files;
    this.#retry = deps.retry;
  }

  /** Those whose record could be read. */
  get instances(): readonly Instance[] {
    return [...this.#instances.values()].filter(({ unreadable }) => unreadable !== true);
  }

  /** Items of the table that cannot be read, with why: nothing is written over them. */
  get unreadable(): ReadonlyMap<string, Error> {
    return this.#unreadable;
  }

  /** What messages about it need to know. */
  get place(): Place {
    return { cluster: this.#name, containerInstance: (node) => this.#instances.get(node)?.arn.split('/').at(-1) };
  }

  /** Reads the cluster anew: its instances, and what is kept of them. What is kept of those that are gone is forgotten. */
  async read(now: Instant): Promise<void> {
    await this.observe(now);
    const arns = new Set([...this.#instances.values()].map(({ arn }) => arn));
    for (const { id, version } of this.#table.under(INSTANCE_PREFIX))
      if (!arns.has(id.slice(INSTANCE_PREFIX.length))) await this.#table.remove(id, version);
  }

  /** The same, and changes nothing. */
  async observe(now: Instant): Promise<void> {
    const listed = await this.#ecs.listInstances();
    await this.#table.read();
    this.#unreadable.clear();
    const kept = this.#table.under(INSTANCE_PREFIX).map(({ id }) => id.slice(INSTANCE_PREFIX.length));
    const seen = await this.#ecs.describeInstances([...new Set([...listed, ...kept])]);
    const present = seen.filter((one) => !isGone(one) && isBottlerocket(one) && one.containerInstanceArn !== undefined);
    this.#instances = new Map(present.map((one) => [nameOf(one), this.#instanceOf(one, now)]));
    this.#policies = policyViews(this.#files, this.#table, this.#name, (id, error) => this.#unreadable.set(id, error));
    this.#workloads.forget();
    await this.#workloads.look(this.#named(this.#wanted));
  }

  /** Looks at the tasks of all instances. */
  lookAtAll(): Promise<void> {
    return this.#workloads.look([...this.#instances.values()]);
  }

  /** The world as a decision sees it. */
  world(): World {
    return {
      policies: [...this.#policies.values()].map(({ view }) => view),
      nodes: [...this.#instances.values()].map(nodeOf),
      // Nobody but this process writes what hosts are told: there is nothing to guard it from.
      guarded: true,
      standby: false,
      pods: this.#workloads.pods,
      daemonSets: new Set(),
      budgets: this.#workloads.budgets(),
      blockedPods: this.#workloads.blocked((id) => this.#instances.get(id)?.record.cordon !== undefined),
      hookNamespaces: [],
      jobs: new Map(),
      checks: new Map(),
      prometheusHosts: [],
      retry: this.#retry,
    };
  }

  /** Looks at the tasks that the next decision wants to see; true where it has not seen them yet. */
  async want({ lookAt, drains }: Decision): Promise<boolean> {
    const fresh = this.#named(lookAt).filter((one) => !this.#workloads.hasSeen(one));
    this.#wanted = lookAt;
    // Tasks of services leave by themselves; only where the policy says so is stopped what is left.
    for (const { node, evict, force } of drains)
      if (force === true) for (const { uid } of evict) await this.#ecs.stopTask(uid, `Lockkeeper drains ${node}`);
    await this.#workloads.look(fresh);
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
    const { view, record, unreadable } = kept;
    if (unreadable === true) return;
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
    if (instance.unreadable === true) return false;
    const writer = new InstanceWriter({ ecs: this.#ecs, table: this.#table, workloads: this.#workloads }, instance);
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

  #named(names: readonly string[]): Instance[] {
    return names.flatMap((name) => this.#instances.get(name) ?? []);
  }

  #instanceOf(seen: ContainerInstance, now: Instant): Instance {
    const arn = seen.containerInstanceArn ?? '';
    const item = this.#table.get(INSTANCE_PREFIX + arn);
    const { record, unreadable } = this.#recordOf(item);
    return {
      arn,
      id: nameOf(seen),
      seen,
      record: { ...record, ready: readiness(seen, record.ready, now) },
      version: item?.version ?? 0,
      ...(unreadable && { unreadable }),
    };
  }

  #recordOf(item: Item | undefined): { record: InstanceRecord; unreadable: boolean } {
    if (item === undefined) return { record: NEW_RECORD, unreadable: false };
    try {
      return { record: readRecord(instanceRecordSchema, item.id, item.data), unreadable: false };
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      this.#unreadable.set(item.id, error);
      return { record: NEW_RECORD, unreadable: true };
    }
  }
}

const nameOf = ({ ec2InstanceId, containerInstanceArn }: ContainerInstance): string => ec2InstanceId ?? containerInstanceArn ?? '';

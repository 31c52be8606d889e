import type { ContainerInstance, Service, Task } from '@aws-sdk/client-ecs';
import type { EcsApi } from '../ecs-api.ts';
import { Stale } from '../errors.ts';
import type { InstanceRecord, PolicyRecord } from '../records.ts';
import type { SsmApi } from '../ssm-api.ts';
import type { Item, TableApi } from '../table-api.ts';
import { FakeHost } from './fake-host.ts';

/**
 * When a process is to die: at one of its calls, before it is sent, or once it was carried out and nobody has heard of it; late, where it
 * is carried out only after `deliver`, as what lay in a socket. A change of an instance's state is never late: ECS could not refuse it.
 */
export interface CrashPlan {
  readonly call: number;
  readonly when: 'before' | 'after' | 'late';
}

/** The APIs as one process has them. */
export interface Wires {
  readonly ecs: EcsApi;
  readonly ssm: SsmApi;
  readonly table: TableApi;
  readonly calls: readonly string[];
  readonly died: () => boolean;
}

const TASK_MS = 20_000;
const COMMAND_MS = 5_000;
const instanceItem = (arn: string): string => `instance/${arn}`;

/** Two container instances with one service, of which the first is to be updated; time is what the test says. Notes what must not be. */
export class FakeAws {
  now = Date.parse('2026-11-23T12:00:00Z');
  readonly wrong: string[] = [];
  readonly claims = new Set<string>();
  readonly changes: string[] = [];
  /** Tasks that were stopped by a call, each with how long its instance had been drained for, in milliseconds. */
  readonly stopped: { task: string; afterMs: number }[] = [];
  readonly items = new Map<string, Item>();
  readonly hosts: ReadonlyMap<string, FakeHost>;
  readonly #states = new Map<string, 'ACTIVE' | 'DRAINING'>();
  readonly #tasks: { arn: string; instance: string; alone?: true }[] = [];
  readonly #drainedAt = new Map<string, number>();
  #late: (() => Promise<unknown>) | undefined;
  readonly #commands = new Map<string, { endsAt: number; output: string | undefined }>();

  constructor(version: string) {
    this.hosts = new Map(['i-1', 'i-2'].map((id) => [id, new FakeHost(version)]));
    const [, other] = this.hosts.values();
    if (other !== undefined) other.version = version;
    for (const id of this.hosts.keys()) {
      this.#states.set(id, 'ACTIVE');
      this.#tasks.push({ arn: `task/${id}`, instance: id });
    }
  }

  get states(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#states);
  }

  record(id: string): InstanceRecord | undefined {
    const item = this.items.get(instanceItem(id));
    return item && (JSON.parse(item.data) as InstanceRecord);
  }

  /** Starts a task of no service, which leaves by itself never. */
  startTask(instance: string): void {
    this.#tasks.push({ arn: `task/alone-${instance}`, instance, alone: true });
  }

  /** Time passes: tasks leave instances that are drained. */
  pass(milliseconds: number): void {
    this.now += milliseconds;
    const [active] = [...this.#states].filter(([, state]) => state === 'ACTIVE').map(([id]) => id);
    for (const task of this.#tasks)
      if (task.alone !== true && active !== undefined && this.now - (this.#drainedAt.get(task.instance) ?? this.now) >= TASK_MS)
        task.instance = active;
  }

  /** What a process that was killed has still sent comes in. */
  async deliver(): Promise<void> {
    const late = this.#late;
    this.#late = undefined;
    await late?.().catch((error: unknown) => {
      if (!(error instanceof Stale)) throw error;
    });
  }

  /** The wires of a new process. */
  wires(plan?: CrashPlan): Wires {
    const calls: string[] = [];
    let dead = false;
    const dying = <T extends object>(api: T): T =>
      new Proxy(api, {
        get:
          (target, name) =>
          async (...args: unknown[]) => {
            if (dead) throw new Error('killed');
            calls.push(String(name));
            const fatal = plan?.call === calls.length;
            if (fatal) dead = true;
            if (fatal && plan.when === 'before') throw new Error('killed');
            const answer: unknown = await (Reflect.get(target, name) as (...all: unknown[]) => unknown)(...args);
            if (fatal) throw new Error('killed');
            return answer;
          },
      });
    return { ecs: dying(this.#ecs), ssm: dying(this.#ssm), table: dying(this.#table), calls, died: () => dead };
  }

  readonly #ecs: EcsApi = {
    listInstances: async () => [...this.#states.keys()],
    describeInstances: async (arns) => arns.flatMap((arn) => this.#instance(arn) ?? []),
    setState: async (arn, status) => {
      this.changes.push(`${arn} ${status}`);
      // Whatever carries the record was drained by us: without it nothing is done to the state.
      if (this.record(arn)?.cordon === undefined) this.wrong.push(`${arn} is set to ${status} without a record`);
      this.#states.set(arn, status);
      if (status === 'DRAINING') this.#drainedAt.set(arn, this.#drainedAt.get(arn) ?? this.now);
      else this.#drainedAt.delete(arn);
    },
    tasksOn: async (instances) => new Map(instances.map(({ arn }) => [arn, this.#tasksOn(arn)])),
    services: async () => [SERVICE],
    stopTask: async (arn) => {
      const [task] = this.#tasks.splice(
        this.#tasks.findIndex((one) => one.arn === arn),
        1,
      );
      this.stopped.push({ task: arn, afterMs: this.now - (this.#drainedAt.get(task?.instance ?? '') ?? this.now) });
    },
  };

  readonly #ssm: SsmApi = {
    send: async (id, script) => {
      const host = this.hosts.get(id);
      const name = `command-${this.#commands.size + 1}`;
      const reboots = host?.reboots;
      const output = host?.run(script, this.now);
      if (host?.reboots !== reboots) this.#judgeReboot(id);
      this.#commands.set(name, { endsAt: output === undefined ? Number.POSITIVE_INFINITY : this.now + COMMAND_MS, output });
      return name;
    },
    result: async (command) => {
      const { endsAt, output = '' } = this.#commands.get(command) ?? { endsAt: Number.POSITIVE_INFINITY };
      return this.now < endsAt
        ? { status: 'InProgress', ended: false, output: '', errors: '' }
        : { status: 'Success', ended: true, output, errors: '' };
    },
  };

  readonly #table: TableApi = {
    all: async () => [...this.items.values()],
    put: async (id, seen, data) => {
      if ((this.items.get(id)?.version ?? 0) !== seen) throw new Stale(id);
      const item = { id, version: seen + 1, data };
      this.items.set(id, item);
      if (id.startsWith('policy/')) for (const claim of (JSON.parse(data) as PolicyRecord).status.claims ?? []) this.claims.add(claim.id);
      return item;
    },
    remove: async (id) => {
      this.wrong.push(`${id} is removed`);
    },
  };

  #judgeReboot(id: string): void {
    const drained = this.#states.get(id) === 'DRAINING' && this.record(id)?.cordon !== undefined;
    if (!drained) this.wrong.push(`${id} reboots and is not drained by us`);
    if (this.#tasksOn(id).length > 0) this.wrong.push(`${id} reboots under a task`);
  }

  #instance(arn: string): ContainerInstance | undefined {
    const status = this.#states.get(arn);
    if (status === undefined) return undefined;
    return {
      containerInstanceArn: arn,
      ec2InstanceId: arn,
      status,
      agentConnected: this.now >= (this.hosts.get(arn)?.downUntil ?? 0),
      registeredAt: new Date(0),
      attributes: [{ name: 'bottlerocket.variant', value: 'aws-ecs-2' }],
    };
  }

  #tasksOn(instance: string): Task[] {
    return this.#tasks
      .filter((task) => task.instance === instance)
      .map(({ arn, alone }) => ({
        taskArn: arn,
        group: alone === true ? 'family:batch' : 'service:web',
        lastStatus: 'RUNNING',
        desiredStatus: 'RUNNING',
        containerInstanceArn: instance,
      }));
  }
}

const SERVICE: Service = {
  serviceName: 'web',
  status: 'ACTIVE',
  desiredCount: 2,
  runningCount: 2,
  deploymentConfiguration: { minimumHealthyPercent: 50, maximumPercent: 200 },
};

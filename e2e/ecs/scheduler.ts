import {
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  StartTaskCommand,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import type { Json } from './stand-in.ts';

/** A service as the bed keeps it running. */
export interface BedService {
  readonly name: string;
  readonly desired: number;
  /** Deployment limits, in percent of `desired`. */
  minimum: number;
  maximum: number;
}

/** What ECS's service scheduler does and moto does not: it moves tasks off draining instances, within their service's limits. */
export class ServiceScheduler {
  readonly services = new Map<string, BedService>();
  /** How long a task takes to leave a draining instance once it may: its target's deregistration delay and its stopTimeout. */
  leaveMs = 0;
  readonly #leaving = new Map<string, number>();
  readonly #client: ECSClient;
  readonly #cluster: string;
  readonly #instances: () => readonly string[];
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(client: ECSClient, cluster: string, instances: () => readonly string[]) {
    this.#client = client;
    this.#cluster = cluster;
    this.#instances = instances;
  }

  /** Goes on until it is closed. */
  start(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#look().then(
        () => this.start(),
        () => this.start(),
      );
    }, 40);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** The tasks that run, of one service or on one instance. */
  async tasks(of: { service?: string; instance?: string } = {}): Promise<Task[]> {
    const { taskArns = [] } = await this.#client.send(new ListTasksCommand({ cluster: this.#cluster, desiredStatus: 'RUNNING' }));
    if (taskArns.length === 0) return [];
    const { tasks = [] } = await this.#client.send(new DescribeTasksCommand({ cluster: this.#cluster, tasks: taskArns }));
    return tasks.filter(
      ({ group, containerInstanceArn, lastStatus }) =>
        lastStatus !== 'STOPPED' &&
        (of.service === undefined || group === `service:${of.service}`) &&
        (of.instance === undefined || containerInstanceArn === of.instance),
    );
  }

  /** Makes DescribeServices tell how many tasks there are, and the limits, which moto leaves out. */
  async amend(output: Json): Promise<Json> {
    const { services = [] } = output as { services?: { serviceName: string }[] };
    const amended = await Promise.all(
      services.map(async (service) => {
        const known = this.services.get(service.serviceName);
        if (known === undefined) return service;
        const running = (await this.tasks({ service: known.name })).length;
        return {
          ...service,
          runningCount: running,
          pendingCount: 0,
          deploymentConfiguration: { minimumHealthyPercent: known.minimum, maximumPercent: known.maximum },
        };
      }),
    );
    return { ...output, services: amended };
  }

  async place(service: string, instance: string): Promise<void> {
    await this.#client.send(
      new StartTaskCommand({
        cluster: this.#cluster,
        taskDefinition: 'app',
        containerInstances: [instance],
        group: `service:${service}`,
        startedBy: 'ecs-svc/1',
      }),
    );
  }

  async #look(): Promise<void> {
    const arns = [...this.#instances()];
    if (arns.length === 0) return;
    const { containerInstances = [] } = await this.#client.send(
      new DescribeContainerInstancesCommand({ cluster: this.#cluster, containerInstances: arns }),
    );
    const active = containerInstances
      .filter(({ status }) => status === 'ACTIVE')
      .flatMap(({ containerInstanceArn }) => containerInstanceArn ?? []);
    const tasks = await this.tasks();
    for (const { name, desired, minimum, maximum } of this.services.values()) {
      const own = tasks.filter(({ group }) => group === `service:${name}`);
      const leaving = own.filter(({ containerInstanceArn }) => !active.includes(containerInstanceArn ?? ''));
      const [first] = leaving;
      const most = Math.floor((desired * maximum) / 100);
      if (own.length < desired || (first !== undefined && own.length < most && own.length - leaving.length < desired)) {
        const busy = Map.groupBy(tasks, ({ containerInstanceArn }) => containerInstanceArn ?? '');
        const [target] = active.toSorted((a, b) => (busy.get(a)?.length ?? 0) - (busy.get(b)?.length ?? 0));
        if (target !== undefined) await this.place(name, target);
      } else if (first !== undefined && own.length - 1 >= Math.ceil((desired * minimum) / 100)) {
        const { taskArn = '' } = first;
        const since = this.#leaving.get(taskArn) ?? Date.now();
        this.#leaving.set(taskArn, since);
        if (Date.now() - since < this.leaveMs) continue;
        this.#leaving.delete(taskArn);
        await this.#client.send(new StopTaskCommand({ cluster: this.#cluster, task: first.taskArn, reason: 'draining' }));
      }
    }
  }
}

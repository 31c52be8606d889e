import {
  type ContainerInstance,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListContainerInstancesCommand,
  ListTasksCommand,
  type Service,
  StopTaskCommand,
  type Task,
  UpdateContainerInstancesStateCommand,
} from '@aws-sdk/client-ecs';
import { forEachBounded } from '../controller/bounded.ts';
import { type Call, chunks, pages } from './calls.ts';
import { Stale } from './errors.ts';

/** An instance whose tasks are wanted. */
export interface TasksWanted {
  arn: string;
  /** Also those that are to stop and have not yet: they are listed apart, by a call more. */
  ending: boolean;
}

/** What is used of Amazon ECS, in one cluster. */
export interface EcsApi {
  /** ARNs of all container instances that are not deregistered. */
  listInstances(): Promise<string[]>;
  /** Those that there are; one that is gone is left out. */
  describeInstances(arns: readonly string[]): Promise<ContainerInstance[]>;
  setState(arn: string, status: 'ACTIVE' | 'DRAINING'): Promise<void>;
  /** The tasks of instances that are not stopped yet, by instance; those that are to stop only where they are asked for. */
  tasksOn(instances: readonly TasksWanted[]): Promise<Map<string, Task[]>>;
  services(names: readonly string[]): Promise<Service[]>;
  stopTask(arn: string, reason: string): Promise<void>;
}

const PER_DESCRIBE = 100;
const PER_SERVICES = 10;
const CONCURRENCY = 8;

/** Amazon ECS by its client. */
export function ecsApi(client: ECSClient, cluster: string, call: Call): EcsApi {
  const where = `cluster ${cluster}`;
  const listTasks = (containerInstance: string, desiredStatus: 'RUNNING' | 'STOPPED') =>
    pages(async (nextToken) => {
      const page = await call('ecs:ListTasks', containerInstance, (abort) =>
        client.send(
          new ListTasksCommand({ cluster, containerInstance, desiredStatus, ...(nextToken !== undefined && { nextToken }) }),
          abort,
        ),
      );
      return { items: page.taskArns ?? [], next: page.nextToken };
    });
  return {
    listInstances: () =>
      pages(async (nextToken) => {
        const page = await call('ecs:ListContainerInstances', where, (abort) =>
          client.send(new ListContainerInstancesCommand({ cluster, ...(nextToken !== undefined && { nextToken }) }), abort),
        );
        return { items: page.containerInstanceArns ?? [], next: page.nextToken };
      }),
    async describeInstances(arns) {
      const found: ContainerInstance[] = [];
      for (const some of chunks(arns, PER_DESCRIBE)) {
        const answer = await call('ecs:DescribeContainerInstances', where, (abort) =>
          client.send(new DescribeContainerInstancesCommand({ cluster, containerInstances: [...some] }), abort),
        );
        found.push(...(answer.containerInstances ?? []));
      }
      return found;
    },
    async setState(arn, status) {
      const { failures = [] } = await call('ecs:UpdateContainerInstancesState', arn, (abort) =>
        client.send(new UpdateContainerInstancesStateCommand({ cluster, containerInstances: [arn], status }), abort),
      );
      const [failure] = failures;
      if (failure !== undefined) throw new Stale(`${arn} could not be set to ${status}: ${failure.reason ?? 'no reason'}`);
    },
    async tasksOn(instances) {
      const listed: string[] = [];
      await forEachBounded(instances, CONCURRENCY, async ({ arn, ending }) => {
        listed.push(...(await listTasks(arn, 'RUNNING')));
        if (ending) listed.push(...(await listTasks(arn, 'STOPPED')));
      });
      const found = new Map(instances.map(({ arn }): [string, Task[]] => [arn, []]));
      for (const some of chunks([...new Set(listed)], PER_DESCRIBE)) {
        const { tasks = [] } = await call('ecs:DescribeTasks', where, (abort) =>
          client.send(new DescribeTasksCommand({ cluster, tasks: [...some] }), abort),
        );
        for (const task of tasks)
          if (task.lastStatus !== 'STOPPED' && task.lastStatus !== 'DELETED') found.get(task.containerInstanceArn ?? '')?.push(task);
      }
      return found;
    },
    async services(names) {
      const found: Service[] = [];
      for (const some of chunks(names, PER_SERVICES)) {
        const answer = await call('ecs:DescribeServices', where, (abort) =>
          client.send(new DescribeServicesCommand({ cluster, services: [...some] }), abort),
        );
        found.push(...(answer.services ?? []));
      }
      return found;
    },
    async stopTask(arn, reason) {
      await call('ecs:StopTask', arn, (abort) => client.send(new StopTaskCommand({ cluster, task: arn, reason }), abort));
    },
  };
}

import { DeleteItemCommand, DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import {
  type ContainerInstance,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListContainerInstancesCommand,
  ListTasksCommand,
  type Service,
  StopTaskCommand,
  type Task,
  UpdateContainerInstancesStateCommand,
} from '@aws-sdk/client-ecs';
import { GetCommandInvocationCommand, SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import { awsErrorOf, Stale } from './errors.ts';

/** What is used of Amazon ECS, in one cluster. */
export interface EcsApi {
  /** ARNs of all container instances that are not deregistered. */
  listInstances(): Promise<string[]>;
  /** Those that there are; one that is gone is left out. */
  describeInstances(arns: readonly string[]): Promise<ContainerInstance[]>;
  setState(arn: string, status: 'ACTIVE' | 'DRAINING'): Promise<void>;
  /** The tasks of an instance that are not stopped yet. */
  tasksOf(arn: string): Promise<Task[]>;
  services(names: readonly string[]): Promise<Service[]>;
  stopTask(arn: string, reason: string): Promise<void>;
}

/** What became of a command on one instance. */
export interface CommandResult {
  /** SSM's own word; absent while SSM does not know the command yet. */
  status?: string;
  ended: boolean;
  output: string;
  errors: string;
}

/** What is used of Systems Manager. */
export interface SsmApi {
  /** Sends a shell script; it is given up where it is not begun within `deliverySeconds`. Resolves with the command's id. */
  send(instance: string, script: string, limits: { deliverySeconds: number; executionSeconds: number }): Promise<string>;
  result(command: string, instance: string): Promise<CommandResult>;
}

/** An item of the table. */
export interface Item {
  id: string;
  version: number;
  data: string;
}

/** What is used of DynamoDB: the items of one cluster, each written under the version that was read. */
export interface TableApi {
  all(): Promise<Item[]>;
  /** Writes version `seen + 1`; throws Stale where the item is not at version `seen` (0: not there). */
  put(id: string, seen: number, data: string): Promise<Item>;
  remove(id: string, seen: number): Promise<void>;
}

/** Where the cluster is, and by what it is reached. */
export interface AwsOptions {
  cluster: string;
  table: string;
  region?: string;
  /** Every service at this URL instead of its own. */
  endpoint?: string;
  /** Throws where nothing may be sent any more; asked for the last time right before a request goes out. */
  assertLeading: () => void;
  onCall?: (action: string) => void;
}

export interface Aws {
  ecs: EcsApi;
  ssm: SsmApi;
  table: TableApi;
  close(): void;
}

/** Attempts of one call, the SDK's own, with its adaptive retry. */
const MAX_ATTEMPTS = 6;
const CONNECT_MS = 3_000;
const REQUEST_MS = 10_000;
/** A call with all of its attempts, in milliseconds. */
const CALL_MS = 60_000;
const MAX_PAGES = 200;
const PER_DESCRIBE = 100;
const PER_SERVICES = 10;
const FINAL = new Set(['Success', 'Cancelled', 'TimedOut', 'Failed', 'Undeliverable', 'Terminated', 'InvalidPlatform', 'AccessDenied']);

/** Clients of the AWS SDK, whose credentials and region come by its own chain. */
export function connect(options: AwsOptions): Aws {
  const { cluster, table, region, endpoint } = options;
  const config = {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    retryMode: 'adaptive',
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
  };
  const ecs = new ECSClient(config);
  const ssm = new SSMClient(config);
  const dynamo = new DynamoDBClient(config);
  // Whatever changes a host or an instance is sent by the holder of the lease alone, each attempt of the SDK's included.
  const last = { step: 'deserialize', priority: 'low', name: 'assertLeading' } as const;
  ecs.middlewareStack.add(
    (next) => async (args) => {
      options.assertLeading();
      return next(args);
    },
    last,
  );
  ssm.middlewareStack.add(
    (next) => async (args) => {
      options.assertLeading();
      return next(args);
    },
    last,
  );
  const call = async <T>(action: string, resource: string, send: (abort: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> => {
    options.onCall?.(action);
    try {
      return await send({ abortSignal: AbortSignal.timeout(CALL_MS) });
    } catch (error) {
      throw awsErrorOf(error, action, resource);
    }
  };
  return {
    ecs: ecsApi(ecs, cluster, call),
    ssm: ssmApi(ssm, call),
    table: tableApi(dynamo, { cluster, table }, call),
    close: () => {
      for (const client of [ecs, ssm, dynamo]) client.destroy();
    },
  };
}

type Call = <T>(action: string, resource: string, send: (abort: { abortSignal: AbortSignal }) => Promise<T>) => Promise<T>;

function ecsApi(client: ECSClient, cluster: string, call: Call): EcsApi {
  const where = `cluster ${cluster}`;
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
    async tasksOf(arn) {
      const arns = await pages(async (nextToken) => {
        const page = await call('ecs:ListTasks', arn, (abort) =>
          client.send(new ListTasksCommand({ cluster, containerInstance: arn, ...(nextToken !== undefined && { nextToken }) }), abort),
        );
        return { items: page.taskArns ?? [], next: page.nextToken };
      });
      // Those that are to stop and have not yet are listed apart from those that are to run.
      arns.push(
        ...(await pages(async (nextToken) => {
          const page = await call('ecs:ListTasks', arn, (abort) =>
            client.send(
              new ListTasksCommand({
                cluster,
                containerInstance: arn,
                desiredStatus: 'STOPPED',
                ...(nextToken !== undefined && { nextToken }),
              }),
              abort,
            ),
          );
          return { items: page.taskArns ?? [], next: page.nextToken };
        })),
      );
      const tasks: Task[] = [];
      for (const some of chunks([...new Set(arns)], PER_DESCRIBE)) {
        const answer = await call('ecs:DescribeTasks', where, (abort) =>
          client.send(new DescribeTasksCommand({ cluster, tasks: [...some] }), abort),
        );
        tasks.push(...(answer.tasks ?? []));
      }
      return tasks.filter(({ lastStatus }) => lastStatus !== 'STOPPED' && lastStatus !== 'DELETED');
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

function ssmApi(client: SSMClient, call: Call): SsmApi {
  return {
    async send(instance, script, { deliverySeconds, executionSeconds }) {
      const { Command } = await call('ssm:SendCommand', instance, (abort) =>
        client.send(
          new SendCommandCommand({
            DocumentName: 'AWS-RunShellScript',
            InstanceIds: [instance],
            TimeoutSeconds: deliverySeconds,
            Parameters: { commands: [script], executionTimeout: [String(executionSeconds)] },
          }),
          abort,
        ),
      );
      if (Command?.CommandId === undefined) throw new Stale(`SSM took no command for ${instance}`);
      return Command.CommandId;
    },
    async result(command, instance) {
      try {
        const answer = await call('ssm:GetCommandInvocation', instance, (abort) =>
          client.send(new GetCommandInvocationCommand({ CommandId: command, InstanceId: instance }), abort),
        );
        return {
          ...(answer.Status !== undefined && { status: answer.Status }),
          ended: FINAL.has(answer.Status ?? ''),
          output: answer.StandardOutputContent ?? '',
          errors: (answer.StandardErrorContent || answer.StatusDetails) ?? '',
        };
      } catch (error) {
        // For a moment after it was taken, a command is not known yet.
        if (error instanceof Error && (error.cause as Error | undefined)?.name === 'InvocationDoesNotExist')
          return { ended: false, output: '', errors: '' };
        throw error;
      }
    },
  };
}

function tableApi(client: DynamoDBClient, { cluster, table }: { cluster: string; table: string }, call: Call): TableApi {
  const where = `table ${table}`;
  const guard = (seen: number) =>
    seen === 0
      ? { ConditionExpression: 'attribute_not_exists(id)' }
      : { ConditionExpression: 'version = :seen', ExpressionAttributeValues: { ':seen': { N: String(seen) } } };
  const fenced = async (action: string, id: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (error instanceof Error && (error.cause as Error | undefined)?.name === 'ConditionalCheckFailedException')
        throw new Stale(`${id} has changed (${action})`, { cause: error });
      throw error;
    }
  };
  return {
    all: () =>
      pages(async (next: Record<string, never> | undefined) => {
        const page = await call('dynamodb:Query', where, (abort) =>
          client.send(
            new QueryCommand({
              TableName: table,
              ConsistentRead: true,
              KeyConditionExpression: '#cluster = :cluster',
              ExpressionAttributeNames: { '#cluster': 'cluster' },
              ExpressionAttributeValues: { ':cluster': { S: cluster } },
              ...(next !== undefined && { ExclusiveStartKey: next }),
            }),
            abort,
          ),
        );
        const items = (page.Items ?? []).map(({ id, version, data }) => ({
          id: id?.S ?? '',
          version: Number(version?.N ?? 0),
          data: data?.S ?? '',
        }));
        return { items, next: page.LastEvaluatedKey as Record<string, never> | undefined };
      }),
    async put(id, seen, data) {
      const version = seen + 1;
      await fenced('dynamodb:PutItem', id, () =>
        call('dynamodb:PutItem', where, (abort) =>
          client.send(
            new PutItemCommand({
              TableName: table,
              Item: { cluster: { S: cluster }, id: { S: id }, version: { N: String(version) }, data: { S: data } },
              ...guard(seen),
            }),
            abort,
          ),
        ),
      );
      return { id, version, data };
    },
    remove: (id, seen) =>
      fenced('dynamodb:DeleteItem', id, () =>
        call('dynamodb:DeleteItem', where, (abort) =>
          client.send(new DeleteItemCommand({ TableName: table, Key: { cluster: { S: cluster }, id: { S: id } }, ...guard(seen) }), abort),
        ),
      ),
  };
}

async function pages<T, Next = string>(read: (next: Next | undefined) => Promise<{ items: T[]; next: Next | undefined }>): Promise<T[]> {
  const all: T[] = [];
  let next: Next | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await read(next);
    all.push(...answer.items);
    next = answer.next;
    if (next === undefined) break;
  }
  return all;
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

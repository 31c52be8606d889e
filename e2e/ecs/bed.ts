import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { DescribeImagesCommand, EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeregisterContainerInstanceCommand,
  DescribeContainerInstancesCommand,
  ECSClient,
  PutAttributesCommand,
  RegisterContainerInstanceCommand,
  RegisterTaskDefinitionCommand,
  StartTaskCommand,
  StopTaskCommand,
  UpdateContainerInstancesStateCommand,
} from '@aws-sdk/client-ecs';
import type { InstanceRecord } from '../../src/ecs/records.ts';
import type { Child } from '../bed/children.ts';
import { repository as repositoryFolder } from '../bed/config.ts';
import { eventually } from '../bed/eventually.ts';
import { type Home, openHome, tail } from '../bed/home.ts';
import { type Repository, SimulatedHost } from '../host/host.ts';
import { createEcsJudge, type EcsJudge, type HostEvent } from './judge.ts';
import { startMoto } from './moto.ts';
import { type BedService, ServiceScheduler } from './scheduler.ts';
import { type Json, type StandIn, startStandIn } from './stand-in.ts';
import { type ManagedHost, SystemsManager } from './systems-manager.ts';

export const VARIANT = 'aws-ecs-2';
const ARCH = 'x86_64';
const region = 'eu-central-1';
const credentials = { accessKeyId: 'bed', secretAccessKey: 'bed' };
const table = 'lockkeeper';

/** A container instance of the bed: its machine, and the names by which AWS knows it. */
export interface BedInstance {
  readonly id: string;
  readonly arn: string;
  readonly host: SimulatedHost;
}

/** An ECS cluster of simulated hosts behind moto and its stand-ins. */
export interface EcsBed {
  readonly home: Home;
  readonly standIn: StandIn;
  readonly cluster: string;
  readonly repository: Repository;
  readonly instances: readonly BedInstance[];
  readonly scheduler: ServiceScheduler;
  readonly judge: EcsJudge;
  /** Somebody else's hand. */
  setState(instance: BedInstance, status: 'ACTIVE' | 'DRAINING'): Promise<void>;
  states(): Promise<Record<string, string>>;
  putAttribute(instance: BedInstance, name: string, value: string): Promise<void>;
  addService(service: BedService, on: readonly BedInstance[]): Promise<void>;
  startTask(on: BedInstance): Promise<string>;
  stopTask(arn: string): Promise<void>;
  /** Its machine ends for good, and with it the container instance. */
  terminate(instance: BedInstance): Promise<void>;
  records(): Promise<Map<string, InstanceRecord>>;
  /** What the table holds under an id, as it is. */
  item(id: string): Promise<string | undefined>;
  /** Writes an item as nobody of this version would. */
  spoil(id: string, data: string): Promise<void>;
  /** Starts the program; the policy is YAML. */
  start(policy: string, more?: readonly string[], env?: Readonly<Record<string, string>>, log?: string): Promise<Child>;
  /** The last lines of the program's log. */
  log(lines?: number): Promise<string>;
  close(): Promise<void>;
}

export const release = (version: string) => ({ version, variant: VARIANT, arch: ARCH });

/** A policy for all instances, with what is given under its `rollout`, whose hosts are asked for news so often. */
export const policy = (spec = '', refresh = '10s'): string => `apiVersion: lockkeeper.dev/v1alpha1
kind: UpdatePolicy
metadata: {name: all}
spec:
  version: {refreshInterval: ${refresh}}
  rollout: {minReadySeconds: 0${spec === '' ? '' : `, ${spec}`}}
  staging: {maxParallel: 100%}
`;

export async function startEcsBed(options: {
  instances: number;
  versions?: readonly string[];
  /** The folder of the program's bundle. */
  app?: string;
}): Promise<EcsBed> {
  const home = await openHome({ name: `ecs-${process.pid}-${Date.now().toString(36)}` });
  const moto = await startMoto(home);
  const config = { endpoint: moto.url, region, credentials };
  const [ecs, ec2, dynamo] = [new ECSClient(config), new EC2Client(config), new DynamoDBClient(config)];
  const cluster = 'shop';
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  await ecs.send(
    new RegisterTaskDefinitionCommand({ family: 'app', containerDefinitions: [{ name: 'app', image: 'app', cpu: 1, memory: 1 }] }),
  );
  await dynamo.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'cluster', KeyType: 'HASH' },
        { AttributeName: 'id', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'cluster', AttributeType: 'S' },
        { AttributeName: 'id', AttributeType: 'S' },
      ],
    }),
  );
  const { Images = [] } = await ec2.send(new DescribeImagesCommand({ Owners: ['amazon'], MaxResults: 5 }));
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({ ImageId: Images[0]?.ImageId ?? '', MinCount: options.instances, MaxCount: options.instances }),
  );
  const repository: Repository = { releases: ['1.26.0', '1.26.1'].map(release) };
  const instances: BedInstance[] = [];
  const hosts = new Map<string, ManagedHost>();
  const disconnected = new Set<string>();
  const events: HostEvent[] = [];
  const scheduler = new ServiceScheduler(ecs, cluster, () => instances.map(({ arn }) => arn));

  for (const { InstanceId: id = '' } of Instances) {
    const folder = path.join(home.scratch, `h${instances.length}`);
    mkdirSync(folder, { recursive: true });
    const [socketPath, bootIDFile] = [path.join(folder, 'api.sock'), path.join(folder, 'boot_id')];
    const host = new SimulatedHost({
      socketPath,
      bootIDFile,
      os: { version: options.versions?.[instances.length] ?? '1.26.0', variant: VARIANT, arch: ARCH },
      repository,
      seed: 0,
    });
    await host.start();
    hosts.set(id, { host, folder, socketPath, bootIDFile });
    const { containerInstance } = await ecs.send(
      new RegisterContainerInstanceCommand({
        cluster,
        instanceIdentityDocument: JSON.stringify({ instanceId: id }),
      }),
    );
    const arn = containerInstance?.containerInstanceArn ?? '';
    const instance = { id, arn, host };
    instances.push(instance);
    await ecs.send(
      new PutAttributesCommand({
        cluster,
        attributes: [{ name: 'bottlerocket.variant', value: VARIANT, targetType: 'container-instance', targetId: arn.split('/').at(-1) }],
      }),
    );
    host.on('rebooting', () => {
      disconnected.add(arn);
      const event: HostEvent = { type: 'rebooting', instance: id, call: standIn.calls.length, staged: host.partitions.inactive, tasks: [] };
      events.push(event);
      void scheduler.tasks({ instance: arn }).then((tasks) => event.tasks.push(...tasks.map(({ group }) => group ?? '')));
    });
    host.on('booted', ({ bootID, version }) => {
      disconnected.delete(arn);
      events.push({ type: 'booted', instance: id, call: standIn.calls.length, bootID, version });
    });
  }

  const systemsManager = new SystemsManager(hosts);
  const amendInstances = async (output: Json): Promise<Json> => {
    const { containerInstances = [] } = output as { containerInstances?: { containerInstanceArn: string }[] };
    return {
      ...output,
      containerInstances: containerInstances.map((one) => ({ ...one, agentConnected: !disconnected.has(one.containerInstanceArn) })),
    };
  };
  const standIn = await startStandIn({
    upstream: moto.url,
    answers: {
      'ssm:SendCommand': async (input) => systemsManager.send(input),
      'ssm:GetCommandInvocation': async (input) => systemsManager.result(input),
    },
    amends: {
      'ecs:DescribeContainerInstances': amendInstances,
      'ecs:UpdateContainerInstancesState': amendInstances,
      'ecs:DescribeServices': (output) => scheduler.amend(output),
    },
  });
  scheduler.start();
  const others: { instance: string; call: number; status: string }[] = [];
  const judge = createEcsJudge({ instances, calls: () => standIn.calls, events, others });
  let started = 0;
  let programLog = '';

  return {
    home,
    standIn,
    cluster,
    repository,
    instances,
    scheduler,
    judge,
    async setState({ id, arn }, status) {
      others.push({ instance: id, call: standIn.calls.length, status });
      await ecs.send(new UpdateContainerInstancesStateCommand({ cluster, containerInstances: [arn], status }));
    },
    async states() {
      const { containerInstances = [] } = await ecs.send(
        new DescribeContainerInstancesCommand({ cluster, containerInstances: instances.map(({ arn }) => arn) }),
      );
      return Object.fromEntries(containerInstances.map(({ ec2InstanceId = '', status = '' }) => [ec2InstanceId, status]));
    },
    async putAttribute({ arn }, name, value) {
      const attribute = { name, value, targetType: 'container-instance', targetId: arn.split('/').at(-1) } as const;
      await ecs.send(new PutAttributesCommand({ cluster, attributes: [attribute] }));
    },
    async addService(service, on) {
      await ecs.send(
        new CreateServiceCommand({
          cluster,
          serviceName: service.name,
          desiredCount: service.desired,
          taskDefinition: 'app',
          launchType: 'EC2',
        }),
      );
      for (const { arn } of on) await scheduler.place(service.name, arn);
      scheduler.services.set(service.name, service);
    },
    async startTask({ arn }) {
      const { tasks = [] } = await ecs.send(new StartTaskCommand({ cluster, taskDefinition: 'app', containerInstances: [arn] }));
      return tasks[0]?.taskArn ?? '';
    },
    async stopTask(task) {
      await ecs.send(new StopTaskCommand({ cluster, task, reason: 'the bed' }));
    },
    async terminate({ arn, host }) {
      await host.stop();
      await ecs.send(new DeregisterContainerInstanceCommand({ cluster, containerInstance: arn, force: true }));
    },
    async item(id) {
      const { Item } = await dynamo.send(new GetItemCommand({ TableName: table, Key: { cluster: { S: cluster }, id: { S: id } } }));
      return Item?.['data']?.S;
    },
    async spoil(id, data) {
      const item = { cluster: { S: cluster }, id: { S: id }, version: { N: '7' }, data: { S: data } };
      await dynamo.send(new PutItemCommand({ TableName: table, Item: item }));
    },
    async records() {
      const { Items = [] } = await dynamo.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: '#cluster = :cluster',
          ExpressionAttributeNames: { '#cluster': 'cluster' },
          ExpressionAttributeValues: { ':cluster': { S: cluster } },
        }),
      );
      const byArn = new Map(Items.map(({ id, data }) => [id?.S ?? '', data?.S ?? '{}']));
      return new Map(
        instances.flatMap(({ id, arn }) => {
          const data = byArn.get(`instance/${arn}`);
          return data === undefined ? [] : [[id, JSON.parse(data) as InstanceRecord] as const];
        }),
      );
    },
    async start(text, more = [], env = {}, log = 'ecs') {
      started += 1;
      const file = path.join(home.scratch, `policy-${started}.yaml`);
      writeFileSync(file, text);
      if (log === 'ecs') programLog = home.log(log);
      return home.children.spawn({
        name: `ecs-${started}`,
        command: process.execPath,
        args: [
          path.join(options.app ?? path.join(repositoryFolder, 'dist'), 'lockkeeper-ecs.js'),
          ...['--cluster', cluster, '--policy', file, '--table', table, '--region', region, '--endpoint', standIn.url],
          ...['--poll-interval', '100ms', '--idle-interval', '300ms', '--lease-duration', '3s', '--retry-base', '1s', '--retry-max', '2s'],
          ...more,
        ],
        env: {
          PATH: '/usr/bin:/bin',
          HOME: home.scratch,
          AWS_ACCESS_KEY_ID: 'bed',
          AWS_SECRET_ACCESS_KEY: 'bed',
          AWS_EC2_METADATA_DISABLED: 'true',
          ...env,
        },
        log: home.log(log),
      });
    },
    log: async (lines = 60) => (await tail(programLog, lines)).replaceAll(/"stack":"[^"]*"/g, '"stack":""'),
    async close() {
      await scheduler.close();
      systemsManager.close();
      await home.children.close();
      await standIn.close();
      for (const { host } of instances) await host.stop();
      for (const client of [ecs, ec2, dynamo]) client.destroy();
      await home.close({ keepLogs: (globalThis as { bedTestFailed?: boolean }).bedTestFailed === true });
    },
  };
}

/** Waits until every instance runs the version and is ACTIVE. */
export async function allAt(bed: EcsBed, version: string, timeoutMs = 60_000, describe: () => unknown = bed.log): Promise<void> {
  await eventually(
    async () => {
      const states = await bed.states();
      return bed.instances.every(({ id, host }) => host.os.version === version && host.running && states[id] === 'ACTIVE');
    },
    { timeoutMs, describe },
  );
}

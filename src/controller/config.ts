import { hostname } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_NAMESPACE } from '../api/names.ts';
import { durationMs, durationSchema } from '../api/primitives.ts';
import { type AccessConfig, readAccess } from './access-config.ts';
import {
  addNotificationOptions,
  NOTIFICATION_ENVIRONMENT,
  type NotificationOptions,
  type NotificationsConfig,
  readNotifications,
} from './notifications/config.ts';

/** Everything that the controller can be told from outside. */
export type ControllerConfig = AccessConfig & ControllerSettings;

/** How it works; durations are milliseconds. */
export interface ControllerSettings {
  namespace: string;
  identity: string;
  /** Where this process runs as a pod; absent out of the cluster. */
  nodeName?: string;
  leaseName: string;
  leaseDurationMs: number;
  renewIntervalMs: number;
  giveUpAfterMs: number;
  retryBaseMs: number;
  retryMaxMs: number;
  /** Namespaces in which hooks may run. */
  hookNamespaces: readonly string[];
  /** Hosts whose Prometheus checks may ask, as URLs name them: with the port, where it is not the scheme's own. */
  prometheusHosts: readonly string[];
  checkIntervalMs: number;
  /** Whether Nodes carry the lifecycle conditions of KEP-5683. */
  nodeConditions: boolean;
  /** Whether the metrics of the OS's existing operator are told, too. */
  brupopMetrics: boolean;
  /** Absent: nobody is told what goes on. */
  notifications?: NotificationsConfig;
  /** Without a host: all addresses, of IPv4 and IPv6. Absent: there are no endpoints. */
  listen?: Listen;
  logLevel: string;
}

interface Listen {
  host?: string;
  port: number;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

/** The `controller` command with its flags and the environment that stands in for them; `run` gets what was asked for. */
export function controllerCommand(run: (config: ControllerConfig) => Promise<void>, env: NodeJS.ProcessEnv = process.env): Command {
  const command = new Command('controller')
    .description('Coordinates the updates: decides, cordons, drains, orders, verifies and uncordons. Several replicas elect a leader.')
    .option('--kubeconfig <file>', 'run outside the cluster with this kubeconfig (default: the service account of the pod)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .addOption(
      new Option('--namespace <name>', `namespace of the Lease and of the agents (default: "${DEFAULT_NAMESPACE}")`).argParser(objectName),
    )
    .addOption(new Option('--pod-name <name>', 'name of this replica (default: the host name and the process id)').argParser(objectName))
    .addOption(new Option('--node-name <name>', 'node that this replica runs on, which goes last').argParser(objectName))
    .addOption(
      new Option('--lease-name <name>', 'name of the Lease by which the replicas elect a leader')
        .argParser(objectName)
        .default('lockkeeper'),
    )
    .addOption(
      new Option('--lease-duration <duration>', 'a Lease that was not renewed for so long is free')
        .argParser(duration)
        .default(13_000, '13s'),
    )
    .addOption(new Option('--renew-interval <duration>', 'how often the leader renews it').argParser(duration).default(5_000, '5s'))
    .addOption(
      new Option('--give-up-after <duration>', 'a leader that could not renew it for so long stops acting')
        .argParser(duration)
        .default(9_000, '9s'),
    )
    .addOption(
      new Option('--retry-base <duration>', 'first wait after a failed download or a blocked drain; doubles each time')
        .argParser(duration)
        .default(15_000, '15s'),
    )
    .addOption(new Option('--retry-max <duration>', 'longest such wait').argParser(duration).default(1_800_000, '30m'))
    .addOption(
      new Option('--hook-namespaces <names>', 'namespaces in which hooks may run, by commas; it needs its rights there')
        .argParser(objectNames)
        .default([], 'none'),
    )
    .option('--node-conditions', 'tell of maintenance by the Node conditions of KEP-5683; it needs the right to patch nodes/status', false)
    .addOption(
      new Option('--prometheus-hosts <hosts>', 'hosts whose Prometheus checks may ask, such as prometheus.monitoring:9090, by commas')
        .argParser(hosts)
        .default([], 'none'),
    )
    .addOption(
      new Option('--check-interval <duration>', 'how often the checks of a policy are looked at while a node or a group waits for them')
        .argParser(checkInterval)
        .default(15_000, '15s'),
    )
    .option('--brupop-metrics', "tell the two metrics of the OS's existing operator, too, for dashboards made for it", false)
    .addOption(
      new Option('--listen <[host]:port>', 'address of /metrics, /healthz and /readyz').argParser(address).default({ port: 8080 }, ':8080'),
    )
    .addOption(new Option('--log-level <level>', 'least level that is logged').choices(LOG_LEVELS).default('info'));
  addNotificationOptions(command).addHelpText(
    'after',
    `
Environment:
  POD_NAMESPACE, POD_NAME, NODE_NAME     stand in for --namespace, --pod-name and --node-name
${NOTIFICATION_ENVIRONMENT}
  KUBERNETES_SERVICE_HOST, _PORT         the API server, in the cluster
  LOCKKEEPER_SERVICE_ACCOUNT_DIR         folder of token and ca.crt, in the cluster
                                         (default: /var/run/secrets/kubernetes.io/serviceaccount)
  KUBECONFIG                             is not read: name the file with --kubeconfig`,
  );
  return command.action(async (options) => run(readConfig(command, options, env)));
}

interface Options extends NotificationOptions {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  podName?: string;
  nodeName?: string;
  leaseName: string;
  leaseDuration: number;
  renewInterval: number;
  giveUpAfter: number;
  retryBase: number;
  retryMax: number;
  hookNamespaces: string[];
  prometheusHosts: string[];
  checkInterval: number;
  nodeConditions: boolean;
  brupopMetrics: boolean;
  listen: Listen;
  logLevel: string;
}

function readConfig(command: Command, options: Options, env: NodeJS.ProcessEnv): ControllerConfig {
  const access = readAccess(options, env);
  const namespace = options.namespace ?? fromEnvironment(command, env, 'POD_NAMESPACE') ?? DEFAULT_NAMESPACE;
  const podName = options.podName ?? fromEnvironment(command, env, 'POD_NAME');
  const nodeName = options.nodeName ?? fromEnvironment(command, env, 'NODE_NAME');
  const notifications = readNotifications(command, options, env);
  if (!(options.renewInterval < options.giveUpAfter && options.giveUpAfter < options.leaseDuration)) {
    command.error('error: --renew-interval must be shorter than --give-up-after, and that shorter than --lease-duration', { exitCode: 2 });
  }
  if (options.retryBase > options.retryMax) command.error('error: --retry-base must not be longer than --retry-max', { exitCode: 2 });
  if (access.kubeconfig === undefined && access.inCluster.host === '') {
    command.error('error: not in a cluster (KUBERNETES_SERVICE_HOST is not set): name a kubeconfig with --kubeconfig FILE', {
      exitCode: 2,
    });
  }
  return {
    ...access,
    ...(nodeName !== undefined && { nodeName }),
    namespace,
    identity: podName ?? `${hostname()}-${process.pid}`,
    leaseName: options.leaseName,
    leaseDurationMs: options.leaseDuration,
    renewIntervalMs: options.renewInterval,
    giveUpAfterMs: options.giveUpAfter,
    retryBaseMs: options.retryBase,
    retryMaxMs: options.retryMax,
    hookNamespaces: options.hookNamespaces,
    prometheusHosts: options.prometheusHosts,
    checkIntervalMs: options.checkInterval,
    nodeConditions: options.nodeConditions,
    brupopMetrics: options.brupopMetrics,
    ...(notifications.webhooks.length > 0 && { notifications }),
    listen: options.listen,
    logLevel: options.logLevel,
  };
}

/** A name that an environment variable gives in place of a flag; an empty one gives none. */
export function fromEnvironment(command: Command, env: NodeJS.ProcessEnv, variable: string): string | undefined {
  const value = env[variable];
  if (value === undefined || value === '') return undefined;
  if (!OBJECT_NAME.test(value)) command.error(`error: ${variable} is ${JSON.stringify(value)}, but ${MUST_BE_NAME}`, { exitCode: 2 });
  return value;
}

const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const MUST_BE_NAME = 'must be a name of a Kubernetes object, such as lockkeeper-0.';

/** Parses a flag that names a Kubernetes object. */
export function objectName(text: string): string {
  if (!OBJECT_NAME.test(text)) throw new InvalidArgumentError(MUST_BE_NAME);
  return text;
}

/** Parses a flag that names Kubernetes objects, with commas between. */
export function objectNames(text: string): string[] {
  return text.split(',').map(objectName);
}

function hosts(text: string): string[] {
  return text.split(',').map((host) => {
    if (URL.parse(`any://${host}`)?.host !== host || host === '')
      throw new InvalidArgumentError('must be hosts, with a port where it is not 80 or 443, such as prometheus.monitoring:9090.');
    return host;
  });
}

/** Results older than a minute do not count. */
function checkInterval(text: string): number {
  const interval = duration(text);
  if (interval > 30_000) throw new InvalidArgumentError('must be at most 30s.');
  return interval;
}

/** Parses a flag that is a duration, to milliseconds. */
export function duration(text: string): number {
  if (!durationSchema().safeParse(text).success || durationMs(text) === 0)
    throw new InvalidArgumentError('must be a duration such as 500ms, 13s or 1h30m.');
  return durationMs(text);
}

function address(text: string): Listen {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || !(port <= 65_535)) throw new InvalidArgumentError('must be [HOST]:PORT, such as :8080 or 127.0.0.1:0.');
  const host = match[1] ?? match[2];
  return host ? { host, port } : { port };
}

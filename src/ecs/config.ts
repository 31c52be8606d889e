import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { durationMs, durationSchema } from '../api/primitives.ts';

/** Everything that the ECS controller can be told from outside; durations are milliseconds. */
export interface EcsConfig {
  cluster: string;
  /** Where the policies come from, and their YAML. */
  policy: { source: string; text: () => Promise<string> };
  table: string;
  region?: string;
  endpoint?: string;
  holder: string;
  leaseDurationMs: number;
  pollMs: number;
  idlePollMs: number;
  retryBaseMs: number;
  retryMaxMs: number;
  logLevel: string;
  /** Ends as soon as nothing is under way, and nothing may be begun now. */
  once: boolean;
  /** Prints what would be done, and does nothing. */
  plan: boolean;
  /** Where `/metrics`, `/healthz` and `/readyz` are; absent: nowhere. */
  listen?: { host?: string; port: number };
  /** The CloudWatch namespace for metrics that are printed in its embedded metric format; absent: none are. */
  embeddedMetrics?: string;
}

interface Options {
  cluster: string;
  policy: string;
  table: string;
  region?: string;
  endpoint?: string;
  leaseDuration: number;
  pollInterval: number;
  idleInterval: number;
  retryBase: number;
  retryMax: number;
  logLevel: string;
  once: boolean;
  plan: boolean;
  listen?: { host?: string; port: number };
  embeddedMetrics?: string;
}

/** The program with its flags; `run` gets what was asked for. */
export function ecsProgram(run: (config: EcsConfig) => Promise<void>, version: string, env: NodeJS.ProcessEnv = process.env): Command {
  return new Command('lockkeeper ecs')
    .description('Updates the Bottlerocket container instances of an Amazon ECS cluster, by the same rules as the nodes of Kubernetes.')
    .version(version)
    .requiredOption('--cluster <name>', 'the ECS cluster')
    .requiredOption('--policy <file>', 'YAML file of one or more UpdatePolicies, or env:NAME for the variable that holds it')
    .option('--table <name>', 'DynamoDB table that keeps what must outlive this process', 'lockkeeper')
    .option('--region <name>', "AWS region (default: the SDK's own chain)")
    .option('--endpoint <url>', 'every AWS API at this URL, for tests')
    .addOption(
      new Option('--lease-duration <duration>', 'a lease that was not renewed for so long is free')
        .argParser(duration)
        .default(60_000, '60s'),
    )
    .addOption(
      new Option('--poll-interval <duration>', 'how often the cluster is read while something is under way')
        .argParser(duration)
        .default(15_000, '15s'),
    )
    .addOption(new Option('--idle-interval <duration>', 'the same while nothing is').argParser(duration).default(60_000, '60s'))
    .addOption(
      new Option('--retry-base <duration>', 'first wait after a failed download or drain; doubles each time')
        .argParser(duration)
        .default(60_000, '60s'),
    )
    .addOption(new Option('--retry-max <duration>', 'longest such wait').argParser(duration).default(1_800_000, '30m'))
    .addOption(
      new Option('--log-level <level>', 'least level that is logged').choices(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
    )
    .option('--once', 'do what can be done now, and end: for a task that a schedule starts', false)
    .option('--plan', 'print what would be done, in which order and when, from what is known of the hosts; change nothing, and end', false)
    .addOption(new Option('--listen <[host]:port>', 'address of /metrics, /healthz and /readyz (default: none)').argParser(address))
    .addOption(
      new Option(
        '--embedded-metrics <namespace>',
        "print metrics once a minute in CloudWatch's embedded metric format, for this namespace (default: none)",
      ).argParser(namespace),
    )
    .addHelpText('after', "\nCredentials come by the AWS SDK's own chain: the environment, the task's role, the shared files.")
    .action(async (options: Options) =>
      run({
        cluster: options.cluster,
        policy: policySource(options.policy, env),
        table: options.table,
        ...(options.region !== undefined && { region: options.region }),
        ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
        holder: `${hostname()}-${process.pid}`,
        leaseDurationMs: options.leaseDuration,
        pollMs: options.pollInterval,
        idlePollMs: options.idleInterval,
        retryBaseMs: options.retryBase,
        retryMaxMs: options.retryMax,
        logLevel: options.logLevel,
        once: options.once,
        plan: options.plan,
        ...(options.listen !== undefined && { listen: options.listen }),
        ...(options.embeddedMetrics !== undefined && { embeddedMetrics: options.embeddedMetrics }),
      }),
    );
}

function duration(text: string): number {
  const parsed = durationSchema().safeParse(text);
  if (!parsed.success || durationMs(parsed.data) === 0) throw new InvalidArgumentError('wants a duration such as 15s, 5m or 1h');
  return durationMs(parsed.data);
}

function address(text: string): { host?: string; port: number } {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) throw new InvalidArgumentError('wants [host]:port, such as :8080');
  return { ...(host !== '' && { host }), port: Number(port) };
}

function namespace(text: string): string {
  // CloudWatch's own rule for the names of namespaces; those of AWS itself begin so.
  if (!/^[\w.\-/#: ]{1,255}$/.test(text) || text.startsWith('AWS/'))
    throw new InvalidArgumentError('wants a namespace of CloudWatch, such as Lockkeeper');
  return text;
}

function policySource(name: string, env: NodeJS.ProcessEnv): EcsConfig['policy'] {
  if (!name.startsWith('env:')) return { source: name, text: () => readFile(name, 'utf8') };
  return { source: name, text: async () => env[name.slice('env:'.length)] ?? '' };
}

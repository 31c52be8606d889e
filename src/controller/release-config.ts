import { hostname } from 'node:os';
import { Command, Option } from 'commander';
import { type AccessConfig, readPersonsAccess } from './access-config.ts';
import { duration, fromEnvironment, LOG_LEVELS, objectName, objectNames } from './config.ts';

/** What `lockkeeper release` is told. */
export type ReleaseConfig = AccessConfig & ReleaseSettings;

/** What a release can be told; durations are milliseconds. */
export interface ReleaseSettings {
  /** Absent: where the controllers run. */
  namespace?: string;
  identity: string;
  leaseName: string;
  timeoutMs: number;
  /** Where hooks `Finally` may run. */
  hookNamespaces: readonly string[];
  /** Whether Nodes carry the lifecycle conditions of KEP-5683. */
  nodeConditions: boolean;
  dryRun: DryRun;
  logLevel: string;
}

/** `client`: every write is listed; `server`: the API server is asked about the first ones of each node, too. */
export type DryRun = 'none' | 'client' | 'server';

interface Options {
  all?: true;
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  leaseName: string;
  timeout: number;
  hookNamespaces: string[];
  nodeConditions: boolean;
  dryRun?: true;
  logLevel: string;
}

/** The `release` command with its flags; `run` gets what was asked for. */
export function releaseCommand(run: (config: ReleaseConfig) => Promise<void>, env: NodeJS.ProcessEnv = process.env): Command {
  const command = new Command('release')
    .description(
      'Gives every node back as it was before Lockkeeper, so that it can be uninstalled. Takes the Lease, so that no controller acts meanwhile.',
    )
    .requiredOption('--all', 'release all nodes (there is no other way yet)')
    .option('--dry-run', 'list every write, and make none')
    .addOption(
      new Option('--timeout <duration>', 'wait this long for reboots that were asked for, and for agents')
        .argParser(duration)
        .default(240_000, '4m'),
    )
    .option('--kubeconfig <file>', 'outside the cluster (default: KUBECONFIG, then ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .addOption(
      new Option('--namespace <name>', "namespace of the Lease and of the agents (default: the controllers')").argParser(objectName),
    )
    .addOption(
      new Option('--hook-namespaces <names>', 'namespaces in which hooks may run, by commas; it needs its rights there')
        .argParser(objectNames)
        .default([], 'none'),
    )
    .option('--node-conditions', 'take the Node conditions of KEP-5683 away; it needs the right to patch nodes/status', false)
    .addOption(new Option('--lease-name <name>', 'name of the Lease').argParser(objectName).default('lockkeeper'))
    .addOption(new Option('--log-level <level>', 'least level that is logged, to stderr').choices(LOG_LEVELS).default('warn'))
    .addHelpText(
      'after',
      `
It lists every write before it makes the first one. For each node it
  1. cancels what its agent was ordered; over a reboot that the host was asked for already, it waits for the next boot
  2. runs the hooks Finally of its update, and uncordons it, where the record on it says that the cordon is ours, and restores what the cordon changed
  3. waits until its agent has restored the host's settings
  4. removes the label lockkeeper.dev/managed, the annotations lockkeeper.dev/cordon and fence, the taint lockkeeper.dev/outdated
What people wrote stays: policies, and annotations such as lockkeeper.dev/paused.

It may be stopped (Ctrl-C) and run again at any time: each write is made only while its object is as it was read. Stopped, or where
something is left, it gives the Lease back, and running controllers go on. Done, it keeps them away for another minute: uninstall, or
scale them down, before that.

Exit codes: 0 all released, 1 something is left (named, with what to do), 2 the command line makes no sense.

Examples:
  lockkeeper release --all --dry-run
  lockkeeper release --all && helm uninstall lockkeeper --namespace lockkeeper --no-hooks`,
    );
  return command.action(async (options: Options) => run(readConfig(command, options, env)));
}

function readConfig(command: Command, options: Options, env: NodeJS.ProcessEnv): ReleaseConfig {
  const namespace = options.namespace ?? fromEnvironment(command, env, 'POD_NAMESPACE');
  return {
    ...readPersonsAccess(options, env),
    ...(namespace !== undefined && { namespace }),
    identity: `release-${fromEnvironment(command, env, 'POD_NAME') ?? `${hostname()}-${process.pid}`}`,
    leaseName: options.leaseName,
    timeoutMs: options.timeout,
    hookNamespaces: options.hookNamespaces,
    nodeConditions: options.nodeConditions,
    dryRun: options.dryRun === true ? 'client' : 'none',
    logLevel: options.logLevel,
  };
}

import { Command, InvalidArgumentError, Option } from 'commander';
import { durationMs, durationSchema } from '../../api/primitives.ts';
import { type ConnectOptions, withConnectOptions } from '../options.ts';

/** What `kubectl lockkeeper release` was told. */
export interface ReleaseOptions extends ConnectOptions {
  /** Absent: where the controllers run. */
  namespace?: string;
  dryRun?: 'none' | 'client' | 'server';
  yes?: boolean;
  timeout: number;
  /** In place of what the controllers' own flags say. */
  leaseName?: string;
  hookNamespaces?: string[];
  nodeConditions?: boolean;
}

/** The command that gives all nodes back. */
export function releaseCommand(run: (options: ReleaseOptions) => Promise<void>): Command {
  const command = withConnectOptions(new Command('release'))
    .summary('gives every node back as it was, before an uninstall')
    .description(
      "Gives every node back as it was before Lockkeeper, so that it can be uninstalled: what the chart's pre-delete hook does, for where that is not run. It takes the controllers' Lease, so that none of them acts meanwhile, and lists every write before it asks and makes the first one.",
    )
    .requiredOption('--all', 'all nodes; one alone is given back, and left alone, by: kubectl lockkeeper pause node/NAME')
    .option('-n, --namespace <name>', "Lockkeeper's namespace (default: where its controllers run)")
    .addOption(
      new Option('--dry-run <where>', 'client: list every write; server: have the API server check those that come at once, too').choices([
        'none',
        'client',
        'server',
      ]),
    )
    .option('-y, --yes', 'do not ask; needed where there is no terminal')
    .addOption(
      new Option('--timeout <duration>', 'wait this long for reboots that were asked for, and for agents')
        .argParser(duration)
        .default(240_000, '4m'),
    )
    .option('--lease-name <name>', "name of the Lease (default: the controllers')")
    .addOption(
      new Option('--hook-namespaces <names>', "namespaces in which hooks may run, by commas (default: the controllers')").argParser(
        (text: string) => text.split(','),
      ),
    )
    .option('--node-conditions', 'take the Node conditions of KEP-5683 away (default: where the controllers write them)')
    .addHelpText(
      'after',
      `
For each node it
  1. cancels what its agent was ordered; over a reboot that the host was asked for already, it waits for the next boot
  2. runs the hooks Finally of its update, and uncordons it, where the record on it says that the cordon is ours, and restores what the cordon changed
  3. waits until its agent has restored the host's settings
  4. removes the label lockkeeper.dev/managed, the annotations lockkeeper.dev/cordon and fence, the taint lockkeeper.dev/outdated
What people wrote stays: policies, and annotations such as lockkeeper.dev/paused.

It may be stopped (Ctrl-C) and run again at any time. Stopped, or where something is left, it gives the Lease back, and running
controllers go on. Done, it keeps them away for another minute: uninstall, or scale them down, before that.

Exit codes: 0 all released, 1 something is left (named, with what to do) or you did not agree, 2 the command line makes no sense,
3 a right is missing (each is named, before anything is written), 130 stopped by Ctrl-C.

Examples:
  kubectl lockkeeper release --all --dry-run=client
  kubectl lockkeeper release --all && helm uninstall lockkeeper --namespace lockkeeper --no-hooks`,
    );
  return command.action((options: ReleaseOptions) => run(options));
}

function duration(text: string): number {
  if (!durationSchema().safeParse(text).success || durationMs(text) === 0)
    throw new InvalidArgumentError('must be a duration such as 90s or 10m.');
  return durationMs(text);
}

import { Command, InvalidArgumentError, Option } from 'commander';
import { durationMs, durationSchema } from '../../api/primitives.ts';
import { type ConnectOptions, withConnectOptions } from '../options.ts';

/** What `kubectl lockkeeper migrate` was told. */
export interface MigrateOptions extends ConnectOptions {
  /** The old operator's. */
  namespace?: string;
  policy: string;
  approval: 'Manual' | 'Automatic';
  windowDuration?: string;
  output?: 'yaml';
  back?: boolean;
  wait?: boolean;
  dryRun?: 'none' | 'client' | 'server';
  yes?: boolean;
  timeout: number;
}

/** The command that moves a cluster over from the OS's existing operator, and back. */
export function migrateCommand(run: (options: MigrateOptions) => Promise<void>): Command {
  return withConnectOptions(new Command('migrate'))
    .summary("moves over from Bottlerocket's own update operator, and back")
    .description(
      'Moves a cluster over from the update operator of Bottlerocket (brupop), without downtime: no node is cordoned, drained or rebooted by it. It lists every write before it asks and makes the first one, and refuses while the old operator is at a node.',
    )
    .option('-n, --namespace <name>', "the old operator's namespace (default: where it is found)")
    .addOption(
      new Option('--policy <name>', 'the UpdatePolicy for its nodes; one that is there already is taken as it is')
        .argParser(name)
        .default('migrated'),
    )
    .addOption(
      new Option('--approval <mode>', 'whether the policy that is made waits for approvals')
        .choices(['Manual', 'Automatic'])
        .default('Manual'),
    )
    .addOption(
      new Option('--window-duration <duration>', 'how long a window is, where the old schedule names only when it begins').argParser(
        durationText,
      ),
    )
    .addOption(new Option('-o, --output <format>', 'yaml: print the policy, for Git, and change nothing').choices(['yaml']))
    .option('--back', 'give the nodes back to the old operator, and restore what was changed')
    .option('--wait', 'wait for nodes in flight, rather than refuse')
    .addOption(
      new Option('--dry-run <where>', 'client: list every write; server: have the API server check them, too').choices([
        'none',
        'client',
        'server',
      ]),
    )
    .option('-y, --yes', 'do not ask; needed where there is no terminal')
    .addOption(new Option('--timeout <duration>', 'wait at most this long for each step').argParser(duration).default(300_000, '5m'))
    .addHelpText(
      'after',
      `
Step by step, it
  1. makes an UpdatePolicy for the nodes with the label bottlerocket.aws/updater-interface-version=2.0.0, with the old schedule as windows
     and the old number of concurrent updates as maxUnavailable; it begins no node before you approve a version
  2. scales the old controller to 0, waits until it has ended, and looks again whether a node is in flight
  3. adds a label that no node has to the nodeSelector of the old agents, and waits until they have left the nodes
  4. waits until Lockkeeper's agents have reported these nodes
The node label stays, and nothing is deleted. What was there before is kept in the annotation lockkeeper.dev/migration on each object
that is changed. It may be stopped (Ctrl-C) and run again at any time; --back restores all from any step.

Exit codes: 0 done, or nothing to do, 1 refused or not finished (the message says why, and what to do), 2 the command line makes no sense,
3 a right is missing (each is named, before anything is written), 130 stopped by Ctrl-C.

Examples:
  kubectl lockkeeper migrate --dry-run=client
  kubectl lockkeeper migrate --output yaml > policy.yaml
  kubectl lockkeeper migrate --wait --timeout 1h
  kubectl lockkeeper migrate --back`,
    )
    .action((options: MigrateOptions) => run(options));
}

function name(text: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)) throw new InvalidArgumentError('must be a name of a Kubernetes object.');
  return text;
}

function durationText(text: string): string {
  duration(text);
  return text;
}

function duration(text: string): number {
  if (!durationSchema().safeParse(text).success || durationMs(text) === 0)
    throw new InvalidArgumentError('must be a duration such as 90s or 4h.');
  return durationMs(text);
}

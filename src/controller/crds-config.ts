import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { duration } from './config.ts';

/** What `crds apply` can be told; durations are milliseconds. */
export interface CrdsConfig {
  /** Absent: in the cluster, by the pod's own service account. */
  kubeconfig?: string;
  context?: string;
  timeoutMs: number;
  inCluster: { directory?: string; host: string; port: string };
}

interface Options {
  kubeconfig?: string;
  context?: string;
  timeout: number;
}

/** The `crds` command, which has one of its own, `apply`; `run` gets what was asked for. */
export function crdsCommand(run: (config: CrdsConfig) => Promise<void>, env: NodeJS.ProcessEnv = process.env): Command {
  const apply = new Command('apply')
    .exitOverride()
    .description(
      "Brings Lockkeeper's three CRDs to this program's version, server-side, as the field manager lockkeeper-crds. Objects stay as they are.",
    )
    .addOption(new Option('--timeout <duration>', 'give up after so long').argParser(duration).default(60_000, '1m'))
    .option('--kubeconfig <file>', 'outside the cluster (default: KUBECONFIG, then ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .addHelpText(
      'after',
      `
The chart runs it before an upgrade: Helm itself installs CRDs once and never changes them. It may be run again at any time. It refuses
to take away a version in which objects may still be stored, and it deletes nothing.`,
    );
  apply.action(async (options: Options) => run(readConfig(options, env)));
  return new Command('crds').description("Lockkeeper's CustomResourceDefinitions.").addCommand(apply);
}

function readConfig({ kubeconfig: named, context, timeout }: Options, env: NodeJS.ProcessEnv): CrdsConfig {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const kubeconfig = named ?? (host === '' ? env['KUBECONFIG'] || join(homedir(), '.kube', 'config') : undefined);
  const directory = env['LOCKKEEPER_SERVICE_ACCOUNT_DIR'];
  return {
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
    timeoutMs: timeout,
    inCluster: { host, port: env['KUBERNETES_SERVICE_PORT'] ?? '443', ...(directory !== undefined && { directory }) },
  };
}

import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { duration, fromEnvironment, objectName } from './config.ts';

/** What `verify-install` can be told; durations are milliseconds. */
export interface VerifyConfig {
  /** Absent: in the cluster, by the pod's own service account. */
  kubeconfig?: string;
  context?: string;
  namespace: string;
  leaseName: string;
  timeoutMs: number;
  inCluster: { directory?: string; host: string; port: string };
}

interface Options {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  leaseName: string;
  timeout: number;
}

/** The `verify-install` command with its flags; `run` gets what was asked for. */
export function verifyCommand(run: (config: VerifyConfig) => Promise<void>, env: NodeJS.ProcessEnv = process.env): Command {
  const command = new Command('verify-install')
    .description('Looks whether an installation works, and says what is missing. It changes nothing; the chart runs it as `helm test`.')
    .addOption(new Option('--timeout <duration>', 'wait this long for what may yet come').argParser(duration).default(60_000, '1m'))
    .option('--kubeconfig <file>', 'outside the cluster (default: KUBECONFIG, then ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .addOption(new Option('--namespace <name>', 'namespace of the release (default: lockkeeper-system)').argParser(objectName))
    .addOption(new Option('--lease-name <name>', 'name of the Lease').argParser(objectName).default('lockkeeper'));
  return command.action(async (options: Options) => run(readConfig(command, options, env)));
}

function readConfig(command: Command, options: Options, env: NodeJS.ProcessEnv): VerifyConfig {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const kubeconfig = options.kubeconfig ?? (host === '' ? env['KUBECONFIG'] || join(homedir(), '.kube', 'config') : undefined);
  const directory = env['LOCKKEEPER_SERVICE_ACCOUNT_DIR'];
  return {
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(options.context !== undefined && { context: options.context }),
    namespace: options.namespace ?? fromEnvironment(command, env, 'POD_NAMESPACE') ?? 'lockkeeper-system',
    leaseName: options.leaseName,
    timeoutMs: options.timeout,
    inCluster: { host, port: env['KUBERNETES_SERVICE_PORT'] ?? '443', ...(directory !== undefined && { directory }) },
  };
}

import { Command, Option } from 'commander';
import { DEFAULT_NAMESPACE } from '../api/names.ts';
import { type AccessConfig, readPersonsAccess } from './access-config.ts';
import { duration, fromEnvironment, objectName } from './config.ts';

/** What `verify-install` can be told; durations are milliseconds. */
export interface VerifyConfig extends AccessConfig {
  namespace: string;
  leaseName: string;
  timeoutMs: number;
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
    .addOption(new Option('--namespace <name>', 'namespace of the release (default: lockkeeper)').argParser(objectName))
    .addOption(new Option('--lease-name <name>', 'name of the Lease').argParser(objectName).default('lockkeeper'));
  return command.action(async (options: Options) => run(readConfig(command, options, env)));
}

function readConfig(command: Command, options: Options, env: NodeJS.ProcessEnv): VerifyConfig {
  return {
    ...readPersonsAccess(options, env),
    namespace: options.namespace ?? fromEnvironment(command, env, 'POD_NAMESPACE') ?? DEFAULT_NAMESPACE,
    leaseName: options.leaseName,
    timeoutMs: options.timeout,
  };
}

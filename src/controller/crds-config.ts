import { Command, Option } from 'commander';
import { type AccessConfig, readPersonsAccess } from './access-config.ts';
import { duration } from './config.ts';

/** What `crds apply` can be told; durations are milliseconds. */
export interface CrdsConfig extends AccessConfig {
  timeoutMs: number;
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
  apply.action(async ({ timeout, ...access }: Options) => run({ ...readPersonsAccess(access, env), timeoutMs: timeout }));
  return new Command('crds').description("Lockkeeper's CustomResourceDefinitions.").addCommand(apply);
}

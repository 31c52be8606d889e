import { type Command, Option } from 'commander';
import type { Impersonation } from '../kube/credentials.ts';
import { UsageError } from './errors.ts';

/** Which cluster a command talks to, and as whom. */
export interface ConnectOptions {
  kubeconfig?: string;
  context?: string;
  as?: string;
  asGroup?: string[];
  asUid?: string;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** Adds what every command that talks to a cluster can be told. */
export function withConnectOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the kubeconfig (default: those that KUBECONFIG names, then ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .option('--as <user>', 'act as this user; the API server asks whether you may')
    .addOption(new Option('--as-group <group>', 'act as a member of this group; may be given several times').argParser(collect))
    .option('--as-uid <uid>', 'act as this uid');
}

/** Whom a command acts as; undefined where it is the user themself. */
export function impersonationOf({ as, asGroup, asUid }: ConnectOptions): Impersonation | undefined {
  if (as === undefined) {
    if (asGroup !== undefined || asUid !== undefined) throw new UsageError('--as-group and --as-uid need --as USER');
    return undefined;
  }
  return { user: as, groups: asGroup, uid: asUid };
}

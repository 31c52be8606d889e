import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Impersonation } from '../kube/credentials.ts';

/** Which cluster a command talks to, and as whom. */
export interface ConnectOptions {
  kubeconfig?: string;
  context?: string;
  as?: string;
  asGroup?: string[];
  asUid?: string;
  asUserExtra?: Record<string, string[]>;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

function collectExtra(pair: string, before: Record<string, string[]> = {}): Record<string, string[]> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError('must be KEY=VALUE.');
  return { ...before, [key]: [...(before[key] ?? []), value] };
}

/** Adds what every command that talks to a cluster can be told. */
export function withConnectOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the kubeconfig (default: those that KUBECONFIG names, then ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .option('--as <user>', 'act as this user; the API server asks whether you may')
    .addOption(new Option('--as-group <group>', 'act as a member of this group; may be given several times').argParser(collect))
    .option('--as-uid <uid>', 'act as this uid')
    .addOption(
      new Option('--as-user-extra <key=value>', 'act as a user with this, too, such as scopes=view; may be given several times').argParser(
        collectExtra,
      ),
    );
}

/** Whom a command line says to act as; a kubeconfig may say the rest of it. */
export function impersonationOf({ as, asGroup, asUid, asUserExtra }: ConnectOptions): Partial<Impersonation> {
  return {
    ...(as !== undefined && { user: as }),
    ...(asGroup !== undefined && { groups: asGroup }),
    ...(asUid !== undefined && { uid: asUid }),
    ...(asUserExtra !== undefined && { extra: asUserExtra }),
  };
}

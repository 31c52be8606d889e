import type { Command } from 'commander';

/** Which cluster a command talks to, and as whom. */
export interface ConnectOptions {
  kubeconfig?: string;
  context?: string;
}

/** Adds what every command that talks to a cluster can be told. */
export function withConnectOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the kubeconfig (default: those that KUBECONFIG names, then ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)');
}

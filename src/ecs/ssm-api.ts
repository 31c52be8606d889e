import { GetCommandInvocationCommand, SendCommandCommand, type SSMClient } from '@aws-sdk/client-ssm';
import type { Call } from './calls.ts';
import { Stale } from './errors.ts';

/** What became of a command on one instance. */
export interface CommandResult {
  /** SSM's own word; absent while SSM does not know the command yet. */
  status?: string;
  ended: boolean;
  output: string;
  errors: string;
}

/** What is used of Systems Manager. */
export interface SsmApi {
  /** Sends a shell script; it is given up where it is not begun within `deliverySeconds`. Resolves with the command's id. */
  send(instance: string, script: string, limits: { deliverySeconds: number; executionSeconds: number }): Promise<string>;
  result(command: string, instance: string): Promise<CommandResult>;
}

const FINAL = new Set(['Success', 'Cancelled', 'TimedOut', 'Failed', 'Undeliverable', 'Terminated', 'InvalidPlatform', 'AccessDenied']);

/** Systems Manager by its client. */
export function ssmApi(client: SSMClient, call: Call): SsmApi {
  return {
    async send(instance, script, { deliverySeconds, executionSeconds }) {
      const { Command } = await call('ssm:SendCommand', instance, (abort) =>
        client.send(
          new SendCommandCommand({
            DocumentName: 'AWS-RunShellScript',
            InstanceIds: [instance],
            TimeoutSeconds: deliverySeconds,
            Parameters: { commands: [script], executionTimeout: [String(executionSeconds)] },
          }),
          abort,
        ),
      );
      if (Command?.CommandId === undefined) throw new Stale(`SSM took no command for ${instance}`);
      return Command.CommandId;
    },
    async result(command, instance) {
      try {
        const answer = await call('ssm:GetCommandInvocation', instance, (abort) =>
          client.send(new GetCommandInvocationCommand({ CommandId: command, InstanceId: instance }), abort),
        );
        return {
          ...(answer.Status !== undefined && { status: answer.Status }),
          ended: FINAL.has(answer.Status ?? ''),
          output: answer.StandardOutputContent ?? '',
          errors: (answer.StandardErrorContent || answer.StatusDetails) ?? '',
        };
      } catch (error) {
        // For a moment after it was taken, a command is not known yet.
        if (error instanceof Error && (error.cause as Error | undefined)?.name === 'InvocationDoesNotExist')
          return { ended: false, output: '', errors: '' };
        throw error;
      }
    },
  };
}

import { Command, InvalidArgumentError, Option } from 'commander';
import { webhookNameSchema } from '../../api/notifications.ts';
import {
  addNotificationOptions,
  NOTIFICATION_ENVIRONMENT,
  type NotificationOptions,
  type NotificationsConfig,
  readNotifications,
} from './config.ts';

interface Options extends NotificationOptions {
  webhook?: string;
}

/** The `notify-test` command with its flags; `run` gets what was asked for. */
export function notifyTestCommand(run: (config: NotificationsConfig) => Promise<void>, env: NodeJS.ProcessEnv = process.env): Command {
  const command = new Command('notify-test')
    .description('Sends a test message to the webhooks of this controller, and says how each took it. In the cluster: kubectl exec.')
    .addOption(new Option('--webhook <name>', 'to this one alone (default: to all)').argParser(webhookName));
  addNotificationOptions(command).addHelpText('after', `\nEnvironment:\n${NOTIFICATION_ENVIRONMENT}`);
  return command.action(async (options: Options) => {
    const config = readNotifications(command, options, env);
    if (config.webhooks.length === 0)
      command.error("error: there are no webhooks: set notifications.webhooks in the chart's values", { exitCode: 2 });
    const { webhook = '' } = options;
    const webhooks = config.webhooks.filter(({ name }) => webhook === '' || name === webhook);
    if (webhooks.length === 0)
      command.error(`error: no webhook is named ${webhook}; there are ${config.webhooks.map(({ name }) => name).join(', ')}`, {
        exitCode: 2,
      });
    await run({ ...config, webhooks });
  });
}

function webhookName(text: string): string {
  if (!webhookNameSchema().safeParse(text).success) throw new InvalidArgumentError('must be the name of a webhook.');
  return text;
}

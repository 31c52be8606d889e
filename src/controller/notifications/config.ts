import { type Command, InvalidArgumentError, Option } from 'commander';
import { MAX_WEBHOOKS, NOTIFICATION_TYPES, type NotificationType, webhookNameSchema } from '../../api/notifications.ts';
import { durationMs, durationSchema } from '../../api/primitives.ts';
import type { ProxyEnvironment } from '../../kube/credentials.ts';

export const WEBHOOK_FORMATS = ['generic', 'slack'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** One webhook, but for what its Secret holds. */
export interface Webhook {
  name: string;
  format: WebhookFormat;
  types: ReadonlySet<NotificationType>;
}

/** Who is told what goes on; durations are milliseconds. */
export interface NotificationsConfig {
  webhooks: readonly Webhook[];
  /** Has a folder for each webhook, with the files of its Secret. */
  folder: string;
  /** Which cluster this is, in payloads; may be empty. */
  cluster: string;
  /** So long before a window opens it is told of. */
  windowNoticeMs: number;
  /** The proxies of the environment, on the way to webhooks. */
  proxy: ProxyEnvironment;
}

/** What commander makes of the flags. */
export interface NotificationOptions {
  webhooks?: readonly Webhook[];
  webhooksDir?: string;
  clusterName?: string;
  windowNotice?: number;
}

/** Adds the flags about webhooks to a command. */
export function addNotificationOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--webhooks <list>',
        'who is told what goes on, as NAME:FORMAT[:TYPE+TYPE…], by commas (default: nobody); see docs/notifications.md',
      ).argParser(webhooks),
    )
    .option('--webhooks-dir <folder>', `folder of a folder for each webhook, with the files of its Secret (default: ${FOLDER})`)
    .option('--cluster-name <name>', 'name of this cluster in what webhooks are told')
    .addOption(
      new Option('--window-notice <duration>', 'how long before a window opens webhooks are told of it (default: 1h)').argParser(notice),
    );
}

/** The lines about them in a command's help. */
export const NOTIFICATION_ENVIRONMENT = `  LOCKKEEPER_WEBHOOKS, _WEBHOOKS_DIR,    stand in for --webhooks, --webhooks-dir, --cluster-name and --window-notice
  _CLUSTER_NAME, _WINDOW_NOTICE
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY      the proxy on the way to webhooks; the API server is never asked through it`;

const FOLDER = '/etc/lockkeeper/webhooks';

/** What flags, and the environment where there is none, say of webhooks. */
export function readNotifications(command: Command, options: NotificationOptions, env: NodeJS.ProcessEnv): NotificationsConfig {
  const from = <T>(variable: string, parse: (text: string) => T): T | undefined => {
    const text = env[variable];
    if (text === undefined || text === '') return undefined;
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      return command.error(`error: ${variable} is ${JSON.stringify(text)}, but ${error.message}`, { exitCode: 2 });
    }
  };
  const proxies = Object.entries(env).filter(([name]) => PROXY_VARIABLES.has(name.toUpperCase()));
  return {
    webhooks: options.webhooks ?? from('LOCKKEEPER_WEBHOOKS', webhooks) ?? [],
    folder: options.webhooksDir ?? from('LOCKKEEPER_WEBHOOKS_DIR', String) ?? FOLDER,
    cluster: options.clusterName ?? from('LOCKKEEPER_CLUSTER_NAME', String) ?? '',
    windowNoticeMs: options.windowNotice ?? from('LOCKKEEPER_WINDOW_NOTICE', notice) ?? 3_600_000,
    proxy: Object.fromEntries(proxies),
  };
}

const PROXY_VARIABLES: ReadonlySet<string> = new Set(['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY']);

function webhooks(text: string): Webhook[] {
  const found = text.split(',').map(webhook);
  if (new Set(found.map(({ name }) => name)).size < found.length) throw new InvalidArgumentError('must name each webhook once.');
  if (found.length > MAX_WEBHOOKS) throw new InvalidArgumentError(`must be at most ${MAX_WEBHOOKS} webhooks.`);
  return found;
}

function webhook(text: string): Webhook {
  const [name = '', format = '', wanted, ...more] = text.split(':');
  if (!webhookNameSchema().safeParse(name).success || !isFormat(format) || more.length > 0)
    throw new InvalidArgumentError(`must be NAME:FORMAT[:TYPE+TYPE…] with the formats ${WEBHOOK_FORMATS.join(' and ')}, by commas.`);
  const types = wanted?.split('+') ?? NOTIFICATION_TYPES;
  if (!types.every(isType)) throw new InvalidArgumentError(`must name types among ${NOTIFICATION_TYPES.join(', ')}.`);
  return { name, format, types: new Set(types) };
}

const isFormat = (text: string): text is WebhookFormat => WEBHOOK_FORMATS.some((format) => format === text);
const isType = (text: string): text is NotificationType => NOTIFICATION_TYPES.some((type) => type === text);

function notice(text: string): number {
  if (!durationSchema().safeParse(text).success || durationMs(text) === 0)
    throw new InvalidArgumentError('must be a duration such as 30m or 1h.');
  return durationMs(text);
}

import type { Notification } from '../../core/notifications/notification.ts';
import { timestamp } from '../../core/world.ts';
import type { WebhookFormat } from './config.ts';

/** What is sent: a notification, or the test message, which has a type of its own. */
export type Message = Omit<Notification, 'type' | 'policyUID' | 'reason' | 'policy'> &
  Partial<Pick<Notification, 'policy' | 'reason'>> & { type: Notification['type'] | 'Test' };

/** Far below what any receiver takes: Slack refuses a text of more than 3,000 characters. */
const MAX_TEXT = 2_000;
const MAX_ESCAPED = 2_900;

/** The JSON that a webhook is sent. */
export function payloadOf(format: WebhookFormat, message: Message, cluster: string): object {
  switch (format) {
    case 'generic':
      return generic(message, cluster);
    case 'slack':
      return slack(message, cluster);
  }
}

function generic({ id, type, at, policy, node, reason, message, advice }: Message, cluster: string): object {
  return {
    version: 'v1',
    id,
    type,
    at: timestamp(at),
    ...(cluster !== '' && { cluster }),
    ...(policy !== undefined && { policy }),
    ...(node !== undefined && { node }),
    ...(reason !== undefined && { reason, help: `docs/reasons.md#${reason}` }),
    message: cut(message),
    advice: cut(advice),
  };
}

/** Such as Slack, Mattermost, Rocket.Chat and Discord (its address with /slack) take; the blocks are for Slack, the text for the others. */
function slack(message: Message, cluster: string): object {
  const where = [cluster, message.policy, message.node].filter((part) => part !== undefined && part !== '').join(' / ');
  const title = `Lockkeeper: ${TITLES[message.type]}${where === '' ? '' : ` (${where})`}`;
  const advice = message.advice === 'Nothing.' ? undefined : `What to do: ${message.advice}`;
  const parts = [title, message.message, advice].flatMap((part) => (part === undefined ? [] : [cutHarmless(part)]));
  const [first = '', ...rest] = parts;
  return {
    text: [`*${first}*`, ...rest].join('\n'),
    blocks: [`*${first}*`, ...rest].map((text) => ({ type: 'section', text: { type: 'mrkdwn', text, verbatim: true } })),
  };
}

const TITLES: Readonly<Record<Message['type'], string>> = {
  RolloutHalted: 'rollout halted',
  NodeFailed: 'node failed',
  NodeBlocked: 'node blocked',
  WindowOpening: 'window about to open',
  RolloutDone: 'rollout done',
  Test: 'test message',
};

/**
 * Text of the cluster's as a chat takes it for nothing but text: `<!channel>` and links are Slack's markup, `@all` and `[a](b)` that of
 * the others, which know no escape that Slack does not show.
 */
export const harmless = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go.
    .replaceAll(/[\u0000-\u001f\u007f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '@\u200b')
    .replaceAll('](', ']\u200b(')
    .replaceAll('://', ':\u200b//');

/** Escaping makes a text longer: the limit is for what is sent. */
function cutHarmless(text: string): string {
  for (let most = MAX_TEXT; ; most = Math.floor(most / 2)) {
    const made = harmless(cut(text, most));
    if (made.length <= MAX_ESCAPED) return made;
  }
}

const cut = (text: string, most = MAX_TEXT): string =>
  text.length > most ? `${text.slice(0, most - 1).toWellFormed()}…` : text.toWellFormed();

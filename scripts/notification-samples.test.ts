import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { NOTIFICATION_TYPES } from '../src/api/notifications.ts';
import { WEBHOOK_FORMATS } from '../src/controller/notifications/config.ts';
import { type Message, payloadOf } from '../src/controller/notifications/payload.ts';
import { adviceOn } from '../src/core/notifications/notification.ts';

let guide: string;
beforeAll(async () => {
  guide = await readFile(join(import.meta.dirname, '../docs/notifications.md'), 'utf8');
});

const message: Message = {
  id: 'NodeFailed/7d5c9f0e-8a55-4a41-9d53-6b0d9c1f2a77/RebootTimeout@2026-03-01T12:15:00.000Z',
  type: 'NodeFailed',
  at: Date.parse('2026-03-01T12:15:00Z'),
  policy: 'default',
  node: 'ip-10-0-1-17.ec2.internal',
  reason: 'RebootTimeout',
  message: 'the host was asked to reboot, and its kubelet has not reported another boot in time',
  advice: adviceOn('RebootTimeout', { policy: 'default', node: 'ip-10-0-1-17.ec2.internal' }),
};

test.each(WEBHOOK_FORMATS)('the guide shows what is sent in the format %s', (format) => {
  const [, shown = ''] = new RegExp(`<!-- sample: ${format} -->\n\`\`\`json\n(.*?)\n\`\`\``, 's').exec(guide) ?? [];
  expect(shown).toBe(JSON.stringify(payloadOf(format, message, 'prod-eu'), undefined, 2));
});

test('the guide names every type', () => {
  for (const type of NOTIFICATION_TYPES) expect(guide).toContain(`| \`${type}\` | `);
});

test('the guide says how a signature is made', () => {
  const [, code = ''] = /```javascript\n(.*?)```/s.exec(guide) ?? [];
  const signed: unknown = new Function('createHmac', 'key', 'timestamp', 'body', `${code} return signed;`)(createHmac, 'k', '17', '{}');
  expect(signed).toBe(`sha256=${createHmac('sha256', 'k').update('17.{}').digest('hex')}`);
});

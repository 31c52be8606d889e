import { expect, test } from '@jest/globals';
import { Command, CommanderError } from 'commander';
import { NOTIFICATION_TYPES } from '../../api/notifications.ts';
import { addNotificationOptions, type NotificationOptions, readNotifications } from './config.ts';

function parse(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  let err = '';
  const command = addNotificationOptions(new Command('x'))
    .exitOverride()
    .configureOutput({ writeErr: (text) => (err += text) });
  try {
    command.parse(args, { from: 'user' });
    return readNotifications(command, command.opts<NotificationOptions>(), env);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return err;
  }
}

const all = new Set(NOTIFICATION_TYPES);

test('nobody is told anything unless told', () => {
  expect(parse([])).toEqual({ webhooks: [], folder: '/etc/lockkeeper/webhooks', cluster: '', windowNoticeMs: 3_600_000, proxy: {} });
});

test('flags', () => {
  const args = [
    '--webhooks=ops:generic,chat:slack:RolloutHalted+RolloutDone',
    '--webhooks-dir=/w',
    '--cluster-name=prod',
    '--window-notice=30m',
  ];
  expect(parse(args, { LOCKKEEPER_WEBHOOKS: 'other:slack' })).toEqual({
    webhooks: [
      { name: 'ops', format: 'generic', types: all },
      { name: 'chat', format: 'slack', types: new Set(['RolloutHalted', 'RolloutDone']) },
    ],
    folder: '/w',
    cluster: 'prod',
    windowNoticeMs: 1_800_000,
    proxy: {},
  });
});

test('the environment', () => {
  const proxy = { HTTPS_PROXY: 'http://proxy:3128', no_proxy: '.local' };
  const env = {
    LOCKKEEPER_WEBHOOKS: 'ops:slack',
    LOCKKEEPER_WEBHOOKS_DIR: '/w',
    LOCKKEEPER_CLUSTER_NAME: 'prod',
    LOCKKEEPER_WINDOW_NOTICE: '2h',
  };
  expect(parse([], { ...env, ...proxy, PATH: '/bin' })).toEqual({
    webhooks: [{ name: 'ops', format: 'slack', types: all }],
    folder: '/w',
    cluster: 'prod',
    windowNoticeMs: 7_200_000,
    proxy,
  });
  expect(parse([], { LOCKKEEPER_WEBHOOKS: '' })).toMatchObject({ webhooks: [] });
});

test.each([
  ['ops', 'NAME:FORMAT'],
  ['ops:teams', 'NAME:FORMAT'],
  ['../ops:slack', 'NAME:FORMAT'],
  ['ops:slack:RolloutHalted:x', 'NAME:FORMAT'],
  ['ops:slack:Everything', 'must name types among RolloutHalted'],
  ['ops:slack,ops:generic', 'must name each webhook once'],
  [Array.from({ length: 9 }, (_, index) => `w${index}:slack`).join(), 'must be at most 8 webhooks'],
])('webhooks %j are refused, as flag and as variable', (text, why) => {
  expect(parse([`--webhooks=${text}`])).toContain(why);
  expect(parse([], { LOCKKEEPER_WEBHOOKS: text })).toContain(why);
});

test('a notice that is none is refused', () => {
  expect(parse(['--window-notice=soon'])).toContain('must be a duration');
  expect(parse([], { LOCKKEEPER_WINDOW_NOTICE: '0s' })).toContain('LOCKKEEPER_WINDOW_NOTICE is "0s", but must be a duration');
});

import { describe, expect, test } from '@jest/globals';
import { commandOf, translatePath, translatePort } from './pod-command.ts';
import type { PodObject } from './pod-object.ts';

describe('translatePath', () => {
  const places = new Map([
    ['/app', '/home/dist'],
    ['/run/api.sock', '/tmp/1.sock'],
  ]);
  test.each([
    ['/app/agent.js', '/home/dist/agent.js'],
    ['/app', '/home/dist'],
    ['/application', '/application'],
    ['--socket=/run/api.sock', '--socket=/tmp/1.sock'],
    ['--socket=/run/api.sock.old', '--socket=/run/api.sock.old'],
    ['controller', 'controller'],
    ['--url=http://x/app/y', '--url=http://x/app/y'],
  ])('%s becomes %s', (text, expected) => expect(translatePath(text, places)).toBe(expected));
});

describe('translatePort', () => {
  const ports = new Map([[8080, 20001]]);
  test.each([
    ['--listen=:8080', '--listen=127.0.0.1:20001'],
    ['--listen=0.0.0.0:8080', '--listen=127.0.0.1:20001'],
    ['--listen=[::]:8080', '--listen=127.0.0.1:20001'],
    [':8080', '127.0.0.1:20001'],
    ['--listen=:8081', '--listen=:8081'],
    ['--url=http://x:8080', '--url=http://x:8080'],
    ['--at=10:8080', '--at=127.0.0.1:20001'],
    ['8080', '8080'],
  ])('%s becomes %s', (text, expected) => expect(translatePort(text, ports)).toBe(expected));
});

test('a container becomes a command of this machine', () => {
  const container = {
    name: 'agent',
    image: 'lockkeeper',
    command: ['node', '--max-old-space-size=32', '/app/agent.js'],
    args: ['--socket=/run/api.sock', '--listen=:8080'],
    env: [
      { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'GREETING', value: 'hello $(NODE_NAME) $(NOBODY)' },
    ],
  };
  const pod: PodObject = { metadata: { name: 'agent-x', namespace: 'ns' }, spec: { nodeName: 'node-1', containers: [container] } };
  const mounts = new Map([['/run/api.sock', '/tmp/1.sock']]);
  const ports = new Map([[8080, 20001]]);
  const context = { pod, container, mounts, app: '/dist', node: '/bin/node', ports, hostIP: '10.0.0.1' };
  expect(commandOf({ ...context, extraArgs: ['--boot-id-file=/tmp/1.boot-id'], extraEnv: { HOME: '/tmp' } })).toEqual({
    command: '/bin/node',
    args: [
      '--max-old-space-size=32',
      '/dist/agent.js',
      '--socket=/tmp/1.sock',
      '--listen=127.0.0.1:20001',
      '--boot-id-file=/tmp/1.boot-id',
    ],
    env: { NODE_NAME: 'node-1', GREETING: 'hello node-1 $(NOBODY)', HOME: '/tmp' },
  });
});

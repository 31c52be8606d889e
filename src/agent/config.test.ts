import { describe, expect, test } from '@jest/globals';
import { HELP, readInvocation } from './config.ts';

const inCluster = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };

test('in cluster, all from the environment', () => {
  expect(readInvocation([], { ...inCluster, NODE_NAME: 'node-a', LOCKKEEPER_SERVICE_ACCOUNT_DIR: '/sa' })).toEqual({
    kind: 'run',
    config: {
      node: 'node-a',
      socketPath: '/run/api.sock',
      bootIDFile: '/proc/sys/kernel/random/boot_id',
      logLevel: 'info',
      kubeconfig: undefined,
      inCluster: { host: '10.96.0.1', port: '443', directory: '/sa' },
    },
  });
});

test('a flag beats its variable', () => {
  const read = readInvocation(['--node', 'b', '--socket', '/s', '--kubeconfig', '/k', '--boot-id-file', '/b', '--log-level=trace'], {
    NODE_NAME: 'a',
  });
  expect(read).toMatchObject({
    kind: 'run',
    config: { node: 'b', socketPath: '/s', kubeconfig: '/k', bootIDFile: '/b', logLevel: 'trace' },
  });
});

describe('one line says what is wrong', () => {
  test.each([
    [[], {}, '--node (or NODE_NAME) is missing'],
    [['--node', 'Not_A_Node'], inCluster, '--node: must be the name of a node'],
    [['--node', 'a', '--log-level', 'loud'], inCluster, '--log-level: '],
    [['--node', 'a', '--socket', ''], inCluster, '--socket: '],
    [['--node', 'a', '--colour'], inCluster, '--colour'],
    [['--node'], inCluster, '--node'],
    [['--node', 'a', 'b'], inCluster, "'b'"],
    [['--node', 'a'], {}, 'without --kubeconfig: KUBERNETES_SERVICE_HOST: '],
    [['--node', 'a'], { ...inCluster, KUBERNETES_SERVICE_PORT: 'https' }, 'without --kubeconfig: KUBERNETES_SERVICE_PORT: must be a port'],
  ])('%j with %j', (args, env, message) => {
    const read = readInvocation(args, env);
    expect(read).toEqual({ kind: 'wrong', message: expect.stringContaining(message) });
    expect(read.kind === 'wrong' && read.message).not.toMatch(/\n/);
  });
});

test('help and version need nothing else, and the help names each flag', () => {
  expect(readInvocation(['--help'], {})).toEqual({ kind: 'help' });
  expect(readInvocation(['--version'], {})).toEqual({ kind: 'version' });
  for (const flag of [
    '--node',
    '--socket',
    '--kubeconfig',
    '--boot-id-file',
    '--log-level',
    'NODE_NAME',
    'LOCKKEEPER_SERVICE_ACCOUNT_DIR',
  ]) {
    expect(HELP).toContain(flag);
  }
});

import { describe, expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { type ControllerConfig, controllerCommand } from './config.ts';

const IN_CLUSTER = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443' };

/** What a command line asks for, or how it is refused. */
async function parse(args: readonly string[], env: NodeJS.ProcessEnv = IN_CLUSTER) {
  let config: ControllerConfig | undefined;
  let out = '';
  let err = '';
  const command = controllerCommand(async (given) => {
    config = given;
  }, env)
    .exitOverride()
    .configureOutput({ writeOut: (text) => (out += text), writeErr: (text) => (err += text) });
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { config, out, err, exitCode: error.exitCode };
  }
  return { config, out, err, exitCode: 0 };
}

describe('without flags', () => {
  test('in the cluster', async () => {
    const env = {
      ...IN_CLUSTER,
      POD_NAMESPACE: 'kube-lock',
      POD_NAME: 'lockkeeper-1',
      NODE_NAME: 'a.internal',
      LOCKKEEPER_SERVICE_ACCOUNT_DIR: '/sa',
    };
    expect((await parse([], env)).config).toEqual({
      namespace: 'kube-lock',
      identity: 'lockkeeper-1',
      nodeName: 'a.internal',
      leaseName: 'lockkeeper',
      leaseDurationMs: 13_000,
      renewIntervalMs: 5_000,
      giveUpAfterMs: 9_000,
      retryBaseMs: 15_000,
      retryMaxMs: 1_800_000,
      hookNamespaces: [],
      prometheusHosts: [],
      checkIntervalMs: 15_000,
      nodeConditions: false,
      brupopMetrics: false,
      listen: { port: 8080 },
      logLevel: 'info',
      inCluster: { host: '10.0.0.1', port: '6443', directory: '/sa' },
    });
  });

  test('an empty variable is none', async () => {
    const { config } = await parse([], { ...IN_CLUSTER, POD_NAMESPACE: '', POD_NAME: '', NODE_NAME: '' });
    expect(config).toMatchObject({ namespace: 'lockkeeper', identity: expect.stringMatching(/-\d+$/) });
    expect(config).not.toHaveProperty('nodeName');
  });

  test('the port of the API server is 443 where none is said', async () => {
    expect((await parse([], { KUBERNETES_SERVICE_HOST: '::1' })).config?.inCluster).toEqual({ host: '::1', port: '443' });
  });
});

describe('each flag', () => {
  test.each<[string, string, Partial<ControllerConfig>]>([
    ['--kubeconfig', 'f', { kubeconfig: 'f' }],
    ['--context', 'c', { context: 'c' }],
    ['--namespace', 'n', { namespace: 'n' }],
    ['--pod-name', 'p', { identity: 'p' }],
    ['--node-name', 'a.b', { nodeName: 'a.b' }],
    ['--lease-name', 'l', { leaseName: 'l' }],
    ['--lease-duration', '1m', { leaseDurationMs: 60_000 }],
    ['--renew-interval', '500ms', { renewIntervalMs: 500 }],
    ['--give-up-after', '12s500ms', { giveUpAfterMs: 12_500 }],
    ['--retry-base', '1s', { retryBaseMs: 1_000 }],
    ['--retry-max', '1h30m', { retryMaxMs: 5_400_000 }],
    ['--prometheus-hosts', 'p.monitoring:9090,q', { prometheusHosts: ['p.monitoring:9090', 'q'] }],
    ['--check-interval', '1s', { checkIntervalMs: 1_000 }],
    ['--listen', ':0', { listen: { port: 0 } }],
    ['--listen', '127.0.0.1:9090', { listen: { host: '127.0.0.1', port: 9090 } }],
    ['--listen', '[::1]:9090', { listen: { host: '::1', port: 9090 } }],
    ['--listen', 'localhost:65535', { listen: { host: 'localhost', port: 65_535 } }],
    ['--log-level', 'debug', { logLevel: 'debug' }],
  ])('%s %s', async (flag, value, wanted) => {
    const { config, exitCode } = await parse([flag, value]);
    expect(exitCode).toBe(0);
    expect(config).toMatchObject(wanted);
  });

  test('beats its variable', async () => {
    const env = { ...IN_CLUSTER, POD_NAMESPACE: 'x', POD_NAME: 'x', NODE_NAME: 'x' };
    const { config } = await parse(['--namespace', 'n', '--pod-name', 'p', '--node-name', 'a'], env);
    expect(config).toMatchObject({ namespace: 'n', identity: 'p', nodeName: 'a' });
  });

  test('is in the help, with the variables', async () => {
    const { out, exitCode } = await parse(['--help']);
    expect(exitCode).toBe(0);
    const flags =
      'kubeconfig context namespace pod-name node-name lease-name lease-duration renew-interval give-up-after retry-base retry-max listen log-level';
    for (const flag of flags.split(' ')) expect(out).toContain(`--${flag} `);
    for (const name of ['POD_NAMESPACE', 'POD_NAME', 'NODE_NAME', 'KUBERNETES_SERVICE_HOST', 'LOCKKEEPER_SERVICE_ACCOUNT_DIR'])
      expect(out).toContain(name);
    for (const value of ['13s', '5s', '9s', '15s', '30m', ':8080', 'info']) expect(out).toContain(value);
  });
});

describe('is refused by one line that says what is wanted', () => {
  test.each<[string[], RegExp]>([
    [['--namespace', 'Not_A_Name'], /--namespace .*must be a name/],
    [['--namespace', ''], /--namespace .*must be a name/],
    [['--pod-name', '../x'], /--pod-name .*must be a name/],
    [['--node-name', '-a'], /--node-name .*must be a name/],
    [['--lease-name', 'a/b'], /--lease-name .*must be a name/],
    [['--lease-duration', '13'], /--lease-duration .*must be a duration such as/],
    [['--lease-duration', 'soon'], /--lease-duration .*must be a duration/],
    [['--renew-interval', '0s'], /--renew-interval .*must be a duration/],
    [['--give-up-after', '-1s'], /--give-up-after .*must be a duration/],
    [['--retry-base', '1.5s'], /--retry-base .*must be a duration/],
    [['--retry-max', ''], /--retry-max .*must be a duration/],
    [['--lease-duration', '9s'], /--renew-interval must be shorter than --give-up-after/],
    [['--renew-interval', '9s'], /--renew-interval must be shorter/],
    [['--retry-base', '1h'], /--retry-base must not be longer than --retry-max/],
    [['--listen', '8080'], /--listen .*must be \[HOST\]:PORT/],
    [['--listen', ':65536'], /--listen .*must be/],
    [['--listen', '::1:80'], /--listen .*must be/],
    [['--log-level', 'loud'], /--log-level .*Allowed choices are trace, debug/],
    [['--unknown'], /unknown option '--unknown'/],
    [['more'], /too many arguments/],
  ])('%j', async (args, words) => {
    const { config, err, exitCode } = await parse(args);
    expect(config).toBeUndefined();
    // The program turns every refusal into 2.
    expect(exitCode).not.toBe(0);
    expect(err).toMatch(words);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  test.each(['POD_NAMESPACE', 'POD_NAME', 'NODE_NAME'])('%s', async (variable) => {
    const { config, err, exitCode } = await parse([], { ...IN_CLUSTER, [variable]: 'Not_A_Name' });
    expect([config, exitCode]).toEqual([undefined, 2]);
    expect(err).toMatch(new RegExp(`${variable} is "Not_A_Name", but must be a name`));
  });

  test('neither a cluster nor a kubeconfig', async () => {
    const { config, err, exitCode } = await parse([], {});
    expect([config, exitCode]).toEqual([undefined, 2]);
    expect(err).toMatch(/not in a cluster .*--kubeconfig FILE/);
    expect((await parse(['--kubeconfig', 'f'], {})).config).toMatchObject({ kubeconfig: 'f' });
  });
});

import { describe, expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { type ReleaseConfig, releaseCommand } from './release-config.ts';

/** What a command line asks for, or how it is refused. */
async function parse(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  let config: ReleaseConfig | undefined;
  let err = '';
  const command = releaseCommand(async (given) => {
    config = given;
  }, env)
    .exitOverride()
    .configureOutput({ writeErr: (text) => (err += text) });
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { config, err };
  }
  return { config, err };
}

describe('release', () => {
  test('as the Job runs it', async () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443', POD_NAMESPACE: 'kube-lock', POD_NAME: 'job-1' };
    expect((await parse(['--all', '--timeout=90s'], env)).config).toEqual({
      namespace: 'kube-lock',
      identity: 'release-job-1',
      leaseName: 'lockkeeper',
      timeoutMs: 90_000,
      hookNamespaces: [],
      nodeConditions: false,
      dryRun: 'none',
      logLevel: 'warn',
      inCluster: { host: '10.0.0.1', port: '6443' },
    });
  });

  test('as a person runs it: the namespace is found, the kubeconfig where kubectl looks for it', async () => {
    const { config } = await parse(['--all', '--dry-run'], { KUBECONFIG: '/home/ann/kubeconfig' });
    expect(config).toMatchObject({ kubeconfig: ['/home/ann/kubeconfig'], dryRun: 'client', timeoutMs: 240_000 });
    expect(config?.namespace).toBeUndefined();
    expect((await parse(['--all', '--kubeconfig=x', '--context=y', '--namespace=z'], { KUBECONFIG: 'other' })).config).toMatchObject({
      kubeconfig: 'x',
      context: 'y',
      namespace: 'z',
    });
    expect((await parse(['--all'])).config?.kubeconfig).toEqual([expect.stringMatching(/\/\.kube\/config$/)]);
  });

  test.each([
    [[], '--all'],
    [['--all', '--timeout=soon'], 'duration'],
    [['--all', '--namespace=Not_A_Name'], 'name'],
    [['--all', 'node-1'], 'too many arguments'],
  ])('%j is refused', async (args, named) => {
    expect(await parse(args)).toMatchObject({ config: undefined, err: expect.stringContaining(named) });
  });
});

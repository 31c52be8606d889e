import { expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { type VerifyConfig, verifyCommand } from './verify-install-config.ts';

async function parse(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<VerifyConfig | undefined> {
  let config: VerifyConfig | undefined;
  const command = verifyCommand(async (given) => {
    config = given;
  }, env);
  await command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .parseAsync(args, { from: 'user' });
  return config;
}

test('as the Job runs it', async () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443', POD_NAMESPACE: 'locks' };
  const inCluster = { host: '10.0.0.1', port: '6443' };
  expect(await parse(['--timeout=5s'], env)).toEqual({ namespace: 'locks', leaseName: 'lockkeeper', timeoutMs: 5_000, inCluster });
});

test("as a person runs it: by kubectl's kubeconfig, in the namespace of the README", async () => {
  const config = await parse(['--context=a'], { KUBECONFIG: 'file' });
  expect(config).toMatchObject({ kubeconfig: ['file'], context: 'a', namespace: 'lockkeeper', timeoutMs: 60_000 });
});

test.each([[['--timeout=0s']], [['extra']], [['--namespace=Not_A_Name']]])('%j is refused', async (args) => {
  await expect(parse(args)).rejects.toThrow(CommanderError);
});

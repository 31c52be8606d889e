import { expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { type CrdsConfig, crdsCommand } from './crds-config.ts';

async function parse(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CrdsConfig | undefined> {
  let config: CrdsConfig | undefined;
  const command = crdsCommand(async (given) => {
    config = given;
  }, env).exitOverride();
  for (const one of [command, ...command.commands]) one.configureOutput({ writeErr: () => undefined });
  await command.parseAsync(args, { from: 'user' });
  return config;
}

test('as the Job runs it', async () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443', KUBECONFIG: 'not-read' };
  expect(await parse(['apply', '--timeout=5s'], env)).toEqual({ timeoutMs: 5_000, inCluster: { host: '10.0.0.1', port: '6443' } });
});

test("as a person runs it: by kubectl's kubeconfig, for a minute", async () => {
  expect(await parse(['apply', '--context=a'], { KUBECONFIG: 'file' })).toMatchObject({
    kubeconfig: ['file'],
    context: 'a',
    timeoutMs: 60_000,
  });
});

test.each([[['apply', '--timeout=0s']], [['apply', 'extra']], [['delete']]])('%j is refused', async (args) => {
  await expect(parse(args)).rejects.toThrow(CommanderError);
});

import packageJson from '../../package.json' with { type: 'json' };
import { systemClock } from '../kube/clock.ts';
import type { Credentials } from '../kube/credentials.ts';
import { CredentialsError } from '../kube/credentials.ts';
import { inClusterCredentials } from '../kube/in-cluster.ts';
import { readText } from '../kube/read-text.ts';
import { type AgentConfig, HELP, readInvocation } from './config.ts';
import { createLog } from './log.ts';
import { runAgent } from './run-agent.ts';

const { version } = packageJson;
const longestBootID = 128;

/** Runs the program; resolves with its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const invocation = readInvocation(args);
  switch (invocation.kind) {
    case 'help':
      process.stdout.write(HELP);
      return 0;
    case 'version':
      process.stdout.write(`lockkeeper-agent ${version}\n`);
      return 0;
    case 'wrong':
      process.stderr.write(`lockkeeper-agent: ${invocation.message}\n`);
      return 2;
    case 'run':
      return run(invocation.config);
  }
}

async function run(config: AgentConfig): Promise<number> {
  const clock = systemClock;
  const write = (line: string): void => void process.stdout.write(line);
  const logger = createLog({ level: config.logLevel, clock, write, base: { program: 'agent', node: config.node } });
  let credentials: Credentials;
  try {
    credentials = config.kubeconfig === undefined ? inClusterCredentials(config.inCluster) : await credentialsOf(config.kubeconfig);
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    process.stderr.write(`lockkeeper-agent: ${error.message}\n`);
    return 2;
  }
  const ending = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => ending.abort(new Error(`ended by ${name}`)));
  try {
    await runAgent({
      node: config.node,
      version,
      credentials,
      socketPath: config.socketPath,
      // A kubeconfig says where its API server is.
      hostNamesServer: config.kubeconfig === undefined,
      readBootID: () => readBootID(config.bootIDFile),
      clock,
      logger,
      random: Math.random,
      signal: ending.signal,
    });
    return 0;
  } catch (error) {
    logger.error({ error }, 'agent failed: it must be started again');
    return 1;
  }
}

/** A pod has no kubeconfig, and is spared what reads one: a third of the program. */
async function credentialsOf(kubeconfig: string): Promise<Credentials> {
  const { simpleKubeconfigCredentials } = await import('../kube/simple-kubeconfig.ts');
  return simpleKubeconfigCredentials(kubeconfig);
}

async function readBootID(path: string): Promise<string> {
  const bootID = (await readText(path)).trim();
  if (bootID === '' || bootID.length > longestBootID) throw new Error(`${path} holds no boot ID`);
  return bootID;
}

process.exitCode = await main(process.argv.slice(2));

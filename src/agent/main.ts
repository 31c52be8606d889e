import packageJson from '../../package.json' with { type: 'json' };
import { KubeClient } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import type { Credentials } from '../kube/credentials.ts';
import { CredentialsError } from '../kube/credentials.ts';
import { inClusterCredentials } from '../kube/in-cluster.ts';
import { readText } from '../kube/read-text.ts';
import { Agent } from './agent.ts';
import { ApiServers, fallbackCredentials } from './api-servers.ts';
import { type AgentConfig, HELP, readInvocation } from './config.ts';
import { HostClient } from './host-client.ts';
import { createLog } from './log.ts';

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
      return runAgent(invocation.config);
  }
}

async function runAgent(config: AgentConfig): Promise<number> {
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
  const { signal } = ending;
  const host = new HostClient({ socketPath: config.socketPath, clock });
  const clientFor = (credentials: Credentials): KubeClient =>
    new KubeClient({ credentials, userAgent: `lockkeeper-agent/${version}`, maxBodyBytes: 4 * 1024 * 1024, maxSockets: 2, clock, logger });
  const primary = clientFor(credentials);
  let fallback: KubeClient | undefined;
  const findFallback = async (): Promise<KubeClient | undefined> => {
    const settings = config.kubeconfig === undefined ? await host.apiServer(signal) : undefined;
    const found = settings && fallbackCredentials(credentials, settings);
    fallback = found && clientFor(found);
    return fallback;
  };
  const kube = new ApiServers({ primary, findFallback, clock, logger }, signal);
  const agent = new Agent({
    node: config.node,
    version,
    kube,
    host,
    readBootID: () => readBootID(config.bootIDFile),
    // What people read on the NodeHost is told in one time, whatever the machine's clock says.
    clock: { ...clock, now: () => clock.now() + kube.clockOffsetMs },
    logger,
    random: Math.random,
  });
  logger.info({ version, socket: config.socketPath }, 'agent started');
  try {
    await agent.run(signal);
    logger.info({}, 'agent ended');
    return 0;
  } catch (error) {
    logger.error({ error }, 'agent failed: it must be started again');
    return 1;
  } finally {
    ending.abort();
    primary.close();
    fallback?.close();
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

import { Command, CommanderError } from 'commander';
import pino from 'pino';
import { controllerCommand } from './controller/config.ts';
import { runController } from './controller/controller.ts';
import { runCrdsApply } from './controller/crds.ts';
import { crdsCommand } from './controller/crds-config.ts';
import { runNotifyTest } from './controller/notifications/notify-test.ts';
import { notifyTestCommand } from './controller/notifications/notify-test-config.ts';
import { runRelease } from './controller/release.ts';
import { releaseCommand } from './controller/release-config.ts';
import { runVerify } from './controller/verify-install.ts';
import { verifyCommand } from './controller/verify-install-config.ts';
import { CredentialsError } from './kube/credentials.ts';
import { programCredentials } from './kube/program-credentials.ts';
import { visibleLines } from './kube/visible.ts';
import { VERSION } from './version.ts';

/** Parses the command line and runs what it asks for; resolves with the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(name)));
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const program = new Command('lockkeeper')
    .description("Keeps the operating systems of a Kubernetes cluster's nodes up to date, node by node.")
    .version(VERSION)
    .exitOverride()
    .addCommand(
      controllerCommand(async (config) => {
        const logger = pino(logOptions(config));
        await runController(config, await programCredentials(config), logger, stop.signal);
      }).exitOverride(),
    )
    .addCommand(
      releaseCommand(async (config) => {
        const logger = pino(logOptions(config), pino.destination(2));
        if (!(await runRelease(config, { credentials: await programCredentials(config), print, logger, signal: stop.signal })))
          exitCode = 1;
      }).exitOverride(),
    )
    .addCommand(
      new Command('ecs')
        .description('Updates the container instances of an Amazon ECS cluster (`lockkeeper ecs --help`).')
        .helpOption(false)
        .allowUnknownOption()
        .allowExcessArguments()
        .action(async () => {
          // A program of its own beside this one, which loads nothing of it.
          const { main: ecs } = await import(new URL('lockkeeper-ecs.js', import.meta.url).href);
          exitCode = await ecs(argv.slice(1));
        })
        .exitOverride(),
    )
    .addCommand(
      notifyTestCommand(async (config) => {
        if (!(await runNotifyTest(config, print, stop.signal))) exitCode = 1;
      }).exitOverride(),
    )
    .addCommand(crdsCommand((config) => runCrdsApply(config, print, stop.signal)).exitOverride())
    .addCommand(
      verifyCommand(async (config) => {
        if (!(await runVerify(config, print, stop.signal))) exitCode = 1;
      }).exitOverride(),
    );
  let exitCode = 0;
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    // A kubeconfig or a context that is not there is a bad value like any other.
    return error instanceof CredentialsError && !error.retryable ? 2 : 1;
  }
}

function logOptions({ logLevel, identity }: { logLevel: string; identity: string }): pino.LoggerOptions {
  return {
    level: logLevel,
    base: { who: identity },
    serializers: { error: pino.stdSerializers.err },
    // JSON leaves some characters as they are that a terminal acts upon.
    hooks: { streamWrite: visibleLines },
  };
}

process.exitCode = await main(process.argv.slice(2));

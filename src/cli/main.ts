#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import picocolors from 'picocolors';
import { KubeClient } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import { CredentialsError } from '../kube/credentials.ts';
import { kubeconfigCredentials } from '../kube/kubeconfig.ts';
import { VERSION } from '../version.ts';
import { EXIT, explain, MissingRightsError } from './errors.ts';
import { type PlanOptions, planCommand, runPlan } from './plan.ts';
import { PolicyFileError } from './policy-file.ts';
import { readText } from './read-text.ts';

/** Parses the command line and runs what it asks for; resolves with the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
  const { stdin, stdout, stderr } = process;
  const colors = picocolors.createColors(stdout.isTTY && picocolors.isColorSupported);
  const program = new Command('kubectl lockkeeper')
    .description("Shows what Lockkeeper does with the operating systems of a cluster's nodes.")
    .version(VERSION)
    .exitOverride()
    .addCommand(
      planCommand((options) =>
        runPlan(options, {
          client: connect,
          readFile: (name) => readText(name === '-' ? stdin : name),
          print: (text) => stdout.write(text),
          colors,
          clock: systemClock,
          signal: stop.signal,
        }),
      ).exitOverride(),
    );
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    stderr.write(`error: ${explain(error)}\n`);
    if (error instanceof MissingRightsError) return EXIT.forbidden;
    return error instanceof PolicyFileError || (error instanceof CredentialsError && !error.retryable) ? EXIT.usage : EXIT.failed;
  }
}

const connect = ({ kubeconfig, context }: PlanOptions): KubeClient =>
  new KubeClient({ credentials: kubeconfigCredentials(kubeconfig, context), userAgent: `kubectl-lockkeeper/${VERSION}` });

process.exitCode = await main(process.argv.slice(2));

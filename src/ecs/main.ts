import { CommanderError } from 'commander';
import pino from 'pino';
import { PolicyFileError } from '../cli/policy-file.ts';
import { systemClock } from '../kube/clock.ts';
import { VERSION } from '../version.ts';
import { ecsProgram } from './config.ts';
import { planEcs } from './plan.ts';
import { runEcs } from './run.ts';

/** Parses the command line and runs until it is told to end; resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(name)));
  const program = ecsProgram(async (config) => {
    const print = (text: string) => void process.stdout.write(text);
    if (config.plan) return planEcs(config, { clock: systemClock, print });
    const logger = pino({ level: config.logLevel, base: { who: config.holder }, serializers: { error: pino.stdSerializers.err } });
    await runEcs(config, { clock: systemClock, logger, print }, stop.signal);
  }, VERSION).exitOverride();
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof PolicyFileError ? 2 : 1;
  }
}

// Loaded by `lockkeeper ecs`, it is run by that.
if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

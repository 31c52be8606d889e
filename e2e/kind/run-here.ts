import { runCommand } from '../bed/command.ts';
import { repository } from '../bed/config.ts';
import type { CommandLine } from './commands.ts';

/** Long enough for an image of a node to be downloaded. */
const commandTimeoutMs = 900_000;

/** Runs Docker and kind with this environment: both find their engine by it. */
export function runHere([program, ...args]: CommandLine): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
  return runCommand(program, args, { env, cwd: repository, timeoutMs: commandTimeoutMs });
}

import { execFile } from 'node:child_process';

/** A command-line tool ended with an error; the message holds what it said. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Runs a tool to its end and returns its stdout. Nothing is inherited from the environment. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly cwd: string; readonly timeoutMs: number; readonly input?: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const { cwd, env, input, timeoutMs } = options;
    const child = execFile(
      command,
      args,
      { cwd, env: { ...env }, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else
          reject(new CommandError(`${command} ${args.join(' ')}: ${error.message}\n${stderr}${stdout}`.slice(0, 16_000), { cause: error }));
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

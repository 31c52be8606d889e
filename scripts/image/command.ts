import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The image cannot be built; a retry helps only after a person has done what the message says. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

export interface RunOptions {
  readonly cwd?: string;
  /** Instead of this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end and gives what it wrote; its messages are in English whatever the machine speaks. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  try {
    const env = options.env ?? { ...process.env, LC_ALL: 'C' };
    const { stdout } = await execute(program, [...args], { ...options, env, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (String(code) === 'ENOENT')
      throw new ImageError(`${program} is not installed: docs/image.md says what building the image needs`, { cause: error });
    const said = (stderr ?? '').trim().split('\n').slice(-5).join('\n');
    throw new ImageError(`${program} ${args.slice(0, 3).join(' ')} ended with ${code}: ${said}`, { cause: error });
  }
}

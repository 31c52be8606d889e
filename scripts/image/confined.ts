import { ImageError, run } from './command.ts';
import { type Architecture, architectures } from './pins.ts';
import type { UnpackedImage } from './unpack.ts';

/** This machine's architecture, or undefined where no image of ours can run. */
export function hostArchitecture(): Architecture | undefined {
  if (process.platform !== 'linux') return undefined;
  const name = process.arch === 'x64' ? 'amd64' : process.arch;
  return architectures.find((architecture) => architecture === name);
}

/** Runs a command in an image. */
export type Confined = (image: UnpackedImage, command: readonly string[]) => Promise<string>;

/**
 * A way to run a command with an image's files as the only ones that it sees (not even /proc and /dev), with the image's
 * environment alone: as the image's user where we are root, else as ourselves in a user namespace. Undefined where this
 * machine allows neither.
 */
export async function confinement(): Promise<Confined | undefined> {
  if (process.getuid?.() === 0)
    return (image, command) => runIn(image, ['/usr/sbin/chroot', `--userspec=${image.config.config.User}`], command);
  const unshare = ['/usr/bin/unshare', '--map-root-user', '/usr/sbin/chroot'];
  try {
    await run('/usr/bin/unshare', ['--map-root-user', 'true']);
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
  return (image, command) => runIn(image, unshare, command);
}

function runIn(image: UnpackedImage, [program = '', ...args]: readonly string[], command: readonly string[]): Promise<string> {
  const env = Object.fromEntries(
    image.config.config.Env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  return run(program, [...args, image.rootfs, ...command], { env });
}

/** Milliseconds from start to end of a command, the median of an odd number of runs. */
export async function medianMilliseconds(runs: number, command: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < runs; index++) {
    const startedAt = performance.now();
    await command();
    times.push(performance.now() - startedAt);
  }
  return Math.round(times.sort((a, b) => a - b)[(runs - 1) / 2] ?? 0);
}

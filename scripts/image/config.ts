import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** What building the image takes from its environment; everything else is an argument. */
export interface ImageEnvironment {
  /** Where packages are kept between builds and between clones. */
  readonly cache: string;
  /** A Debian mirror with the folders `debian/` and `debian-security/`, such as an archive of old versions; the machine's own when left out. */
  readonly mirror: string | undefined;
}

/** Reads the environment; empty variables count as unset. */
export function imageEnvironment(env: NodeJS.ProcessEnv = process.env): ImageEnvironment {
  const cacheHome = env['XDG_CACHE_HOME'] || path.join(env['HOME'] || homedir(), '.cache');
  return {
    cache: path.join(env['LOCKKEEPER_CACHE'] || path.join(cacheHome, 'lockkeeper'), 'image'),
    mirror: env['LOCKKEEPER_DEBIAN_MIRROR'] || undefined,
  };
}

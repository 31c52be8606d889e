import { ImageError, run } from './command.ts';
import type { ImageEnvironment } from './config.ts';
import type { DebianPackage } from './pins.ts';

export type DebianArchive = DebianPackage['archive'];

/** The address of an archive's root, ending in a slash: of the mirror that was named, else of the one that this machine's apt uses. */
export async function mirrorOf(archive: DebianArchive, environment: ImageEnvironment): Promise<string> {
  if (environment.mirror !== undefined) return `${environment.mirror.replace(/\/+$/, '')}/${archive}/`;
  // Needs no package lists, unlike apt's other ways to say what its sources are.
  const lines = (await run('apt-get', ['update', '--print-uris'])).split('\n');
  const found = lines.map((line) => /^'([^']+\/)dists\//.exec(line)?.[1]).find((root) => root?.endsWith(`/${archive}/`));
  if (found !== undefined) return found;
  throw new ImageError(`apt knows no mirror of ${archive}/ here: set LOCKKEEPER_DEBIAN_MIRROR to one, or build with the Dockerfile`);
}

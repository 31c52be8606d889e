import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ImageError, run } from './command.ts';
import type { ImageEnvironment } from './config.ts';
import { mirrorOf } from './mirror.ts';
import type { Architecture, DebianPackage, Pins } from './pins.ts';

/** Where apt keeps its downloader, the one part of it that needs no package lists. */
export const aptHelper = '/usr/lib/apt/apt-helper';

/** The file of a Debian package, with the pinned checksum; downloaded once. */
export async function debianPackage(pin: DebianPackage, environment: ImageEnvironment): Promise<string> {
  return cached(`${pin.name}-${pin.sha256.slice(0, 16)}.deb`, pin.sha256, 'sha256', environment, async (folder) => {
    const file = path.join(folder, 'package.deb');
    const address = (await mirrorOf(pin.archive, environment)) + pin.path;
    try {
      // As root, apt would otherwise hand the download to a user that may not write here, and warn of it.
      await run(aptHelper, ['-o', 'APT::Sandbox::User=', 'download-file', address, file, `SHA256:${pin.sha256}`]);
    } catch (error) {
      throw new ImageError(
        `${pin.name} ${pin.version} cannot be had: ${(error as Error).message}\n` +
          'Mirrors drop versions that were superseded: `node scripts/pin-image.ts` pins the present ones, or name a mirror that keeps it in LOCKKEEPER_DEBIAN_MIRROR.',
        { cause: error },
      );
    }
    return file;
  });
}

/** The npm package with an architecture's Node, with the pinned checksum; downloaded once. */
export async function nodePackage(pins: Pins['node'], architecture: Architecture, environment: ImageEnvironment): Promise<string> {
  const pin = pins[architecture];
  const checksum = Buffer.from(pin.integrity.slice('sha512-'.length), 'base64').toString('hex');
  return cached(`${pin.package}-${pins.version}.tgz`, checksum, 'sha512', environment, async (folder) => {
    await run('npm', ['pack', `${pin.package}@${pins.version}`, '--pack-destination', folder, '--silent']);
    return path.join(folder, `${pin.package}-${pins.version}.tgz`);
  });
}

/** Looks in the cache first; what it gives has the checksum. Two builds side by side each download under a name of their own. */
async function cached(
  name: string,
  checksum: string,
  algorithm: 'sha256' | 'sha512',
  environment: ImageEnvironment,
  download: (folder: string) => Promise<string>,
): Promise<string> {
  const kept = path.join(environment.cache, name);
  if ((await exists(kept)) && (await checksumOf(kept, algorithm)) === checksum) return kept;
  await mkdir(environment.cache, { recursive: true });
  const folder = await mkdtemp(path.join(environment.cache, `.${randomBytes(4).toString('hex')}-`));
  try {
    const file = await download(folder);
    const found = await checksumOf(file, algorithm);
    if (found !== checksum) throw new ImageError(`${name} was downloaded with the ${algorithm} ${found}; pinned is ${checksum}`);
    await rename(file, kept);
    return kept;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checksumOf(file: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ImageError, run } from './image/command.ts';
import { imageEnvironment } from './image/config.ts';
import { type DebianArchive, mirrorOf } from './image/mirror.ts';
import {
  type Architecture,
  architectures,
  type DebianPackage,
  debianPackages,
  type Pins,
  pinsFile,
  projectVersions,
} from './image/pins.ts';

/** The release whose libraries the image has. */
const RELEASE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const npmArchitecture = { amd64: 'x64', arm64: 'arm64' } as const;

async function nodePins(): Promise<Pins['node']> {
  const { node: version } = await projectVersions();
  const pin = async (architecture: Architecture) => {
    const name = `node-linux-${npmArchitecture[architecture]}`;
    return { package: name, integrity: (await run('npm', ['view', `${name}@${version}`, 'dist.integrity', '--silent'])).trim() };
  };
  return { version, amd64: await pin('amd64'), arm64: await pin('arm64') };
}

/** Asks apt, which checks the archive's signatures, in a state of its own: whatever this machine runs. */
async function debianPins(): Promise<Pins['debian']> {
  const folder = await mkdtemp(path.join(tmpdir(), 'pin-image-'));
  try {
    const mirrors = {
      debian: await mirrorOf('debian', imageEnvironment()),
      security: await mirrorOf('debian-security', imageEnvironment()),
    };
    const sources = path.join(folder, 'sources.list');
    const options = `[arch=${architectures.join(',')} signed-by=${KEYRING}]`;
    await writeFile(
      sources,
      `deb ${options} ${mirrors.debian} ${RELEASE} main\n` +
        `deb ${options} ${mirrors.debian} ${RELEASE}-updates main\n` +
        `deb ${options} ${mirrors.security} ${RELEASE}-security main\n`,
    );
    await mkdir(path.join(folder, 'lists', 'partial'), { recursive: true });
    await mkdir(path.join(folder, 'cache', 'archives', 'partial'), { recursive: true });
    await writeFile(path.join(folder, 'status'), '');
    const settings = {
      'Dir::Etc::sourcelist': sources,
      'Dir::Etc::sourceparts': '-',
      'Dir::State::lists': path.join(folder, 'lists'),
      'Dir::State::status': path.join(folder, 'status'),
      'Dir::Cache': path.join(folder, 'cache'),
      'APT::Architectures': architectures.join(','),
      'APT::Sandbox::User': '',
    };
    const apt = (...args: string[]) =>
      run('apt-get', [...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]), ...args]);
    await apt('update');
    const pins = async (architecture: Architecture) => {
      const list = await apt('-o', `APT::Architecture=${architecture}`, 'download', '--print-uris', ...debianPackages);
      return debianPackages.map((name) => parsePin(name, list, mirrors.debian, mirrors.security));
    };
    return { release: RELEASE, amd64: await pins('amd64'), arm64: await pins('arm64') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Finds a package in what `apt-get download --print-uris` wrote: `'URL' NAME_VERSION_ARCHITECTURE.deb SIZE SHA256:…`. */
function parsePin(name: DebianPackage['name'], list: string, debian: string, security: string): DebianPackage {
  const line = list.split('\n').find((text) => text.includes(`/${encodeURIComponent(name).toLowerCase()}_`));
  const [, address = '', version = '', sha256 = ''] =
    /^'([^']+)' [^_ ]+_([^_ ]+)_\w+\.deb \d+ SHA256:([0-9a-f]{64})$/.exec(line ?? '') ?? [];
  if (sha256 === '') throw new ImageError(`apt offers no ${name} with a checksum`);
  const archive: DebianArchive = address.startsWith(security) ? 'debian-security' : 'debian';
  const root = archive === 'debian' ? debian : security;
  return { name, version: version.replaceAll('%3a', ':'), archive, path: address.slice(root.length), sha256 };
}

const pins: Pins = { node: await nodePins(), debian: await debianPins() };
await writeFile(pinsFile, `${JSON.stringify(pins, undefined, 2)}\n`);
for (const { name, version } of pins.debian.amd64) console.log(`${name.padEnd(16)} ${version}`);
console.log(`node             ${pins.node.version}`);

import { chmod, copyFile, cp, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { imageSbom, type Sbom } from '../supply/sbom.ts';
import { ImageError, run } from './command.ts';
import { debianComponents, nodeComponent } from './components.ts';
import { type ImageEnvironment, repository } from './config.ts';
import { debianPackage, nodePackage } from './fetch.ts';
import { librariesOf, readElf } from './libraries.ts';
import { type Architecture, libraryFolder, type Pins } from './pins.ts';
import { accounts, nameServiceSwitch, sbomFile } from './recipe.ts';

export interface StageOptions {
  readonly architecture: Architecture;
  readonly pins: Pins;
  readonly environment: ImageEnvironment;
  /** An empty folder for what is unpacked on the way; the caller removes it. */
  readonly scratch: string;
  /** The folder of the two bundles. */
  readonly bundles: string;
}

const PROGRAMS = ['lockkeeper.js', 'lockkeeper-agent.js'];

/** Folders to write each layer to, from the one that changes least to the one that changes most; they may all be the same folder. */
export interface LayerFolders {
  readonly system: string;
  readonly runtime: string;
  readonly program: string;
}

/** Writes the image's files; owners and times are the archiver's business, modes are as they must be in the image. */
export async function stage(layers: LayerFolders, options: StageOptions): Promise<void> {
  const node = path.join(options.scratch, 'node');
  await unpackNode(node, options);
  await stageSystem(layers.system, path.join(node, 'bin', 'node'), options);
  await stageRuntime(layers.runtime, node);
  await stageProgram(layers.program, options);
  for (const folder of new Set(Object.values(layers))) await setModes(folder, folder);
}

async function unpackNode(folder: string, { pins, architecture, environment }: StageOptions): Promise<void> {
  const archive = await nodePackage(pins.node, architecture, environment);
  await mkdir(folder, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', folder, '--strip-components=1', 'package/bin/node', 'package/LICENSE']);
}

/** Libraries, certificates and accounts: what changes with Debian. */
async function stageSystem(root: string, program: string, { architecture, pins, environment, scratch }: StageOptions): Promise<void> {
  const debian = path.join(scratch, 'debian');
  await mkdir(debian, { recursive: true });
  for (const pin of pins.debian[architecture]) {
    const archive = await debianPackage(pin, environment);
    await run('dpkg-deb', ['--extract', archive, debian]);
    await write(root, `var/lib/dpkg/status.d/${pin.name}`, await run('dpkg-deb', ['--field', archive]));
    await copyLicense(debian, root, pin.name);
  }
  const folder = `usr/lib/${libraryFolder[architecture]}`;
  for (const { name, file } of await librariesOf(program, [path.join(debian, folder)])) await copy(file, root, `${folder}/${name}`);
  await link(root, 'lib', 'usr/lib');
  await linkLoader(root, folder, (await readElf(program)).interpreter ?? '');

  await write(root, 'etc/ssl/certs/ca-certificates.crt', await certificates(path.join(debian, 'usr/share/ca-certificates')));
  await copy(path.join(debian, 'usr/lib/os-release'), root, 'usr/lib/os-release');
  await link(root, 'etc/os-release', '../usr/lib/os-release');
  await cp(path.join(debian, 'usr/share/common-licenses'), path.join(root, 'usr/share/common-licenses'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  await write(root, 'etc/passwd', accounts.passwd);
  await write(root, 'etc/group', accounts.group);
  await write(root, 'etc/nsswitch.conf', nameServiceSwitch);
  await mkdir(path.join(root, 'tmp'), { recursive: true });
}

/** The kernel starts the loader by the path that the program names: on amd64 in /lib64, which is the second merged folder. */
async function linkLoader(root: string, folder: string, interpreter: string): Promise<void> {
  const [, top, name] = /^\/(lib|lib64)\/([^/]+)$/.exec(interpreter) ?? [];
  if (top === undefined || name === undefined)
    throw new ImageError(`Node asks for the loader '${interpreter}', which this recipe does not know`);
  if (top !== 'lib') await link(root, top, `usr/${top}`);
  await link(root, `usr/${top}/${name}`, path.relative(`usr/${top}`, `${folder}/${name}`));
}

/** Runtime and license as they are in Node's own package. */
async function stageRuntime(root: string, node: string): Promise<void> {
  await copy(path.join(node, 'bin/node'), root, 'usr/local/bin/node');
  await copy(path.join(node, 'LICENSE'), root, 'usr/local/share/doc/node/LICENSE');
}

async function stageProgram(root: string, { bundles, architecture, pins }: StageOptions): Promise<void> {
  for (const name of PROGRAMS) await copy(path.join(bundles, name), root, `app/${name}`);
  await copy(path.join(repository, 'LICENSE'), root, 'app/LICENSE');
  await copy(path.join(bundles, 'THIRD-PARTY-LICENSES'), root, 'app/THIRD-PARTY-LICENSES');
  const bundled = JSON.parse(await readFile(path.join(bundles, 'sbom.cdx.json'), 'utf8')) as Sbom;
  const sbom = imageSbom(bundled, PROGRAMS, [nodeComponent(pins, architecture), ...debianComponents(pins, architecture)]);
  await write(root, sbomFile, `${JSON.stringify(sbom, undefined, 2)}\n`);
}

/** Packages of one source share a documentation folder by symbolic links, which the base package of that source must precede or follow. */
async function copyLicense(debian: string, root: string, name: string): Promise<void> {
  const folder = path.join(debian, 'usr/share/doc', name);
  if ((await lstat(folder)).isSymbolicLink()) return;
  await copy(path.join(folder, 'copyright'), root, `usr/share/doc/${name}/copyright`);
}

/** All certificates in one file, in the order of their names, as Debian's own installation makes it. */
async function certificates(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.crt')).sort();
  const texts = await Promise.all(files.map((name) => readFile(path.join(folder, name), 'utf8')));
  return texts.map((text) => `${text.trimEnd()}\n`).join('');
}

const executable = /^usr\/local\/bin\/node$|^usr\/lib\/[^/]+\/ld-linux[^/]*$/;

/** Whatever the umask was: all is readable to all and writable to its owner, and only what must be can be executed. */
async function setModes(root: string, folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    const name = path.relative(root, file);
    if (entry.isDirectory()) await setModes(root, file);
    else if (entry.isFile()) await chmod(file, executable.test(name) ? 0o755 : 0o644);
    if (name === 'tmp') await chmod(file, 0o1777);
  }
}

async function write(root: string, name: string, content: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, name)), { recursive: true });
  await writeFile(path.join(root, name), content);
}

async function copy(source: string, root: string, name: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, name)), { recursive: true });
  await copyFile(source, path.join(root, name));
}

async function link(root: string, name: string, target: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, name)), { recursive: true });
  await symlink(target, path.join(root, name));
}

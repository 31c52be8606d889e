import { createHash } from 'node:crypto';
import { access, copyFile, lstat, mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Sbom } from '../supply/sbom.ts';
import { buildImage, buildRootfs, type ImageFacts } from './build.ts';
import { run } from './command.ts';
import { repository } from './config.ts';
import { confinement, hostArchitecture } from './confined.ts';
import { aptHelper } from './fetch.ts';
import { readElf } from './libraries.ts';
import { libraryFolder, projectVersions } from './pins.ts';
import { settings } from './recipe.ts';
import { type UnpackedImage, unpack } from './unpack.ts';

const TEN_MINUTES = 600_000;

async function found(program: string): Promise<boolean> {
  const folders = program.startsWith('/') ? [''] : (process.env['PATH'] ?? '').split(':');
  const tries = folders.map((folder) => access(path.join(folder, program)));
  return Promise.any(tries).then(
    () => true,
    () => false,
  );
}

/** Why the image cannot be built and tried here. */
async function whatLacks(): Promise<string | undefined> {
  if (hostArchitecture() === undefined) return `this is ${process.platform} on ${process.arch}`;
  for (const program of [aptHelper, 'dpkg-deb', 'tar', 'readelf', 'go', 'npm']) {
    if (!(await found(program))) return `${program} is not installed`;
  }
  return (await confinement()) === undefined ? 'we are neither root nor allowed a user namespace' : undefined;
}

/** A program starts in a second, and much later where others use the machine. */
jest.setTimeout(60_000);

const lacks = await whatLacks();
if (lacks !== undefined) console.warn(`THE IMAGE WAS NOT BUILT AND NOT TESTED: ${lacks}`);
const architecture = hostArchitecture() ?? 'amd64';
const other = architecture === 'amd64' ? 'arm64' : 'amd64';

(lacks === undefined ? describe : describe.skip)('the image', () => {
  let folder: string;
  let bundles: string;
  let facts: ImageFacts;
  let image: UnpackedImage;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'image-test-'));
    bundles = path.join(folder, 'bundles');
    await mkdir(bundles);
    if (!(await found(path.join(repository, 'dist', 'sbom.cdx.json')))) await run('node', ['scripts/build.ts'], { cwd: repository });
    for (const name of ['lockkeeper.js', 'lockkeeper-agent.js', 'THIRD-PARTY-LICENSES', 'sbom.cdx.json'])
      await copyFile(path.join(repository, 'dist', name), path.join(bundles, name));
    facts = await buildImage({ architecture, output: path.join(folder, 'first'), bundles });
    image = await unpack(facts.archive, path.join(folder, 'unpacked'));
  }, TEN_MINUTES);

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const inside = async (...command: string[]): Promise<string> => (await confinement())?.(image, command) ?? '';

  test(
    'comes out the same from another folder, under another umask, time zone and language',
    async () => {
      const [scratch, output] = [path.join(folder, 'scratch'), path.join(folder, 'second')];
      await mkdir(scratch);
      const env = { ...process.env, TMPDIR: scratch, TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', NODE_OPTIONS: '' };
      const command = `umask 077; exec node scripts/build-image.ts --arch ${architecture} --bundles ${bundles} --output ${output}`;
      await run('sh', ['-c', command], { cwd: repository, env });
      const [second] = JSON.parse(await readFile(path.join(output, 'image.json'), 'utf8')) as ImageFacts[];
      expect(second?.digest).toBe(facts.digest);
      expect(await sha256(path.join(output, path.basename(facts.archive)))).toBe(await sha256(facts.archive));
    },
    TEN_MINUTES,
  );

  test('carries the name by which containerd imports it', async () => {
    const { lockkeeper: version } = await projectVersions();
    expect(path.basename(facts.archive)).toBe(`lockkeeper-${version}-${architecture}.oci.tar`);
    expect(image.annotations).toEqual({
      'io.containerd.image.name': `localhost/lockkeeper:${version}`,
      'org.opencontainers.image.ref.name': version,
    });
  });

  test('is started as a user who is not root, with what the recipe says', () => {
    const { User, Env, Entrypoint, WorkingDir, Labels } = image.config.config;
    expect(image.config).toMatchObject({ architecture, os: 'linux', created: '1970-01-01T00:00:00Z' });
    expect(User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect({ User, WorkingDir, Entrypoint }).toEqual({
      User: settings.user,
      WorkingDir: settings.workingDirectory,
      Entrypoint: settings.entrypoint,
    });
    expect(Env).toEqual(Object.entries(settings.environment).map(([name, value]) => `${name}=${value}`));
    expect(Labels).toEqual(settings.labels);
  });

  test('has no program but Node and the loader: no shell, no package manager', async () => {
    const files = await list(image.rootfs);
    const executable = files.filter(({ type, mode }) => type === 'file' && (mode & 0o111) !== 0).map(({ name }) => name);
    expect(executable).toEqual([expect.stringMatching(/^usr\/lib\/[^/]+\/ld-linux[^/]*$/), 'usr/local/bin/node']);
    const programs = /^(ba|da|a|z|k|c|fi)?sh$|^busybox$|^toybox$|^(apt|dpkg|apk|rpm|dnf|yum|npm|npx|corepack)(-.*)?$|^su(do)?$/;
    expect(files.filter(({ name, type }) => type !== 'folder' && programs.test(path.basename(name)))).toEqual([]);
  });

  test('has no setuid, no device, and nothing that others may write but /tmp', async () => {
    const files = await list(image.rootfs);
    expect(files.filter(({ mode }) => (mode & 0o6000) !== 0)).toEqual([]);
    expect(files.filter(({ type }) => type === 'other')).toEqual([]);
    expect(files.filter(({ type, mode }) => type !== 'link' && (mode & 0o022) !== 0)).toEqual([
      expect.objectContaining({ name: 'tmp', type: 'folder', mode: 0o1777 }),
    ]);
    if (process.getuid?.() === 0) expect(files.filter(({ uid, gid }) => uid !== 0 || gid !== 0)).toEqual([]);
  });

  test('runs the controller, as the chart does', async () => {
    const { lockkeeper: version } = await projectVersions();
    expect(await inside('node', '/app/lockkeeper.js', '--version')).toBe(`${version}\n`);
    expect(await inside('node', '/app/lockkeeper.js', 'controller', '--help')).toContain('--lease-name');
  });

  test('runs the agent, as the chart does', async () => {
    expect(
      await inside(
        'node',
        '--max-semi-space-size=1',
        '--max-old-space-size=32',
        '--jitless',
        '--no-node-snapshot',
        '/app/lockkeeper-agent.js',
        '--help',
      ),
    ).toContain('Usage: lockkeeper-agent');
  });

  test('runs as its user, with the certificates of the system', async () => {
    const program = 'console.log(process.getuid?.(), require("node:tls").getCACertificates("system").length > 100, process.versions.node)';
    const { node } = await projectVersions();
    const user = process.getuid?.() === 0 ? 65532 : 0;
    expect(await inside('node', '--eval', program)).toBe(`${user} true ${node}\n`);
  });

  test('has the runtime that the tests run on', async () => {
    expect(await sha256(path.join(image.rootfs, 'usr/local/bin/node'))).toBe(
      await sha256(path.join(repository, 'node_modules/node/bin/node')),
    );
  });

  test('says what it is made of: the runtime, each package that a library or certificate is of, and what is bundled', async () => {
    const text = await readFile(path.join(image.rootfs, 'app/sbom.cdx.json'), 'utf8');
    expect(await readFile(facts.sbom, 'utf8')).toBe(text);
    const { metadata, components } = JSON.parse(text) as Sbom;
    const { lockkeeper, node } = await projectVersions();
    expect(metadata.component).toMatchObject({ type: 'container', name: 'lockkeeper', version: lockkeeper });
    const records = path.join(image.rootfs, 'var/lib/dpkg/status.d');
    const debian = await Promise.all(
      (await readdir(records)).map(async (name) => {
        const version = /^Version: (.*)$/m.exec(await readFile(path.join(records, name), 'utf8'))?.[1] ?? '';
        return `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=trixie`;
      }),
    );
    const purls = components.map(({ purl }) => purl);
    expect(debian.length).toBeGreaterThanOrEqual(7);
    expect(purls).toEqual(expect.arrayContaining([...debian, `pkg:generic/node@${node}`]));
    expect(purls.filter((purl) => purl.startsWith('pkg:npm/') && /[/]zod@|[/]express@|[/]yaml@/.test(purl))).toHaveLength(3);
    expect(purls.filter((purl) => /aws-sdk|preact/.test(purl))).toEqual([]);
  });

  test(
    `has the same files on ${other}, with libraries that fit that architecture`,
    async () => {
      const rootfs = path.join(folder, other);
      await buildRootfs(other, rootfs, bundles);
      const program = await readElf(path.join(rootfs, 'usr/local/bin/node'));
      const machine = { amd64: /X86-64/, arm64: /^AArch64$/ }[other];
      const libraries = await readdir(path.join(rootfs, 'usr/lib', libraryFolder[other]));
      for (const name of libraries)
        expect((await readElf(path.join(rootfs, 'usr/lib', libraryFolder[other], name))).machine).toMatch(machine);
      expect(program.machine).toMatch(machine);
      expect(program.needed.filter((name) => !libraries.includes(name))).toEqual([]);
      expect(await inRoot(rootfs, program.interpreter ?? '')).toMatch(new RegExp(`^usr/lib/${libraryFolder[other]}/ld-linux`));
      const names = async (root: string) =>
        (await list(root))
          .map(({ name }) => name.replace(/(x86_64|aarch64)-linux-gnu/, 'LIBRARIES'))
          .filter((name) => !/ld-linux|lib64/.test(name))
          .sort();
      expect(await names(rootfs)).toEqual(await names(image.rootfs));
    },
    TEN_MINUTES,
  );
});

interface Entry {
  readonly name: string;
  readonly type: 'file' | 'folder' | 'link' | 'other';
  /** With setuid, setgid and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** All that is in a folder, by name. */
async function list(root: string, below = ''): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const child of (await readdir(path.join(root, below))).sort()) {
    const name = path.join(below, child);
    const status = await lstat(path.join(root, name));
    const type = status.isSymbolicLink() ? 'link' : status.isDirectory() ? 'folder' : status.isFile() ? 'file' : 'other';
    entries.push({ name, type, mode: status.mode & 0o7777, uid: status.uid, gid: status.gid });
    if (type === 'folder') entries.push(...(await list(root, name)));
  }
  return entries;
}

/** Where a path of the image leads, as a path of the image; its links are all relative. */
async function inRoot(root: string, name: string): Promise<string> {
  for (const { name: link, type } of await list(root)) {
    if (type === 'link') expect(path.isAbsolute(await readlink(path.join(root, link)))).toBe(false);
  }
  return path.relative(await realpath(root), await realpath(path.join(root, name)));
}

async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

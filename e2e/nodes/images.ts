import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, copyFile, mkdir, mkdtemp, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An image that machines know without asking a registry. */
export interface ArchivedImage {
  /** The name under which pods ask for it, with its tag. */
  readonly name: string;
  /** An OCI archive. */
  readonly archive: string;
}

/**
 * What pods of tests run: Node and `/server.js` (see workload/), and by default a program that waits for ever, which makes it
 * the sandboxes' image too.
 */
export const workloadImage = 'localhost/bed-workload:1';

const server = fileURLToPath(new URL('workload/server.js', import.meta.url));

/** The archive of the workload image, from Node's own program and this machine's libraries; kept in the cache. */
export async function buildWorkloadImage({
  node,
  cache,
  scratch,
}: {
  node: string;
  cache: string;
  scratch: string;
}): Promise<ArchivedImage> {
  const programs = { '/usr/bin/node': await realpath(node), '/usr/bin/sleep': '/usr/bin/sleep' };
  const files = new Map<string, string>([['/server.js', server], ...Object.entries(programs)]);
  for (const program of Object.values(programs))
    for (const library of await librariesOf(program)) files.set(library, await realpath(library));
  const facts = await Promise.all(
    [...files].map(async ([at, from]) => `${at} ${from} ${(await stat(from)).size} ${(await stat(from)).mtimeMs}`),
  );
  const key = createHash('sha256')
    .update([...facts, await readFile(server, 'utf8'), String(recipe)].join('\n'))
    .digest('hex')
    .slice(0, 16);
  const archive = path.join(cache, 'images', `bed-workload-${key}.oci.tar`);
  const image = { name: workloadImage, archive };
  if (await exists(archive)) return image;

  const work = await mkdtemp(path.join(scratch, 'image-'));
  const rootfs = path.join(work, 'rootfs');
  for (const [at, from] of files) {
    await mkdir(path.join(rootfs, path.dirname(at)), { recursive: true });
    await copyFile(from, path.join(rootfs, at));
  }
  await mkdir(path.join(rootfs, 'tmp'), { mode: 0o1777 });
  await mkdir(path.dirname(archive), { recursive: true });
  const unfinished = `${archive}.${randomBytes(6).toString('hex')}.tmp`;
  await writeArchive({ rootfs, name: workloadImage, entrypoint: ['/usr/bin/sleep', 'infinity'], file: unfinished, work });
  await rename(unfinished, archive);
  await rm(work, { recursive: true });
  return image;
}

const recipe = 1;

/** One layer, no registry, no container runtime. */
async function writeArchive(image: { rootfs: string; name: string; entrypoint: string[]; file: string; work: string }): Promise<void> {
  const layout = path.join(image.work, 'layout');
  const blobs = path.join(layout, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const layerTar = path.join(image.work, 'layer.tar');
  const normal = ['--format=ustar', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  await run('tar', [...normal, '-cf', layerTar, '-C', image.rootfs, '.']);
  const layer = await readFile(layerTar);
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
  const blob = async (mediaType: string, content: Buffer | string) => {
    const digest = createHash('sha256').update(content).digest('hex');
    await writeFile(path.join(blobs, digest), content);
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(content) };
  };
  const layerBlob = await blob('application/vnd.oci.image.layer.v1.tar', layer);
  const config = {
    architecture,
    os: 'linux',
    config: { Entrypoint: image.entrypoint, Env: ['PATH=/usr/bin'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [layerBlob.digest] },
  };
  const configBlob = await blob('application/vnd.oci.image.config.v1+json', JSON.stringify(config));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await blob(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, config: configBlob, layers: [layerBlob] }));
  const annotations = { 'io.containerd.image.name': image.name, 'org.opencontainers.image.ref.name': image.name.split(':')[1] };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, platform: { os: 'linux', architecture }, annotations }] };
  await writeFile(path.join(layout, 'index.json'), JSON.stringify(index));
  await writeFile(path.join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  await run('tar', [...normal, '-cf', image.file, '-C', layout, 'oci-layout', 'index.json', 'blobs']);
}

/** The name that an OCI archive carries. */
export async function nameIn(archive: string): Promise<string> {
  const { stdout } = await run('tar', ['-xOf', archive, 'index.json']);
  const index = JSON.parse(stdout) as { manifests?: { annotations?: Record<string, string> }[] };
  const name = index.manifests?.[0]?.annotations?.['io.containerd.image.name'];
  if (name === undefined) throw new Error(`${archive} carries no name (io.containerd.image.name in its index)`);
  return name;
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]);
  return stdout.split('\n').flatMap((line) => /(?:=>\s*|^\s*)(\/\S+)/.exec(line)?.[1] ?? []);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

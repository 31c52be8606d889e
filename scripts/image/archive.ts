import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from './command.ts';
import type { Architecture } from './pins.ts';
import { settings } from './recipe.ts';

const toolFolder = path.join(import.meta.dirname, 'tools');

export interface ArchiveOptions {
  readonly architecture: Architecture;
  /** Name and tag, such as `localhost/lockkeeper:0.1.0`. */
  readonly name: string;
  /** One folder a layer, lowest first. */
  readonly layers: readonly string[];
  /** The archive to write. */
  readonly file: string;
  /** An empty folder that the caller removes. */
  readonly scratch: string;
}

/** Writes an OCI archive; the same folders give the same bytes, whoever owns them and whenever they were written. */
export async function writeArchive({ architecture, name, layers, file, scratch }: ArchiveOptions): Promise<void> {
  const layout = path.join(scratch, 'layout');
  const image = `ocidir://${layout}:image`;
  const tars: string[] = [];
  for (const folder of layers) {
    const tar = path.join(scratch, `${tars.length}.tar`);
    await writeTar(folder, tar);
    tars.push(tar);
  }
  const labels = Object.entries(settings.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
  await regctl('image', 'create', image, '--platform', `linux/${architecture}`, '--created', '1970-01-01T00:00:00Z', ...labels);
  await regctl(
    'image',
    'mod',
    image,
    '--replace',
    ...tars.flatMap((tar) => ['--layer-add', `tar=${tar}`]),
    ...Object.entries(settings.environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ...['--user', settings.user, '--workdir', settings.workingDirectory, '--config-entrypoint', JSON.stringify(settings.entrypoint)],
  );
  await forgetTimeOfWriting(layout);
  await mkdir(path.dirname(file), { recursive: true });
  await regctl('image', 'export', image, file, '--name', name);
}

/** The tool that writes the archive, of the version in tools/go.mod; Go builds it at first use and keeps it. */
function regctl(...args: string[]): Promise<string> {
  return run('go', ['tool', 'regctl', ...args], { cwd: toolFolder });
}

async function writeTar(folder: string, file: string): Promise<void> {
  const normal = ['--format=ustar', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  await run('tar', [...normal, '-cf', file, '-C', folder, ...(await readdir(folder)).sort()]);
}

/** The tool notes in the index, beside the image, when it wrote it. */
async function forgetTimeOfWriting(layout: string): Promise<void> {
  const file = path.join(layout, 'index.json');
  const index = JSON.parse(await readFile(file, 'utf8')) as { manifests: { annotations?: Record<string, string> }[] };
  for (const { annotations } of index.manifests) delete annotations?.['org.opencontainers.image.created'];
  await writeFile(file, JSON.stringify(index));
}

/** Bytes of all files in a folder, of which none is a hard link; symbolic links and folders count nothing. */
export async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) bytes += await sizeOf(file);
    else if (entry.isFile()) bytes += (await stat(file)).size;
  }
  return bytes;
}

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { repository } from '../bed/config.ts';

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
const folder = path.join(repository, 'dist', 'image');
/** Says what the archive beside it was made of. */
const note = path.join(folder, `${architecture}.sources`);
/** What the image is made of, as far as it changes from one build to the next. */
const sources = [
  'dist/lockkeeper.js',
  'dist/lockkeeper-agent.js',
  'package.json',
  'scripts/image/pins.json',
  'scripts/image/recipe.ts',
  'scripts/image/stage.ts',
];
const buildTimeoutMs = 600_000;

interface Built {
  readonly archive: string;
  readonly architecture: string;
  readonly digest: string;
}

/**
 * The archive of our image for this machine, of the programs that lie in dist/; built as `make image` does it where there is
 * none of these (11 s; longer where packages must be fetched first). Two at once build two, of the same bytes.
 */
export async function ourImage(): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) hash.update(await readFile(path.join(repository, source)));
  const key = hash.digest('hex');
  const describe = ({ digest }: Built) => `${key} ${digest}\n`;

  const there = await built().catch(() => undefined);
  const noted = await readFile(note, 'utf8').catch(() => undefined);
  if (there !== undefined && noted === describe(there)) return path.join(folder, there.archive);

  await mkdir(folder, { recursive: true });
  const fresh = await mkdtemp(path.join(folder, '.new-'));
  try {
    const build = ['scripts/build-image.ts', '--arch', architecture, '--output', fresh];
    await promisify(execFile)(process.execPath, build, { cwd: repository, timeout: buildTimeoutMs });
    const image = await built(fresh);
    await writeFile(path.join(fresh, path.basename(note)), describe(image));
    // The archive first: whoever reads what is said of it finds it there.
    for (const name of [image.archive, 'image.json', path.basename(note)]) await rename(path.join(fresh, name), path.join(folder, name));
    return path.join(folder, image.archive);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** @throws Error where none was built */
async function built(where = folder): Promise<Built> {
  const all = JSON.parse(await readFile(path.join(where, 'image.json'), 'utf8')) as Built[];
  const ours = all.find((one) => one.architecture === architecture);
  if (ours === undefined) throw new Error(`${where} has no image for ${architecture}`);
  return ours;
}

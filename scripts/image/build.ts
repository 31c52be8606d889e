import { rmSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sizeOf, writeArchive } from './archive.ts';
import { ImageError } from './command.ts';
import { imageEnvironment, repository } from './config.ts';
import { confinement, hostArchitecture, medianMilliseconds } from './confined.ts';
import { type Architecture, projectVersions, readPins } from './pins.ts';
import { imageName, sbomFile } from './recipe.ts';
import { type LayerFolders, stage } from './stage.ts';
import { unpack } from './unpack.ts';

export interface BuildOptions {
  readonly architecture: Architecture;
  /** The folder that the archive goes into. */
  readonly output: string;
  /** The folder with the two bundles; `dist` when left out. */
  readonly bundles?: string;
}

/** What was built, as `image.json` beside the archive has it too. */
export interface ImageFacts {
  readonly archive: string;
  /** What is in the image, as CycloneDX, beside the archive: for those who attach it where they push the image. */
  readonly sbom: string;
  readonly name: string;
  readonly architecture: Architecture;
  /** Of the image's manifest: what a registry and a pod's status name it by. */
  readonly digest: string;
  /** What a node downloads. */
  readonly compressedBytes: number;
  /** What it takes on the node's disk. */
  readonly uncompressedBytes: number;
  /** `lockkeeper.js --version` in the image's files, its agent's, and Node with an empty program; undefined where it cannot be run. */
  readonly startUpMilliseconds: { readonly lockkeeper: number; readonly agent: number; readonly node: number } | undefined;
}

/** Builds one architecture's archive, reads it back, and starts it where this machine can. */
export async function buildImage({ architecture, output, bundles = path.join(repository, 'dist') }: BuildOptions): Promise<ImageFacts> {
  return withScratch(async (scratch) => {
    const versions = await projectVersions();
    const layers: LayerFolders = {
      system: path.join(scratch, 'layers', '0-system'),
      runtime: path.join(scratch, 'layers', '1-runtime'),
      program: path.join(scratch, 'layers', '2-program'),
    };
    await stageWith(layers, architecture, bundles, scratch);
    const file = path.join(output, `lockkeeper-${versions.lockkeeper}-${architecture}.oci.tar`);
    const name = imageName(versions.lockkeeper);
    await writeArchive({ architecture, name, layers: [layers.system, layers.runtime, layers.program], file, scratch });
    const image = await unpack(file, path.join(scratch, 'unpacked'));
    const sbom = file.replace(/\.oci\.tar$/, '.cdx.json');
    await copyFile(path.join(image.rootfs, sbomFile), sbom);
    const confined = architecture === hostArchitecture() ? await confinement() : undefined;
    const median = (command: string[]) => medianMilliseconds(5, async () => confined?.(image, command));
    return {
      archive: file,
      sbom,
      name,
      architecture,
      digest: image.digest,
      compressedBytes: image.compressedBytes,
      uncompressedBytes: await sizeOf(image.rootfs),
      startUpMilliseconds:
        confined === undefined
          ? undefined
          : {
              lockkeeper: await median(['node', '/app/lockkeeper.js', '--version']),
              agent: await median(['node', '/app/lockkeeper-agent.js', '--version']),
              node: await median(['node', '--eval', '0']),
            },
    };
  });
}

/** Writes the image's files into a folder, for those who make an image of them by other means. */
export async function buildRootfs(architecture: Architecture, folder: string, bundles = path.join(repository, 'dist')): Promise<void> {
  await withScratch((scratch) => stageWith({ system: folder, runtime: folder, program: folder }, architecture, bundles, scratch));
}

async function stageWith(layers: LayerFolders, architecture: Architecture, bundles: string, scratch: string): Promise<void> {
  const pins = await readPins();
  const { node } = await projectVersions();
  if (pins.node.version !== node) {
    throw new ImageError(
      `package.json has Node ${node}, the image's pins have ${pins.node.version}: node scripts/pin-image.ts pins it anew`,
    );
  }
  for (const folder of Object.values(layers)) await mkdir(folder, { recursive: true });
  await stage(layers, { architecture, pins, environment: imageEnvironment(), scratch, bundles });
}

/** Half a gigabyte on the way: removed at the end, and when the process exits before it. */
async function withScratch<T>(work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'lockkeeper-image-'));
  const removeAtExit = () => rmSync(scratch, { recursive: true, force: true });
  process.once('exit', removeAtExit);
  try {
    return await work(scratch);
  } finally {
    process.off('exit', removeAtExit);
    await rm(scratch, { recursive: true, force: true });
  }
}

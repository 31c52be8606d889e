import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ImageError, run } from './command.ts';

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.int(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const indexSchema = z.object({ manifests: z.tuple([descriptorSchema]) });
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema).min(1) });
const configSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  created: z.string(),
  config: z.object({
    User: z.string(),
    Env: z.array(z.string()),
    Entrypoint: z.array(z.string()),
    WorkingDir: z.string(),
    Labels: z.record(z.string(), z.string()),
  }),
});

type Descriptor = z.infer<typeof descriptorSchema>;

/** An archive, read as a container runtime reads it. */
export interface UnpackedImage {
  readonly digest: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly config: z.infer<typeof configSchema>;
  /** What a node downloads: the compressed layers, config and manifest. */
  readonly compressedBytes: number;
  /** The layers laid one upon the other. */
  readonly rootfs: string;
}

/** Unpacks an OCI archive of one image into an empty folder, and checks every digest on the way. */
export async function unpack(archive: string, folder: string): Promise<UnpackedImage> {
  const layout = path.join(folder, 'layout');
  const rootfs = path.join(folder, 'rootfs');
  await mkdir(layout, { recursive: true });
  await mkdir(rootfs, { recursive: true });
  // Whatever the umask is: the image's user enters it.
  await chmod(rootfs, 0o755);
  await run('tar', ['-xf', archive, '-C', layout]);
  const [image] = indexSchema.parse(JSON.parse(await readFile(path.join(layout, 'index.json'), 'utf8'))).manifests;
  const manifest = manifestSchema.parse(JSON.parse((await blob(layout, image)).toString()));
  const config = configSchema.parse(JSON.parse((await blob(layout, manifest.config)).toString()));
  for (const layer of manifest.layers) {
    await blob(layout, layer);
    // No layer of ours removes anything, so that a whiteout need not be understood here.
    await run('tar', ['-xpzf', blobFile(layout, layer), '-C', rootfs]);
  }
  const compressedBytes = [image, manifest.config, ...manifest.layers].reduce((sum, { size }) => sum + size, 0);
  return { digest: image.digest, annotations: image.annotations ?? {}, config, compressedBytes, rootfs };
}

function blobFile(layout: string, { digest }: Descriptor): string {
  return path.join(layout, 'blobs', ...digest.split(':'));
}

async function blob(layout: string, descriptor: Descriptor): Promise<Buffer> {
  const content = await readFile(blobFile(layout, descriptor));
  const found = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (found !== descriptor.digest || content.length !== descriptor.size)
    throw new ImageError(`the archive's blob ${descriptor.digest} is ${found}`);
  return content;
}

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { repository } from './config.ts';

/** As OCI and Debian both name them. */
export const architectures = ['amd64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** Debian's name of the folder below `usr/lib` that holds an architecture's libraries. */
export const libraryFolder = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const satisfies Record<Architecture, string>;

/** Packages that files are taken from; `gcc-14-base` holds the license of GCC's libraries. */
export const debianPackages = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1', 'gcc-14-base', 'ca-certificates', 'base-files'] as const;

const debianPackageSchema = z.strictObject({
  name: z.enum(debianPackages),
  version: z.string(),
  archive: z.enum(['debian', 'debian-security']),
  /** Below the archive's root on any mirror, as in a URL. */
  path: z.string().regex(/^pool\/[^?#]+\.deb$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const nodePackageSchema = z.strictObject({ package: z.string(), integrity: z.string().regex(/^sha512-/) });

const pinsSchema = z.strictObject({
  node: z.strictObject({ version: z.string(), amd64: nodePackageSchema, arm64: nodePackageSchema }),
  debian: z.strictObject({ release: z.string(), amd64: z.array(debianPackageSchema), arm64: z.array(debianPackageSchema) }),
});

export type DebianPackage = z.infer<typeof debianPackageSchema>;
/** What the image is made of, by version and checksum; `scripts/pin-image.ts` writes it. */
export type Pins = z.infer<typeof pinsSchema>;

export const pinsFile = path.join(import.meta.dirname, 'pins.json');

export async function readPins(): Promise<Pins> {
  return pinsSchema.parse(JSON.parse(await readFile(pinsFile, 'utf8')));
}

const manifestSchema = z.object({ version: z.string(), devDependencies: z.object({ node: z.string() }) });

/** Our own version, and that of the Node that the tests run on, from package.json. */
export async function projectVersions(): Promise<{ lockkeeper: string; node: string }> {
  const manifest = manifestSchema.parse(JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')));
  return { lockkeeper: manifest.version, node: manifest.devDependencies.node };
}

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type Metafile } from 'esbuild';
import { bundlePage } from '../build-page.ts';
import { bundleOptions, bundles } from '../bundles.ts';

/** A package of which something is in a bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As SPDX has it. */
  readonly license: string;
  readonly folder: string;
  /** What it takes of each bundle, in bytes; of the dashboard's page under `page`. */
  readonly bytes: Readonly<Record<string, number>>;
  /** Bundled packages that name it as a dependency. */
  readonly broughtBy: readonly string[];
}

/** What each bundle is made of, by its name; the dashboard's page is `page`. */
export type Metafiles = Readonly<Record<string, Metafile>>;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Looks what the bundles are made of, and writes none. */
export async function metafilesOf(root: string): Promise<Metafiles> {
  const found = await Promise.all(
    Object.entries(bundles).map(async ([file, entry]) => {
      const { metafile } = await build({ ...bundleOptions(root, entry), outfile: file, write: false, metafile: true });
      return [file, metafile] as const;
    }),
  );
  return { ...Object.fromEntries(found), page: (await bundlePage()).metafile };
}

/** The packages that are really in the bundles, by name; what is installed and not bundled reaches nobody. */
export async function packagesIn(root: string, metafiles: Metafiles): Promise<BundledPackage[]> {
  const bytes = new Map<string, Record<string, number>>();
  for (const [bundle, { outputs }] of Object.entries(metafiles))
    for (const { inputs } of Object.values(outputs))
      for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
        const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
        if (folder === undefined || bytesInOutput === 0) continue;
        const of = bytes.get(folder) ?? {};
        bytes.set(folder, { ...of, [bundle]: (of[bundle] ?? 0) + bytesInOutput });
      }
  const found = await Promise.all(
    [...bytes].map(async ([relative, of]) => {
      const folder = path.resolve(root, relative);
      const manifest = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as Manifest;
      return { manifest, folder, bytes: of };
    }),
  );
  return found
    .map(({ manifest: { name, version, license = 'none named' }, folder, bytes: of }) => {
      const broughtBy = found.filter(({ manifest }) => manifest.dependencies?.[name] !== undefined).map(({ manifest }) => manifest.name);
      return { name, version, license, folder, bytes: of, broughtBy: broughtBy.sort() };
    })
    .sort((a, b) => a.name.localeCompare(b.name, 'en') || a.version.localeCompare(b.version, 'en'));
}

import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { bundleOptions, bundles } from '../bundles.ts';
import { namedPackages } from '../generate-dependencies.ts';
import { dependenciesGuide, unexplained, withoutWeights } from './guide.ts';
import { ALLOWED, licenseTexts } from './licenses.ts';
import { type BundledPackage, metafilesOf, packagesIn } from './packages.ts';
import { imageSbom, sbomOf } from './sbom.ts';

const root = path.join(import.meta.dirname, '../..');

describe('what is bundled', () => {
  let packages: BundledPackage[];
  beforeAll(async () => {
    packages = await packagesIn(root, await metafilesOf(root));
  }, 120_000);

  test('stands in docs/dependencies.md (otherwise: node scripts/generate-dependencies.ts)', async () => {
    const guide = await readFile(path.join(root, 'docs/dependencies.md'), 'utf8');
    expect(withoutWeights(guide)).toBe(withoutWeights(dependenciesGuide(packages, await namedPackages())));
  });

  test('is under licences that are allowed, and for a reason', async () => {
    expect(packages.filter(({ license }) => !ALLOWED.includes(license)).map(({ name, license }) => `${name}: ${license}`)).toEqual([]);
    expect(unexplained(packages, await namedPackages())).toEqual([]);
  });

  test('goes out with its licences', async () => {
    const text = await licenseTexts(packages);
    for (const { name, version, license } of packages) expect(text).toContain(`\n${name} ${version}: ${license}\n`);
    // Who bundles nothing else than Apache-2.0 and public domain without a text has them all.
    expect(text.match(/The package has no file of it\./g) ?? []).toHaveLength(
      packages.filter(({ license }) => license === 'Unlicense').length,
    );
  });

  test("is named by the SBOM, each package to which a source map of the image's programs leads, with npm's checksum", async () => {
    const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8'));
    const sbom = sbomOf(lock, packages, '1.2.3');
    for (const bundle of ['lockkeeper.js', 'lockkeeper-agent.js'] as const) {
      const { components } = imageSbom(sbom, [bundle], []);
      const names = new Set(components.map(({ name }) => name));
      const mapped = await mappedPackages(bundles[bundle]);
      expect(mapped).toEqual(expect.arrayContaining(['yaml', 'zod']));
      expect(mapped.filter((name) => !names.has(name))).toEqual([]);
    }
    for (const { name, hashes = [] } of sbom.components) {
      const locked = Object.entries<{ integrity?: string }>(lock.packages).filter(([folder]) => folder.endsWith(`node_modules/${name}`));
      const [hash] = hashes.map(({ content }) => `sha512-${Buffer.from(content, 'hex').toString('base64')}`);
      expect(locked.map(([, { integrity }]) => integrity)).toContain(hash ?? 'none');
    }
  }, 120_000);
});

test('two builds in two folders are the same bytes', async () => {
  const elsewhere = await mkdtemp(path.join(tmpdir(), 'elsewhere-'));
  try {
    for (const name of ['src', 'package.json', 'tsconfig.json'])
      await cp(path.join(root, name), path.join(elsewhere, name), { recursive: true });
    await symlink(path.join(root, 'node_modules'), path.join(elsewhere, 'node_modules'));
    for (const file of ['lockkeeper.js', 'lockkeeper-agent.js'] as const) {
      const [here, there] = await Promise.all(
        [root, elsewhere].map(async (folder) => {
          // As if the packages were installed in either.
          const as = { outfile: path.join(folder, file), write: false, preserveSymlinks: true } as const;
          const { outputFiles } = await build({ ...bundleOptions(folder, bundles[file]), ...as });
          return outputFiles?.[0]?.text ?? '';
        }),
      );
      expect(here?.length).toBeGreaterThan(100_000);
      expect(there === here).toBe(true);
    }
  } finally {
    await rm(elsewhere, { recursive: true, force: true });
  }
}, 120_000);

describe('an SBOM', () => {
  const lock = {
    packages: {
      '': { version: '1.2.3', dependencies: { a: '1', b: '1' } },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-AAAA', dependencies: { b: '2', gone: '1' } },
      'node_modules/a/node_modules/b': { version: '2.0.0', integrity: 'sha512-AQID' },
      'node_modules/b': { version: '1.0.0' },
      'node_modules/@s/b': { version: '2.0.0' },
    },
  };
  const packageOf = (name: string, version: string, ...of: string[]) => ({
    name,
    version,
    license: 'MIT',
    folder: '',
    bytes: Object.fromEntries(of.map((bundle) => [bundle, 1])),
    broughtBy: [],
  });
  const a = packageOf('a', '1.0.0', 'x.js', 'y.js');
  const b = packageOf('b', '2.0.0', 'y.js');

  test('has what is bundled and nothing else, and who brings it', () => {
    const { metadata, components, dependencies } = sbomOf(lock, [a, b], '1.2.3');
    expect(metadata.component).toMatchObject({ 'bom-ref': 'lockkeeper@1.2.3', type: 'application' });
    expect(components.map(({ purl, hashes = [] }) => [purl, hashes[0]?.content])).toEqual([
      ['pkg:npm/a@1.0.0', '000000'],
      ['pkg:npm/b@2.0.0', '010203'],
    ]);
    expect(dependencies).toEqual([
      { ref: 'lockkeeper@1.2.3', dependsOn: ['a@1.0.0'] },
      { ref: 'a@1.0.0', dependsOn: ['b@2.0.0'] },
      { ref: 'b@2.0.0', dependsOn: [] },
    ]);
    expect(() => sbomOf(lock, [packageOf('a', '2.0.0')], '1.2.3')).toThrow('package-lock.json does not know a@2.0.0');
  });

  test("has of an image what is in that image's programs, and what lies beside them", () => {
    const beside = {
      'bom-ref': 'node@26.0.0',
      type: 'platform',
      name: 'node',
      version: '26.0.0',
      purl: 'pkg:generic/node@26.0.0',
    } as const;
    const { metadata, components, dependencies } = imageSbom(sbomOf(lock, [a, b], '1.2.3'), ['x.js'], [beside]);
    expect(metadata.component.type).toBe('container');
    expect(components.map(({ name }) => name)).toEqual(['a', 'node']);
    expect(dependencies).toEqual([
      { ref: 'lockkeeper@1.2.3', dependsOn: ['a@1.0.0', 'node@26.0.0'] },
      { ref: 'a@1.0.0', dependsOn: [] },
    ]);
  });
});

/** Packages to which a bundle's source map leads: what is really in it, told by another part of esbuild than the one that we ask. */
async function mappedPackages(entry: string): Promise<string[]> {
  const { outputFiles = [] } = await build({
    ...bundleOptions(root, entry),
    outfile: path.join(root, 'dist', 'mapped.js'),
    write: false,
    sourcemap: 'external',
    sourcesContent: false,
  });
  const map = JSON.parse(outputFiles.find((file) => file.path.endsWith('.map'))?.text ?? '{}') as { sources: string[] };
  return [...new Set(map.sources.flatMap((source) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []))];
}

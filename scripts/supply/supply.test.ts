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
import { sbomOf } from './sbom.ts';

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

test('an SBOM has what is bundled and nothing else, and nothing of when and where it was made', () => {
  const component = (name: string) => ({
    'bom-ref': `${name}@1.0.0`,
    name,
    version: '1.0.0',
    externalReferences: [
      { type: 'distribution', url: 'https://registry.example.com/a.tgz' },
      { type: 'website', url: 'https://example.com' },
    ],
  });
  const text = (serialNumber: string) =>
    JSON.stringify({
      bomFormat: 'CycloneDX',
      serialNumber,
      metadata: { timestamp: serialNumber, component: { 'bom-ref': 'lockkeeper@0.1.0', name: 'somewhere' } },
      components: [component('a'), component('b')],
      dependencies: [{ ref: 'lockkeeper@0.1.0', dependsOn: ['a@1.0.0', 'b@1.0.0'] }, { ref: 'b@1.0.0' }],
    });
  const a = { name: 'a', version: '1.0.0', license: 'MIT', folder: '', bytes: {}, broughtBy: [] };
  expect(JSON.parse(sbomOf(text('1'), [a]))).toEqual({
    bomFormat: 'CycloneDX',
    metadata: { component: { 'bom-ref': 'lockkeeper@0.1.0', name: 'lockkeeper' } },
    components: [{ ...component('a'), externalReferences: [{ type: 'website', url: 'https://example.com' }] }],
    dependencies: [{ ref: 'lockkeeper@0.1.0', dependsOn: ['a@1.0.0'] }],
  });
  expect(sbomOf(text('1'), [a])).toBe(sbomOf(text('2'), [a]));
  expect(() => sbomOf(text('1'), [{ ...a, version: '2.0.0' }])).toThrow('npm does not know a@2.0.0');
});

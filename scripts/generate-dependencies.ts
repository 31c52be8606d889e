import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dependenciesGuide } from './supply/guide.ts';
import { metafilesOf, packagesIn } from './supply/packages.ts';

const root = path.join(import.meta.dirname, '..');

/** The packages that package.json names. */
export async function namedPackages(): Promise<ReadonlySet<string>> {
  const { dependencies, devDependencies } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Record<string, object>;
  return new Set([...Object.keys(dependencies ?? {}), ...Object.keys(devDependencies ?? {})]);
}

if (import.meta.main) {
  const packages = await packagesIn(root, await metafilesOf(root));
  await writeFile(path.join(root, 'docs', 'dependencies.md'), dependenciesGuide(packages, await namedPackages()));
  console.log('wrote docs/dependencies.md');
}

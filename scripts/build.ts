import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type Metafile } from 'esbuild';
import { bundlePage } from './build-page.ts';
import { bundleOptions, bundles } from './bundles.ts';
import { licenseTexts } from './supply/licenses.ts';
import { packagesIn } from './supply/packages.ts';
import { sbomOf } from './supply/sbom.ts';

const root = path.join(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
await mkdir(dist, { recursive: true });
await Promise.all(Object.keys(bundles).map((file) => rm(path.join(dist, file), { force: true })));
const metafiles: Record<string, Metafile> = { page: (await bundlePage()).metafile };
for (const [file, entry] of Object.entries(bundles)) {
  const outfile = path.join(dist, file);
  const { metafile } = await build({ ...bundleOptions(root, entry), outfile, metafile: true });
  if (metafile !== undefined) metafiles[file] = metafile;
  // Whoever puts it on the PATH runs it by its first line.
  if (entry.startsWith('src/cli/')) await chmod(outfile, 0o755);
  console.log(`dist/${file}  ${Math.round((await stat(outfile)).size / 1024)} kB`);
}
const packages = await packagesIn(root, metafiles);
await writeFile(path.join(dist, 'THIRD-PARTY-LICENSES'), await licenseTexts(packages));
const read = async (file: string) => JSON.parse(await readFile(path.join(root, file), 'utf8'));
const sbom = sbomOf(await read('package-lock.json'), packages, (await read('package.json')).version);
await writeFile(path.join(dist, 'sbom.cdx.json'), `${JSON.stringify(sbom, undefined, 2)}\n`);

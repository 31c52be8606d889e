import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type Metafile } from 'esbuild';
import { bundlePage } from './build-page.ts';
import { bundleOptions, bundles } from './bundles.ts';
import { licenseTexts } from './supply/licenses.ts';
import { packagesIn } from './supply/packages.ts';

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
await writeFile(path.join(dist, 'THIRD-PARTY-LICENSES'), await licenseTexts(await packagesIn(root, metafiles)));

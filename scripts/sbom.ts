import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { metafilesOf, packagesIn } from './supply/packages.ts';
import { sbomOf } from './supply/sbom.ts';

const root = path.join(import.meta.dirname, '..');
const packages = await packagesIn(root, await metafilesOf(root));
const { stdout } = await promisify(execFile)('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
  cwd: root,
  maxBuffer: 64 * 1024 * 1024,
});
await mkdir(path.join(root, 'dist'), { recursive: true });
await writeFile(path.join(root, 'dist', 'sbom.cdx.json'), sbomOf(stdout, packages));
console.log(`dist/sbom.cdx.json  ${packages.length} packages`);

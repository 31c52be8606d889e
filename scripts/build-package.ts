import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const repository = path.join(import.meta.dirname, '..');

/**
 * Packs what `npx lockkeeper` runs: the bundles of `dist/`, which need no other package. The repository's own package stays private,
 * for it has the libraries of the bundles and of the tests. Resolves with the tarball's path.
 */
export async function buildPackage(folder: string): Promise<string> {
  const own = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { name, version, description, license, type, engines } = own;
  const files = ['npx.js', 'lockkeeper.js', 'kubectl-lockkeeper.js'];
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await copyFile(path.join(repository, 'scripts', 'npx.js'), path.join(folder, 'npx.js'));
  for (const file of files.slice(1)) await copyFile(path.join(repository, 'dist', file), path.join(folder, file));
  await copyFile(path.join(repository, 'dist', 'THIRD-PARTY-LICENSES'), path.join(folder, 'THIRD-PARTY-LICENSES'));
  for (const file of ['LICENSE', 'README.md', 'README.ko.md']) await copyFile(path.join(repository, file), path.join(folder, file));
  for (const file of files) await chmod(path.join(folder, file), 0o755);
  const bin = { lockkeeper: 'npx.js', 'kubectl-lockkeeper': 'kubectl-lockkeeper.js' };
  await writeFile(
    path.join(folder, 'package.json'),
    `${JSON.stringify({ name, version, description, license, type, engines, bin, files: [...files, 'THIRD-PARTY-LICENSES'] }, undefined, 2)}\n`,
  );
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--silent'], { cwd: folder });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  return path.join(folder, packed?.filename ?? '');
}

if (import.meta.main) console.log(path.relative(repository, await buildPackage(path.join(repository, 'dist', 'package'))));

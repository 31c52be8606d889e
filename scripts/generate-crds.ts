import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { customResourceDefinition, kindDefinitions } from '../src/api/crd.ts';
import { crdName } from '../src/api/kinds.ts';

const HEADER = '# Generated from src/api by scripts/generate-crds.ts: edit the schemas there.\n';
const FOLDERS = ['crds', 'charts/lockkeeper/crds'] as const;

/** The files that the schemas give: paths from the repository's root, and what they must hold. */
export function crdFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const definition of kindDefinitions) {
    const content = HEADER + stringify(customResourceDefinition(definition), { lineWidth: 140, aliasDuplicateObjects: false });
    for (const folder of FOLDERS) files.set(join(folder, `${crdName(definition.kind)}.yaml`), content);
  }
  return files;
}

/** Paths of the files below `root` that are missing or hold something else. */
export async function staleFiles(root: string): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, content] of crdFiles()) {
    const found = await readFile(join(root, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found !== content) stale.push(path);
  }
  return stale;
}

async function main(root: string, check: boolean): Promise<number> {
  const stale = await staleFiles(root);
  if (check) {
    for (const path of stale) console.error(`${path} is stale: node scripts/generate-crds.ts writes it anew`);
    return stale.length === 0 ? 0 : 1;
  }
  for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true });
  for (const path of stale) {
    await writeFile(join(root, path), crdFiles().get(path) ?? '');
    console.log(`wrote ${path}`);
  }
  return 0;
}

if (import.meta.main) process.exitCode = await main(join(import.meta.dirname, '..'), process.argv.includes('--check'));

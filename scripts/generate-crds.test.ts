import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { customResourceDefinition, kindDefinitions } from '../src/api/crd.ts';
import { crdFiles, staleFiles } from './generate-crds.ts';

const root = join(import.meta.dirname, '..');

test('the CRDs in the repository are what the schemas give (otherwise: node scripts/generate-crds.ts)', async () => {
  expect(await staleFiles(root)).toEqual([]);
});

test('each kind is written for kubectl and for the chart, and reads back as it was', () => {
  expect([...crdFiles().keys()]).toHaveLength(2 * kindDefinitions.length);
  for (const definition of kindDefinitions) {
    const crd = customResourceDefinition(definition);
    const copies = ['crds', 'charts/lockkeeper/crds'].map((folder) => crdFiles().get(`${folder}/${crd.metadata.name}.yaml`) ?? '');
    expect(copies[0]).toBe(copies[1]);
    expect(parse(copies[0] ?? '')).toEqual(JSON.parse(JSON.stringify(crd)));
  }
});

test('a file that is missing or edited by hand is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crds-'));
  try {
    for (const [path, content] of crdFiles()) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      if (path !== 'crds/nodehosts.lockkeeper.dev.yaml') await writeFile(join(folder, path), content);
    }
    await writeFile(join(folder, 'charts/lockkeeper/crds/nodeupdates.lockkeeper.dev.yaml'), 'kind: Other\n');
    expect((await staleFiles(folder)).sort()).toEqual([
      'charts/lockkeeper/crds/nodeupdates.lockkeeper.dev.yaml',
      'crds/nodehosts.lockkeeper.dev.yaml',
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

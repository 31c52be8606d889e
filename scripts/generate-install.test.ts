import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { isStale } from './generate-install.ts';

test('deploy/install.yaml is what scripts/install gives (otherwise: node scripts/generate-install.ts)', async () => {
  expect(await isStale(join(import.meta.dirname, '..'))).toBe(false);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { fuzz } from '../testing/fuzz.ts';
import { hostileStrings, type Json, spoilt } from '../testing/hostile-values.ts';
import { CredentialsError } from './credentials.ts';
import { kubeconfigCredentials, kubeconfigNames } from './kubeconfig.ts';
import { simpleKubeconfigCredentials } from './simple-kubeconfig.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Without a plug-in: it would be run. */
const KUBECONFIG: Json = {
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'x',
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'n' } }],
  clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority-data': 'YQ==', 'proxy-url': 'http://p:1' } }],
  users: [{ name: 'u', user: { token: 't' } }],
};

describe('a kubeconfig', () => {
  const right = stringify(KUBECONFIG);
  const texts = fc.oneof(
    spoilt(KUBECONFIG).map((value) => stringify(value)),
    fc
      .tuple(fc.nat(right.length), fc.nat(right.length), hostileStrings)
      .map(([a, b, text]) => `${right.slice(0, a)}${text}${right.slice(b)}`),
  );
  fuzz('is refused with words, or names a server', texts, async (text) => {
    const file = join(folder, 'kubeconfig');
    writeFileSync(file, text);
    for (const read of [
      async () => kubeconfigCredentials(file),
      async () => kubeconfigCredentials(file, 'x'),
      () => simpleKubeconfigCredentials(file),
    ]) {
      try {
        const { server } = await read();
        expect(server.protocol).toMatch(/^https?:$/);
      } catch (error) {
        expect(error).toBeInstanceOf(CredentialsError);
      }
    }
    try {
      expect(typeof kubeconfigNames(file).server).toBe('string');
    } catch (error) {
      expect(error).toBeInstanceOf(CredentialsError);
    }
  });
});

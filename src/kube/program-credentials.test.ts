import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { programCredentials } from './program-credentials.ts';

describe('what a program shows to the API server', () => {
  const inCluster = { host: '10.96.0.1', port: '443' };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'lockkeeper-credentials-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("is its pod's account, unless a kubeconfig is named", async () => {
    expect((await programCredentials({ inCluster })).server.href).toBe('https://10.96.0.1/');
  });

  test('is what the context of a kubeconfig says', async () => {
    const file = path.join(folder, 'kubeconfig');
    const clusters = ['a', 'b'].map((name) => ({ name, cluster: { server: `https://${name}.example:6443` } }));
    const contexts = ['a', 'b'].map((name) => ({ name, context: { cluster: name, user: 'me' } }));
    await writeFile(file, JSON.stringify({ clusters, contexts, users: [{ name: 'me', user: { token: 'x' } }], 'current-context': 'a' }));
    expect((await programCredentials({ kubeconfig: file, inCluster })).server.href).toBe('https://a.example:6443/');
    expect((await programCredentials({ kubeconfig: file, context: 'b', inCluster })).server.href).toBe('https://b.example:6443/');
  });
});

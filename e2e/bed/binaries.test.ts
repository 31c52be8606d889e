import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { BinaryError, binaries, requiredVersion } from './binaries.ts';

test.each([
  ['k8s.io/kubernetes v1.36.3 // indirect', 'v1.36.3'],
  ['require k8s.io/kubernetes v1.36.3', 'v1.36.3'],
  ['k8s.io/kubernetes/staging v0.1.0\n\tk8s.io/kubernetes v1.30.14', 'v1.30.14'],
])('the version in %p', (goMod, version) => expect(requiredVersion(goMod, 'kubernetes')).toBe(version));

test('a go.mod without its subject', () => {
  expect(() => requiredVersion('module x', 'helm')).toThrow(BinaryError);
});

test('nodes run what the control plane is of, and were built with the same modules', async () => {
  const versions = async (module: string) => {
    const goMod = await readFile(new URL(`../tools/${module}/go.mod`, import.meta.url), 'utf8');
    return new Map([...goMod.matchAll(/^\s*(?:require )?(\S+) (v\S+)(?: \/\/ indirect)?$/gm)].map(([, name, version]) => [name, version]));
  };
  const plane = await versions('kubernetes');
  expect(plane.get('k8s.io/kubernetes')).toMatch(/^v1\./);
  for (const [name, version] of await versions('kubelet')) expect([name, plane.get(name) ?? version]).toEqual([name, version]);
});

test('takes what KUBEBUILDER_ASSETS has', async () => {
  const assets = await mkdtemp(path.join(tmpdir(), 'assets-'));
  try {
    const etcd = path.join(assets, 'etcd');
    await writeFile(etcd, '');
    await chmod(etcd, 0o755);
    const environment = {
      cache: assets,
      kubebuilderAssets: assets,
      kubernetes: undefined,
      kubeconfig: undefined,
      out: assets,
      scratch: assets,
    };
    expect(await binaries({ environment, only: ['etcd'] })).toEqual({ etcd });
  } finally {
    await rm(assets, { recursive: true });
  }
});

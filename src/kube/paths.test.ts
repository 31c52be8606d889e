import { expect, test } from '@jest/globals';
import { requestUrl, resourceOf } from './paths.ts';

test.each([
  ['/api/v1/nodes', 'nodes'],
  ['/api/v1/nodes/a/status', 'nodes/status'],
  ['/api/v1/namespaces', 'namespaces'],
  ['/api/v1/namespaces/a', 'namespaces'],
  ['/api/v1/namespaces/a/status', 'namespaces/status'],
  ['/api/v1/namespaces/a/pods/b/eviction', 'pods/eviction'],
  ['/apis/lockkeeper.dev/v1alpha1/nodehosts/a/status', 'nodehosts/status'],
  ['/apis/coordination.k8s.io/v1/namespaces/a/leases/b', 'leases'],
  ['/apis/policy/v1/poddisruptionbudgets?limit=1', 'poddisruptionbudgets'],
  ['/readyz', 'other'],
  ['/api', 'other'],
])('%s is %s', (path, resource) => {
  expect(resourceOf(path)).toBe(resource);
});

test('a URL keeps the server’s own path, and leaves out what is undefined', () => {
  expect(requestUrl(new URL('https://a/'), '/api/v1/nodes').href).toBe('https://a/api/v1/nodes');
  expect(requestUrl(new URL('https://a/k8s/'), '/api', { a: undefined, b: true, c: 0, d: 'x=y,z' }).href).toBe(
    'https://a/k8s/api?b=true&c=0&d=x%3Dy%2Cz',
  );
});

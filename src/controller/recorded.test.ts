import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ON_NODE } from '../api/names.ts';
import { aRecord } from '../core/testing/builders.ts';
import { eventually } from '../kube/testing/fake-clock.ts';
import { refreshPolicies, refreshRecorded } from './recorded.ts';
import { type ClusterBed, clusterBed } from './testing/bed.ts';
import type { Asked } from './testing/fake-cluster.ts';
import { putNode, putPolicy } from './testing/objects.ts';

let bed: ClusterBed;
beforeEach(async () => {
  bed = await clusterBed();
});
afterEach(() => bed.close());

const inFlight = (name: string) => ({
  metadata: { annotations: { [ON_NODE.cordon]: JSON.stringify(aRecord(name)) } },
  spec: { unschedulable: true },
});
const refresh = () => refreshRecorded(bed.client, bed.reflectors, AbortSignal.timeout(10_000));
const reads = (): string[] =>
  bed.cluster.asked.filter(({ method, path }: Asked) => method === 'GET' && path.startsWith('/api/v1/nodes/')).map(({ path }) => path);

test('a cache that is behind is brought up to date where a node in it is in flight, and nothing else is read', async () => {
  putNode(bed.cluster, 'idle');
  putNode(bed.cluster, 'flying', inFlight('flying'));
  putNode(bed.cluster, 'landed', inFlight('landed'));
  await bed.watch();
  // The watch is cut, and what happens then is not seen.
  bed.cluster.fault = ({ query }) => (query.get('watch') === 'true' ? 'hang' : undefined);
  bed.cluster.closeWatches();
  await eventually(() => bed.cluster.watches('nodes') === 0);
  bed.cluster.patch('nodes', 'landed', { metadata: { annotations: { [ON_NODE.cordon]: null } }, spec: { unschedulable: null } });
  expect(bed.reflectors.nodes.items.get('landed')).toHaveProperty('record');
  await refresh();
  expect(reads().sort()).toEqual(['/api/v1/nodes/flying', '/api/v1/nodes/landed']);
  expect(bed.reflectors.nodes.items.get('landed')).not.toHaveProperty('record');
  expect(bed.reflectors.nodes.items.get('flying')).toHaveProperty('record');
});

test('a node that is gone is passed by; where one cannot be read, nothing is done', async () => {
  putNode(bed.cluster, 'a', inFlight('a'));
  await bed.watch();
  bed.cluster.fault = ({ path }) => (path === '/api/v1/nodes/a' ? { status: 404 } : undefined);
  await refresh();
  bed.cluster.fault = ({ path }) => (path === '/api/v1/nodes/a' ? { status: 403 } : undefined);
  await expect(refresh()).rejects.toMatchObject({ status: 403 });
});

test('policies are read anew, whatever the cache holds', async () => {
  putPolicy(bed.cluster, 'fleet');
  await bed.watch();
  bed.cluster.fault = ({ query }) => (query.get('watch') === 'true' ? 'hang' : undefined);
  bed.cluster.closeWatches();
  await eventually(() => bed.cluster.watches('updatepolicies') === 0);
  const notified = [{ id: 'RolloutHalted/uid@2026', at: '2026-03-01T12:00:00Z', webhooks: ['ops'] }];
  bed.cluster.patch('updatepolicies', 'fleet', { status: { notified } });
  await refreshPolicies(bed.client, bed.reflectors, AbortSignal.timeout(10_000));
  expect(bed.reflectors.policies.items.get('fleet')?.status.notified).toEqual(notified);
});

import { afterEach, expect, test } from '@jest/globals';
import { type ClusterBed, clusterBed } from '../../controller/testing/bed.ts';
import { putNode, putPolicy, putUpdate } from '../../controller/testing/objects.ts';
import { NEW } from '../../core/testing/builders.ts';
import { systemClock } from '../../kube/clock.ts';
import type { NodeRow } from '../wire.ts';
import { fleetSource } from './fleet-source.ts';

let bed: ClusterBed;
const stop = new AbortController();
afterEach(async () => {
  stop.abort();
  await bed.close();
});

test('nodes that may be listed but not watched are not shown as they once were', async () => {
  bed = await clusterBed();
  bed.cluster.fault = ({ path, query }) =>
    path === '/api/v1/nodes' && query.has('watch') ? { status: 403, reason: 'Forbidden' } : undefined;
  putPolicy(bed.cluster, 'default');
  const node = putNode(bed.cluster, 'a', { metadata: { labels: { 'topology.kubernetes.io/zone': 'z1' } } });
  putUpdate(bed.cluster, node, { policy: 'default', phase: 'Idle', reason: 'UpToDate', from: NEW, target: NEW });
  let look: () => void = () => {};
  const source = fleetSource({
    client: bed.client,
    clock: systemClock,
    random: () => 0,
    version: '1.2.3',
    about: { cluster: () => ({ context: 'c', name: 'c', server: 's' }), forbidden: () => [] },
    changed: () => look(),
  });
  const shown = new Promise<NodeRow | undefined>((resolve) => {
    look = () => {
      source.takeChanges();
      const { access, connection, nodes } = source.snapshot();
      if (connection.state === 'live' && access.missing.length > 0 && nodes[0]?.phase !== undefined) resolve(nodes[0]);
    };
  });
  const running = source.run(stop.signal);
  expect(await shown).toMatchObject({ name: 'a', version: NEW, phase: 'Idle' });
  expect((await shown)?.zone).toBeUndefined();
  stop.abort();
  await running;
});

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ClusterBed, clusterBed } from '../controller/testing/bed.ts';
import { putGuard, putHost, putNode, putOwnPod, putPod, putPolicy, putUpdate } from '../controller/testing/objects.ts';
import { MissingRightsError, NotInstalledError } from './errors.ts';
import { readWorld } from './read-world.ts';

let bed: ClusterBed;
beforeEach(async () => {
  bed = await clusterBed();
});
afterEach(() => bed.close());

const read = (namespace?: string) => readWorld(bed.client, namespace);

/** The controller pod `lockkeeper-0` on node b, which holds the Lease, with flags. */
function putController(args: readonly string[] = []): void {
  const pod = putOwnPod(bed.cluster, 'lockkeeper-0', 'controller', 'b');
  bed.cluster.patch('pods', 'lockkeeper-0', { spec: { ...(pod['spec'] as object), containers: [{ args }] } }, 'lockkeeper');
  bed.cluster.put('leases', { metadata: { name: 'lockkeeper', namespace: 'lockkeeper' }, spec: { holderIdentity: 'lockkeeper-0' } });
}

test('the world is that of the controller, with the pods of every node, and nothing is written', async () => {
  const node = putNode(bed.cluster, 'a');
  putNode(bed.cluster, 'b');
  putUpdate(bed.cluster, node, { phase: 'Staged' });
  putHost(bed.cluster, node);
  putPolicy(bed.cluster);
  putGuard(bed.cluster);
  putPod(bed.cluster, 'web', 'a');
  putOwnPod(bed.cluster, 'agent-a', 'agent', 'a');
  putController(['controller', '--hook-namespaces=db,ops', '--prometheus-hosts', 'prometheus:9090', '--retry-base=1s', '--retry-max=4s']);
  const { world, warnings } = await read();
  expect(warnings).toEqual([]);
  expect(world).toMatchObject({
    guarded: true,
    self: { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'b' },
    hookNamespaces: ['db', 'ops'],
    prometheusHosts: ['prometheus:9090'],
    retry: { baseMs: 1_000, maxMs: 4_000 },
    kubernetes: { major: 1, minor: 36 },
    policies: [{ name: 'default' }],
  });
  expect(world.nodes.map(({ name, update, agent }) => [name, update?.status.phase, agent])).toEqual([
    ['a', 'Staged', 'ready'],
    ['b', undefined, 'missing'],
  ]);
  expect([...world.pods].map(([name, pods]) => [name, pods.map((pod) => pod.name)])).toEqual([
    ['a', ['web', 'agent-a']],
    ['b', ['lockkeeper-0']],
  ]);
  expect(new Set(bed.cluster.asked.map(({ method }) => method))).toEqual(new Set(['GET']));
});

test('a cluster without a controller says so, and has the defaults of one', async () => {
  const { world, warnings } = await read();
  expect(warnings).toMatchObject([{ name: 'ControllerMissing', endless: true }]);
  expect(world).toMatchObject({ hookNamespaces: [], retry: { baseMs: 15_000, maxMs: 1_800_000 } });
  expect(world.self).toBeUndefined();
});

test('another namespace than that of the controllers can be named', async () => {
  putController();
  const { world, warnings } = await read('elsewhere');
  expect(world.self).toBeUndefined();
  expect(warnings).toMatchObject([{ name: 'ControllerMissing', message: expect.stringContaining('in namespace elsewhere') }]);
});

test('all rights that are missing are named at once, each with its verb and resource', async () => {
  putController();
  bed.cluster.fault = ({ path }) => (/nodehosts|daemonsets|leases/.test(path) ? { status: 403, reason: 'Forbidden' } : undefined);
  const error = await read().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(MissingRightsError);
  expect((error as MissingRightsError).rights).toEqual([
    { verb: 'list', resource: 'nodehosts.lockkeeper.dev' },
    { verb: 'list', resource: 'daemonsets.apps' },
    { verb: 'get', resource: 'leases.coordination.k8s.io', namespace: 'lockkeeper' },
  ]);
  const { message } = error as MissingRightsError;
  expect(message).toContain('list daemonsets.apps (cluster-wide)');
  expect(message).toContain('get leases.coordination.k8s.io (in lockkeeper)');
  expect(message).toContain('--clusterrole=lockkeeper-plan');
});

test('a cluster without our kinds says so', async () => {
  bed.cluster.fault = ({ path }) => (path.includes('lockkeeper.dev') ? { status: 404, reason: 'NotFound' } : undefined);
  await expect(read()).rejects.toThrow(NotInstalledError);
});

test('an object of a later version is left out, and named', async () => {
  putController();
  bed.cluster.put('updatepolicies', { metadata: { name: 'later', generation: 1 }, spec: { approval: 'ByVote' } });
  putPolicy(bed.cluster);
  const { world, warnings } = await read();
  expect(world.policies.map(({ name }) => name)).toEqual(['default']);
  expect(warnings).toMatchObject([{ name: 'Unreadable', message: expect.stringContaining('updatepolicies/later') }]);
});

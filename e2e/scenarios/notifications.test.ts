import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

interface Told {
  id: string;
  type: string;
  node?: string;
  cluster: string;
}

let server: Server;
let base: string;
/** What the receiver was told, repeats and all. */
let told: Told[];
/** How often the one was tried that never answers. */
let tried: number;

beforeEach(async () => {
  told = [];
  tried = 0;
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (request.url === '/dead') {
      tried += 1;
      return;
    }
    told.push(JSON.parse(body) as Told);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

test('a node that failed, the halt and the end of a rollout are told once each, whoever leads, and a dead receiver holds up nothing', async () => {
  const webhook = { format: 'generic', secretName: 'webhooks' };
  const webhooks = [
    { ...webhook, name: 'dead', urlKey: 'dead' },
    { ...webhook, name: 'ops' },
    { ...webhook, name: 'late', secretName: 'missing' },
  ];
  const fleet = await start({
    nodes: 2,
    replicas: 2,
    values: { notifications: { webhooks, clusterName: 'bed' } },
    before: async ({ client }) => {
      await client.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'lockkeeper' } });
      const metadata = { name: 'webhooks', namespace: 'lockkeeper' };
      await client.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { url: `${base}/ops`, dead: `${base}/dead` } });
    },
  });
  const { annotate, bed, eventually, judge, leader, leads, policy, releaseInOrder, updated } = fleet;
  const types = () => told.map(({ type, node = '' }) => `${type} ${node}`.trim());
  bed.machine('node-1').host.faults.arm('bootFails');
  await releaseInOrder('1.26.1');
  await eventually(() => told.length >= 2, { timeoutMs: 60_000, describe: types });
  expect(types().sort()).toEqual(['NodeFailed node-1', 'RolloutHalted']);
  const notified = async () => (await policy()).status?.notified ?? [];
  await eventually(async () => (await notified()).length === 2);
  expect(tried).toBeGreaterThan(0);

  const killed = await leader();
  await killed.hold();
  await leads(await leader(killed), 'node-1', 'RolledBack');
  await annotate('nodeupdates', 'node-1', { 'lockkeeper.dev/retry': '1' });
  await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/resume': '1' });
  await updated('1.26.1');
  await eventually(() => types().includes('RolloutDone'), { describe: types });
  // The new leader had the other two before it, had it told them again.
  expect(types().sort()).toEqual(['NodeFailed node-1', 'RolloutDone', 'RolloutHalted']);
  expect(new Set(told.map(({ cluster }) => cluster))).toEqual(new Set(['bed']));
  const ids = new Set(told.map(({ id }) => id));
  await eventually(async () => (await notified()).length === 3);
  for (const { id, webhooks: done } of await notified()) expect([ids.has(id), done]).toEqual([true, ['ops']]);

  expect(await bed.audit.find({ user: 'lockkeeper-controller', resource: 'secrets' })).toEqual([]);
  expect(judge.mostUnavailable()).toBe(1);
  await judge.invariants();
}, 120_000);

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ClusterBed, clusterBed } from '../../controller/testing/bed.ts';
import { putHost, putNode, putPolicy, putUpdate } from '../../controller/testing/objects.ts';
import { NEW, OLD } from '../../core/testing/builders.ts';
import { systemClock } from '../../kube/clock.ts';
import { createDashboard, type Dashboard } from './dashboard.ts';
import { type Visitor, visitorOf } from './testing/visitor.ts';

let bed: ClusterBed;
let dashboard: Dashboard;
let visitor: Visitor;
beforeEach(async () => {
  bed = await clusterBed();
  putPolicy(bed.cluster, 'default', { rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { pool: 'canary' } } }] } });
  const node = putNode(bed.cluster, 'a', { metadata: { labels: { pool: 'canary', 'topology.kubernetes.io/zone': 'z1' } } });
  putUpdate(bed.cluster, node, { policy: 'default', phase: 'Staged', reason: 'AwaitingApproval', from: OLD, target: NEW });
  putHost(bed.cluster, node);
  dashboard = await createDashboard({
    client: bed.client,
    clock: systemClock,
    random: () => 0,
    assets: { html: '<!doctype html>', js: 'run()', css: 'a{}' },
    cluster: { context: 'x', name: 'c', server: bed.server.origin },
    version: '1.2.3',
    address: '127.0.0.1',
    port: 0,
  });
  visitor = visitorOf(dashboard.url);
});
afterEach(async () => {
  await dashboard.close();
  await bed.close();
});

describe('what is served', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', '<!doctype html>'],
    ['/page.js', 'text/javascript; charset=utf-8', 'run()'],
    ['/page.css', 'text/css; charset=utf-8', 'a{}'],
  ])('%s needs no token, for there is nothing secret in it', async (path, type, body) => {
    const answer = await visitor.ask(path, { headers: { authorization: null, 'sec-fetch-site': 'none' } });
    expect(answer).toMatchObject({ status: 200, body });
    expect(answer.headers['content-type']).toBe(type);
  });
});

test('a page is told all that there is, and then what changes', async () => {
  const stream = await visitor.events();
  await stream.until(({ connection }) => connection?.state === 'live');
  const last = await visitor.events();
  expect(last.events[0] ?? (await last.until(() => true))).toMatchObject({
    type: 'snapshot',
    cluster: { context: 'x' },
    policies: [{ name: 'default', groups: ['canary'] }],
    nodes: [{ name: 'a', zone: 'z1', group: 'canary', policy: 'default', phase: 'Staged', version: OLD, target: NEW }],
  });
  bed.cluster.patch('nodeupdates', 'a', { status: { phase: 'Draining', reason: 'Draining' } });
  expect(await last.until(({ type, nodes }) => type === 'changes' && nodes?.[0]?.phase === 'Draining')).toMatchObject({
    nodes: [{ name: 'a', reason: 'Draining' }],
  });
  bed.cluster.remove('nodeupdates', 'a');
  bed.cluster.remove('nodes', 'a');
  await last.until((event) => event.type === 'changes' && event.goneNodes?.includes('a') === true);
});

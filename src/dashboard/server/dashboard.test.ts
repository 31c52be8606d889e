import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import { planSchema } from '../../api/plan.ts';
import { type ClusterBed, clusterBed } from '../../controller/testing/bed.ts';
import { putHost, putNode, putPolicy, putUpdate } from '../../controller/testing/objects.ts';
import { NEW, OLD } from '../../core/testing/builders.ts';
import type { Dashboard } from './dashboard.ts';
import { dashboardOf } from './testing/dashboard-bed.ts';
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
  dashboard = await dashboardOf(bed);
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

const post = (path: string, body?: object) =>
  visitor.ask(path, { method: 'POST', ...(body !== undefined && { body: JSON.stringify(body) }) });
const said = ({ body }: { body: string }) => JSON.parse(body);
const live = async (): Promise<void> => {
  const stream = await visitor.events();
  await stream.until(({ connection }) => connection?.state === 'live');
  stream.close();
};
const patched = (): string[] => bed.cluster.writes().filter((write) => write.startsWith('PATCH'));

describe('actions', () => {
  test('write the annotation that the command writes, under its field manager, and say what was written', async () => {
    await live();
    const answer = await post('/api/actions', { verb: 'pause', targets: [{ kind: 'policy', name: 'default' }] });
    expect(answer.status).toBe(200);
    expect(said(answer)).toEqual({
      results: [
        {
          kind: 'policy',
          name: 'default',
          written: { 'lockkeeper.dev/paused': 'true' },
          did: 'UpdatePolicy default paused',
          next: expect.stringContaining('no further node is begun'),
        },
      ],
    });
    expect(bed.cluster.bodies('PATCH updatepolicies/default')).toEqual([
      { metadata: { annotations: { 'lockkeeper.dev/paused': 'true' } } },
    ]);
    expect(bed.cluster.asked.find(({ method }) => method === 'PATCH')?.query.get('fieldManager')).toBe('lockkeeper-cli');
    const again = await post('/api/actions', { verb: 'pause', targets: [{ kind: 'policy', name: 'default' }] });
    expect(said(again)).toMatchObject({ results: [{ written: {}, did: expect.stringContaining('paused already') }] });
    expect(patched()).toHaveLength(1);
  });

  test('a preview writes nothing', async () => {
    const answer = await post('/api/actions', { verb: 'pause', targets: [{ kind: 'node', name: 'a' }], preview: true });
    expect(said(answer)).toMatchObject({ results: [{ written: { 'lockkeeper.dev/paused': 'true' }, did: 'node a paused' }] });
    expect(patched()).toEqual([]);
  });

  test('what stops pods must be agreed to', async () => {
    const reboot = { verb: 'reboot', targets: [{ kind: 'node', name: 'a' }] };
    const refused = await post('/api/actions', reboot);
    expect(refused.status).toBe(409);
    expect(said(refused)).toMatchObject({ code: 'ConfirmationNeeded', asks: [expect.stringContaining('pods are evicted: a')] });
    expect(patched()).toEqual([]);
    expect(said(await post('/api/actions', { ...reboot, confirmed: true }))).toMatchObject({ results: [{ did: 'node a to reboot once' }] });
    expect(patched()).toEqual(['PATCH nodeupdates/a']);
  });

  test('who may not write is told which right is missing, and what was written before', async () => {
    bed.cluster.fault = ({ method, path }) => (method === 'PATCH' && path.includes('nodeupdates') ? { status: 403 } : undefined);
    const answer = await post('/api/actions', {
      verb: 'pause',
      targets: [
        { kind: 'policy', name: 'default' },
        { kind: 'node', name: 'a' },
      ],
    });
    expect(answer.status).toBe(403);
    expect(said(answer)).toMatchObject({
      code: 'MissingRights',
      rights: [{ verb: 'patch', resource: 'nodeupdates.lockkeeper.dev' }],
      role: 'lockkeeper-operator',
      results: [{ kind: 'policy', name: 'default' }],
    });
  });

  test.each([
    ['no such node', { verb: 'pause', targets: [{ kind: 'node', name: 'z' }] }, 409, 'Refused'],
    ['a verb that there is not', { verb: 'drop', targets: [{ kind: 'node', name: 'a' }] }, 400, 'Invalid'],
    ['nobody is meant', { verb: 'pause', targets: [] }, 400, 'Invalid'],
    ['a field that there is not', { verb: 'pause', targets: [{ kind: 'node', name: 'a' }], all: true }, 400, 'Invalid'],
    ['no version', { verb: 'pin', version: 'new', targets: [{ kind: 'node', name: 'a' }] }, 400, 'Invalid'],
  ])('%s', async (_, body, status, code) => {
    const answer = await post('/api/actions', body);
    expect([answer.status, said(answer).code]).toEqual([status, code]);
    expect(patched()).toEqual([]);
  });

  test('are decided on what is, not on what was seen', async () => {
    await live();
    // Somebody else pauses it, and the watch does not say so.
    bed.cluster.fault = ({ query }) => (query.get('watch') === 'true' ? 'hang' : undefined);
    bed.cluster.closeWatches();
    bed.cluster.patch('updatepolicies', 'default', { metadata: { annotations: { 'lockkeeper.dev/paused': 'true' } } });
    const { results } = said(await post('/api/actions', { verb: 'pause', targets: [{ kind: 'policy', name: 'default' }] }));
    expect(results).toEqual([{ kind: 'policy', name: 'default', written: {}, did: expect.stringContaining('paused already') }]);
    expect(patched()).toEqual([]);
  });
});

test('history is told newest first', async () => {
  const ended = (to: string, finishedAt: string) => ({ from: OLD, to, startedAt: '2026-01-01T00:00:00Z', finishedAt, outcome: 'Updated' });
  bed.cluster.patch('nodeupdates', 'a', {
    status: { history: [ended('1.26.0', '2026-01-02T00:00:00Z'), ended('1.26.1', '2026-01-03T00:00:00Z')] },
  });
  await live();
  for (const path of ['/api/history?node=a', '/api/history?policy=default', '/api/history'])
    expect(said(await visitor.ask(path))).toMatchObject({
      total: 2,
      entries: [{ node: 'a', to: '1.26.1', finishedAt: Date.parse('2026-01-03T00:00:00Z') }, { to: '1.26.0' }],
    });
  expect(said(await visitor.ask('/api/history?node=z'))).toMatchObject({ code: 'Refused' });
});

test('why a node is where it is', async () => {
  expect(said(await visitor.ask('/api/nodes/a/why'))).toMatchObject({
    node: 'a',
    reason: 'AdmissionPolicyMissing',
    rules: expect.arrayContaining([expect.objectContaining({ rule: 'guarded', holds: true })]),
  });
  expect(said(await visitor.ask('/api/nodes/z/why'))).toMatchObject({
    code: 'Refused',
    message: expect.stringContaining('no node named z'),
  });
  bed.cluster.fault = ({ path }) => (path.endsWith('/pods') ? { status: 403 } : undefined);
  expect(said(await visitor.ask('/api/nodes/a/why'))).toMatchObject({
    code: 'MissingRights',
    role: 'lockkeeper-plan',
    rights: [{ verb: 'list', resource: 'pods' }],
  });
});

test('a plan is made by another thread, and told line by line', async () => {
  const { status, headers, body } = await post('/api/plan');
  expect([status, headers['content-type']]).toEqual([200, 'application/x-ndjson']);
  const lines = body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines[0]).toEqual({ type: 'progress', stage: 'reading' });
  const { type, plan } = lines.at(-1);
  expect(type).toBe('plan');
  expect(z.parse(planSchema, plan).policies).toMatchObject([{ name: 'default', nodes: 1 }]);
  bed.cluster.fault = ({ path }) => (path.endsWith('/pods') ? { status: 403 } : undefined);
  const refused = (await post('/api/plan')).body.trim().split('\n');
  expect(JSON.parse(refused.at(-1) ?? '')).toMatchObject({ type: 'error', problem: { code: 'MissingRights' } });
}, 30_000);

test('who may not read Nodes is told so, and shown the rest', async () => {
  await dashboard.close();
  bed.cluster.fault = ({ path }) => (path === '/api/v1/nodes' ? { status: 403 } : undefined);
  dashboard = await dashboardOf(bed);
  visitor = visitorOf(dashboard.url);
  const stream = await visitor.events();
  await stream.until((event) => event.connection?.state === 'live');
  const { access } = await stream.until((event) => event.access?.missing.length === 1);
  expect(access?.missing).toEqual([{ verb: 'list', resource: 'nodes', hides: expect.stringContaining('zones') }]);
  const { nodes } = await stream.until((event) => event.nodes?.[0]?.name === 'a');
  expect(nodes).toMatchObject([{ name: 'a', phase: 'Staged', version: OLD, target: NEW }]);
  // The right is given while the page is open.
  bed.cluster.fault = () => undefined;
  await stream.until((event) => event.nodes?.[0]?.zone === 'z1');
  await stream.until((event) => event.type === 'changes' && event.access?.missing.length === 0);
}, 20_000);

test.each([
  ['is gone', 500, 'broken', '500'],
  ['no longer takes the credentials', 401, 'unauthorized', 'log in again'],
])(
  'an API server that %s for a while is told of, and what is shown stays',
  async (_, status, state, words) => {
    await live();
    const stream = await visitor.events();
    bed.cluster.fault = () => ({ status });
    bed.cluster.closeWatches();
    const broken = await stream.until((event) => event.connection?.state === state);
    expect(broken.connection).toMatchObject({ heardAt: expect.any(Number), message: expect.stringContaining(words) });
    expect((await (await visitor.events()).until(() => true)).nodes).toHaveLength(1);
    bed.cluster.fault = () => undefined;
    bed.cluster.patch('nodeupdates', 'a', { status: { phase: 'Draining' } });
    await stream.until((event) => event.nodes?.[0]?.phase === 'Draining');
    await stream.until((event) => event.type === 'changes' && event.connection?.state === 'live');
  },
  20_000,
);

test('an edit of a policy moves its nodes to their new groups', async () => {
  await live();
  const stream = await visitor.events();
  bed.cluster.patch('updatepolicies', 'default', {
    spec: { rollout: { groups: [{ name: 'first', nodeSelector: {} }], zoneKey: 'pool' } },
  });
  expect(await stream.until((event) => event.type === 'changes' && event.nodes?.[0]?.group === 'first')).toMatchObject({
    nodes: [{ zone: 'canary' }],
    policies: [{ groups: ['first'], zoneKey: 'pool' }],
  });
});

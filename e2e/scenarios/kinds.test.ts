import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { type Kind, kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../../src/api/kinds.ts';
import { API_VERSION } from '../../src/api/names.ts';
import { nodeHostSchema } from '../../src/api/node-host.ts';
import { nodeUpdateSchema } from '../../src/api/node-update.ts';
import { updatePolicySchema, updatePolicySpecSchema } from '../../src/api/update-policy.ts';
import { ApiError, type KubeObject } from '../bed/api.ts';
import { binaries } from '../bed/binaries.ts';
import { repository } from '../bed/config.ts';
import { type ControlPlane, startControlPlane } from '../bed/control-plane.ts';
import { eventually } from '../bed/eventually.ts';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane({ name: 'kinds' });
  const folder = join(repository, 'crds');
  for (const file of await readdir(folder)) await plane.client.apply(parse(await readFile(join(folder, file), 'utf8')));
  for (const kind of [UPDATE_POLICY, NODE_UPDATE, NODE_HOST]) {
    await eventually(async () => (await plane.client.find(kindPath(kind))) !== undefined, { timeoutMs: 30_000 });
  }
}, 120_000);

afterAll(async () => {
  await plane?.stop();
});

interface Refusal {
  status: number;
  message: string;
  /** The fields that the API server names, as people would write them. */
  fields: string[];
}

async function refusalOf(request: Promise<unknown>): Promise<Refusal> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { message, details } = error.body as { message: string; details?: { causes?: { field?: string }[] } };
    const unknown = [...message.matchAll(/unknown field "([^"]+)"/g)].map(([, field = '']) => field);
    return { status: error.status, message, fields: [...(details?.causes ?? []).flatMap(({ field }) => field ?? []), ...unknown] };
  }
  throw new Error('the API server took it');
}

const create = (kind: Kind, body: object) =>
  plane.client.request('POST', kindPath(kind), {
    query: { fieldValidation: 'Strict', dryRun: 'All' },
    body: { apiVersion: API_VERSION, kind: kind.kind, metadata: { name: 'bad' }, ...body },
  });

describe('a bad UpdatePolicy is refused, and the field is named', () => {
  const window = (change = {}) => ({ cron: '0 2 * * *', duration: '4h', timeZone: 'UTC', ...change });
  const exclusion = (change = {}) => ({ from: '2026-12-20T00:00:00Z', to: '2027-01-04T00:00:00Z', ...change });
  const web = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' };
  const selector = (requirement: object) => ({ nodeSelector: { matchExpressions: [requirement] } });
  test.each<[field: string, spec: unknown]>([
    ['spec', 'always'],
    ['spec.pausd', { pausd: true }],
    ['spec.rollout.maxUnavailible', { rollout: { maxUnavailible: 2 } }],
    ['spec.patchDeadline', { patchDeadline: '30d' }],
    ['spec.version.minAge', { version: { minAge: '7d' } }],
    ['spec.version.ignoreWaves', { version: { ignoreWaves: 'yes' } }],
    ['spec.schedule', { schedule: {} }],
    ['spec.schedule', { schedule: { onClose: 'Release' } }],
    ['spec.schedule', { schedule: { always: false } }],
    ['spec.schedule', { schedule: { windows: [] } }],
    ['spec.schedule', { schedule: { windows: [window()], always: true } }],
    ['spec.schedule.windows[0].timeZone', { schedule: { windows: [{ cron: '0 2 * * *', duration: '4h' }] } }],
    ['spec.schedule.windows[0].timezone', { schedule: { windows: [{ ...window(), timezone: 'UTC' }] } }],
    ['spec.schedule.windows[0].cron', { schedule: { windows: [window({ cron: 'at night' })] } }],
    ['spec.schedule.windows[0].cron', { schedule: { windows: [window({ cron: '0 2 * *' })] } }],
    ['spec.schedule.windows[0].cron', { schedule: { windows: [window({ cron: '? 2 * * *' })] } }],
    ['spec.schedule.windows[0].duration', { schedule: { windows: [window({ duration: '999ms' })] } }],
    ['spec.schedule.onClose', { schedule: { windows: [window()], onClose: 'Stop' } }],
    ['spec.schedule.exclusions[0].from', { schedule: { always: true, exclusions: [exclusion({ from: 'soon' })] } }],
    ['spec.schedule.exclusions[0].to', { schedule: { always: true, exclusions: [exclusion({ to: '2026-12-20T00:00:00Z' })] } }],
    ['spec.paused', { paused: 'yes' }],
    ['spec.approval', { approval: 'automatic' }],
    ['spec.priority', { priority: 1.5 }],
    ['spec.priority', { priority: 1_000_001 }],
    ['spec.nodeSelector.matchLabels.a', { nodeSelector: { matchLabels: { a: 1 } } }],
    ['spec.nodeSelector.matchLabels.a', { nodeSelector: { matchLabels: { a: 'x'.repeat(64) } } }],
    ['spec.nodeSelector.matchExpressions[0].operator', selector({ key: 'a', operator: 'Has' })],
    ['spec.nodeSelector.matchExpressions[0].key', selector({ operator: 'Exists' })],
    ['spec.nodeSelector.matchExpressions[0].key', selector({ key: '', operator: 'Exists' })],
    ['spec.nodeSelector.matchExpressions', selector({ key: 'a', operator: 'In' })],
    ['spec.nodeSelector.matchExpressions', selector({ key: 'a', operator: 'NotIn', values: [] })],
    ['spec.nodeSelector.matchExpressions', selector({ key: 'a', operator: 'Exists', values: ['b'] })],
    ['spec.version.range', { version: { range: '' } }],
    ['spec.version.range', { version: { range: `>=${'1'.repeat(256)}` } }],
    ['spec.version.pin', { version: { pin: 'v1.26.1' } }],
    ['spec.version.pin', { version: { pin: '1.26' } }],
    ['spec.version.pin', { version: { pin: 'latest' } }],
    ['spec.version.pin', { version: { pin: '1.26.1', range: '>=1.26.0' } }],
    ['spec.version.refreshInterval', { version: { refreshInterval: '1 hour' } }],
    ['spec.version.refreshInterval', { version: { refreshInterval: '500ms' } }],
    ['spec.version.allowDowngrade', { version: { allowDowngrade: 'true' } }],
    ['spec.rollout.maxUnavailable', { rollout: { maxUnavailable: 0 } }],
    ['spec.rollout.maxUnavailable', { rollout: { maxUnavailable: -1 } }],
    ['spec.rollout.maxUnavailable', { rollout: { maxUnavailable: 1.5 } }],
    ['spec.rollout.maxUnavailable', { rollout: { maxUnavailable: '0%' } }],
    ['spec.rollout.maxUnavailable', { rollout: { maxUnavailable: '101%' } }],
    ['spec.rollout.maxUnavailable', { rollout: { maxUnavailable: '2' } }],
    ['spec.rollout.maxUnavailable', { rollout: { maxUnavailable: true } }],
    ['spec.rollout.failureBudget', { rollout: { failureBudget: '50 %' } }],
    ['spec.rollout.zoneKey', { rollout: { zoneKey: '' } }],
    ['spec.rollout.groups', { rollout: { groups: [{ name: 'canary' }, { name: 'canary' }] } }],
    ['spec.rollout.groups[0].name', { rollout: { groups: [{ name: '' }] } }],
    ['spec.rollout.groups[0].soak', { rollout: { groups: [{ name: 'canary', soak: 'long' }] } }],
    ['spec.rollout.groups[0].maxUnavailable', { rollout: { groups: [{ name: 'canary', maxUnavailable: 0 }] } }],
    ['spec.rollout.minReadySeconds', { rollout: { minReadySeconds: -1 } }],
    ['spec.rollout.minReadySeconds', { rollout: { minReadySeconds: 86_401 } }],
    ['spec.staging.maxParallel', { staging: { maxParallel: 0 } }],
    ['spec.staging.outsideWindow', { staging: { outsideWindow: 'no' } }],
    ['spec.drain.timeout', { drain: { timeout: 30 } }],
    ['spec.drain.timeout', { drain: { timeout: '0s' } }],
    ['spec.drain.timeout', { drain: { timeout: '' } }],
    ['spec.drain.timeout', { drain: { timeout: '-5m' } }],
    ['spec.drain.timeout', { drain: { timeout: '1d' } }],
    ['spec.drain.gracePeriodSeconds', { drain: { gracePeriodSeconds: -1 } }],
    ['spec.drain.mode', { drain: { mode: 'Delete' } }],
    ['spec.drain.onTimeout', { drain: { onTimeout: 'Wait' } }],
    ['spec.drain.skipWaitForDeleteTimeout', { drain: { skipWaitForDeleteTimeout: '0s' } }],
    ['spec.drain.leaveToReboot[0]', { drain: { leaveToReboot: [{}] } }],
    [
      'spec.drain.leaveToReboot[0].selector.matchExpressions',
      { drain: { leaveToReboot: [{ selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }] } },
    ],
    ['spec.checks[0]', { checks: [{}] }],
    ['spec.checks[0]', { checks: [{ pods: { namespace: 'a', minReady: 1 }, prometheus: { url: 'http://p:9090', query: 'up' } }] }],
    ['spec.checks[0].pods.minReady', { checks: [{ pods: { namespace: 'a', minReady: 0 } }] }],
    ['spec.checks[0].pods.minReady', { checks: [{ pods: { namespace: 'a' } }] }],
    ['spec.checks[0].pods.namespace', { checks: [{ pods: { namespace: 'A', minReady: 1 } }] }],
    [
      'spec.checks[0].pods.selector.matchExpressions',
      { checks: [{ pods: { namespace: 'a', selector: { matchExpressions: [{ key: 'a', operator: 'In' }] }, minReady: 1 } }] },
    ],
    ['spec.checks[0].object', { checks: [{ object: web }] }],
    ['spec.checks[0].object', { checks: [{ object: { ...web, condition: 'Available', jsonPath: '.a', value: '1' } }] }],
    ['spec.checks[0].object', { checks: [{ object: { ...web, jsonPath: '.a' } }] }],
    ['spec.checks[0].object', { checks: [{ object: { ...web, condition: 'Available', value: '1' } }] }],
    ['spec.checks[0].object.condition', { checks: [{ object: { ...web, condition: 'is up' } }] }],
    ['spec.checks[0].object.name', { checks: [{ object: { ...web, condition: 'Available', name: '..' } }] }],
    ['spec.checks[0].object.apiVersion', { checks: [{ object: { ...web, condition: 'Available', apiVersion: 'apps/v1/x' } }] }],
    ['spec.checks[0].object.kind', { checks: [{ object: { ...web, condition: 'Available', kind: 'deployments' } }] }],
    ['spec.checks[0].prometheus.url', { checks: [{ prometheus: { url: 'ftp://p', query: 'up' } }] }],
    ['spec.checks[0].prometheus.url', { checks: [{ prometheus: { url: 'http://user:word@p', query: 'up' } }] }],
    ['spec.checks[0].prometheus.query', { checks: [{ prometheus: { url: 'http://p', query: '' } }] }],
    ['spec.checks', { checks: Array.from({ length: 9 }, () => ({ pods: { namespace: 'a', minReady: 1 } })) }],
    ['spec.reboot.timeout', { reboot: { timeout: '0m' } }],
    ['spec.reboot.timeout', { reboot: { timeout: '1h'.repeat(17) } }],
  ])('%s (case %#)', async (field, spec) => {
    const { status, message, fields } = await refusalOf(create(UPDATE_POLICY, { spec }));
    expect({ fields, status }).toEqual({ fields: expect.arrayContaining([field]), status: expect.any(Number) });
    expect([400, 422]).toContain(status);
    expect(message).toContain(field);
  });
});

describe('a bad NodeHost is refused, and the field is named', () => {
  test.each<[field: string, spec: unknown]>([
    ['spec.refreshInterval', { refreshInterval: 'often' }],
    ['spec.order.id', { order: { action: 'Cancel' } }],
    ['spec.order.id', { order: { id: '', action: 'Cancel' } }],
    ['spec.order.action', { order: { id: '1' } }],
    ['spec.order.action', { order: { id: '1', action: 'Format', version: '1.26.1' } }],
    ['spec.order.version', { order: { id: '1', action: 'Stage' } }],
    ['spec.order.version', { order: { id: '1', action: 'Stage', version: '1.26' } }],
    ['spec.order.version', { order: { id: '1', action: 'Reboot', bootID: 'b' } }],
    ['spec.order.bootID', { order: { id: '1', action: 'Reboot', version: '1.26.1' } }],
    ['spec.order.force', { order: { id: '1', action: 'Cancel', force: true } }],
  ])('%s (case %#)', async (field, spec) => {
    const { message, fields } = await refusalOf(create(NODE_HOST, { spec }));
    expect(fields).toContain(field);
    expect(message).toContain(field);
  });
});

describe('a bad status is refused, and the field is named', () => {
  test.each<[field: string, kind: Kind, status: unknown]>([
    ['status.claims[0].node', UPDATE_POLICY, { claims: [{ id: 'a' }] }],
    [
      'status.conditions[0].status',
      UPDATE_POLICY,
      { conditions: [{ type: 'Ready', status: 'Maybe', reason: 'A', message: '', lastTransitionTime: '' }] },
    ],
    ['status.phase', NODE_UPDATE, { phase: 'Sleeping' }],
    ['status.message', NODE_UPDATE, { message: 'x'.repeat(2049) }],
    ['status.answer.state', NODE_HOST, { answer: { id: '1', state: 'Maybe', startedAt: 'now' } }],
    ['status.refreshError.code', NODE_HOST, { refreshError: { code: 'Oops', message: '', at: 'now' } }],
    ['status.available', NODE_HOST, { available: Array.from({ length: 65 }, () => '1.0.0') }],
  ])('%s (case %#)', async (field, kind, status) => {
    const name = 'target';
    await plane.client.apply({ apiVersion: API_VERSION, kind: kind.kind, metadata: { name } });
    const { message, fields } = await refusalOf(plane.client.patch(kindPath(kind, name, 'status'), { status }));
    // An API server of 1.30 leaves the first word away.
    const named = fields.find((one) => one === field || `status.${one}` === field) ?? field;
    expect(fields).toContain(named);
    expect(message).toContain(named);
  });
});

describe('a good object survives a round trip', () => {
  test.each<[name: string, spec: object]>([
    ['nothing-said', {}],
    [
      'everything-said',
      {
        nodeSelector: {
          matchLabels: { pool: 'a' },
          matchExpressions: [
            { key: 'zone', operator: 'In', values: ['a', 'b'] },
            { key: 'gpu', operator: 'DoesNotExist' },
          ],
        },
        priority: -3,
        paused: true,
        approval: 'Manual',
        version: { pin: '1.26.1-rc.1+b', allowDowngrade: true, refreshInterval: '1h30m' },
        rollout: { maxUnavailable: '25%', zoneKey: 'example.com/rack', failureBudget: 3, minReadySeconds: 0 },
        staging: { maxParallel: '100%' },
        drain: {
          mode: 'Evict',
          timeout: '1500ms',
          onTimeout: 'Hold',
          deleteEmptyDirData: false,
          force: true,
          gracePeriodSeconds: 0,
          skipWaitForDeleteTimeout: '1m',
          respectDoNotDisrupt: false,
          waitForVolumeDetach: false,
          leaveToReboot: [{ namespaces: ['cache'], selector: { matchLabels: { app: 'a' } } }],
        },
        checks: [
          { pods: { namespace: 'shop', selector: { matchLabels: { app: 'web' } }, minReady: 2 } },
          { object: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web', condition: 'Available' } },
          {
            object: {
              apiVersion: 'v1',
              kind: 'Node',
              name: 'a',
              jsonPath: '{.status.conditions[?(@.type=="Ready")].status}',
              value: 'True',
            },
          },
          { prometheus: { url: 'http://prometheus.monitoring:9090/prefix', query: 'sum(rate(errors[5m])) < 1' } },
        ],
        reboot: { timeout: '999h' },
      },
    ],
  ])('UpdatePolicy with %s', async (name, spec) => {
    const path = kindPath(UPDATE_POLICY, name);
    await plane.client.create(kindPath(UPDATE_POLICY), { apiVersion: API_VERSION, kind: 'UpdatePolicy', metadata: { name }, spec });
    const first = await plane.client.get<KubeObject & { spec: unknown }>(path);
    const meant = z.parse(updatePolicySpecSchema, spec);
    expect(first.spec).toEqual(meant);
    expect(z.parse(updatePolicySchema, first).spec).toEqual(meant);
    const again = await plane.client.replace<KubeObject & { spec: unknown }>(path, first);
    expect(again).toEqual(first);
  });

  test('UpdatePolicy without a spec has all defaults', async () => {
    await plane.client.create(kindPath(UPDATE_POLICY), { apiVersion: API_VERSION, kind: 'UpdatePolicy', metadata: { name: 'no-spec' } });
    const { spec } = await plane.client.get<KubeObject & { spec: unknown }>(kindPath(UPDATE_POLICY, 'no-spec'));
    expect(spec).toEqual(z.parse(updatePolicySpecSchema, {}));
  });

  test('NodeHost, its order through the spec and its answer through the status', async () => {
    const order = { id: '1', action: 'Reboot', version: '1.26.1', bootID: 'boot-1' };
    const status = {
      version: '1.26.0',
      available: ['1.26.1'],
      answer: { id: '1', state: 'RebootAsked', startedAt: '2026-01-01T00:00:00Z' },
    };
    await plane.client.create(kindPath(NODE_HOST), {
      apiVersion: API_VERSION,
      kind: 'NodeHost',
      metadata: { name: 'n' },
      spec: { order },
      status,
    });
    const created = z.parse(nodeHostSchema, await plane.client.get(kindPath(NODE_HOST, 'n')));
    expect(created.spec).toEqual({ refreshInterval: '1h', ignoreWaves: false, order });
    expect(created.status).toEqual({});
    await plane.client.patch(kindPath(NODE_HOST, 'n', 'status'), { status, spec: { order: null } });
    const answered = z.parse(nodeHostSchema, await plane.client.get(kindPath(NODE_HOST, 'n')));
    expect({ spec: answered.spec, status: answered.status }).toEqual({ spec: created.spec, status });
    expect(answered.metadata.generation).toBe(1);
  });

  test('NodeUpdate has a status and no spec', async () => {
    const path = kindPath(NODE_UPDATE, 'n');
    const body = { apiVersion: API_VERSION, kind: 'NodeUpdate', metadata: { name: 'n' } };
    const { fields } = await refusalOf(create(NODE_UPDATE, { spec: { paused: true } }));
    expect(fields).toEqual(['spec']);
    await plane.client.create(kindPath(NODE_UPDATE), body);
    const status = {
      phase: 'Staged',
      reason: 'AwaitingApproval',
      message: 'waits for an approval of 1.26.1',
      from: '1.26.0',
      target: '1.26.1',
    };
    await plane.client.patch(kindPath(NODE_UPDATE, 'n', 'status'), { status });
    expect(z.parse(nodeUpdateSchema, await plane.client.get(path)).status).toEqual(status);
  });
});

test('kubectl get answers where we are, and why it is waiting', async () => {
  const since = '2026-01-01T00:00:00Z';
  const condition = (type: string, status: string, reason: string) => ({ type, status, reason, message: '', lastTransitionTime: since });
  const show = async (kind: Kind, status: object) => {
    const name = `shown-${kind.plural}`;
    await plane.client.create(kindPath(kind), { apiVersion: API_VERSION, kind: kind.kind, metadata: { name } });
    await plane.client.patch(kindPath(kind, name, 'status'), { status });
    return kubectl('get', kind.plural, name, '--no-headers', '-o', 'wide');
  };
  const conditions = [
    condition('Ready', 'True', 'Valid'),
    { ...condition('Progressing', 'False', 'OutsideWindow'), message: 'opens at 02:00' },
    condition('Paused', 'False', 'NotPaused'),
  ];
  expect(await show(UPDATE_POLICY, { summary: '2 of 5 updated', conditions })).toMatch(
    /^shown-updatepolicies +2 of 5 updated +True +OutsideWindow +False +\d+s +opens at 02:00\n$/,
  );
  const status = {
    policy: 'default',
    phase: 'Staged',
    from: '1.26.0',
    target: '1.26.1',
    reason: 'Capacity',
    message: 'waits for a slot',
    since,
  };
  expect(await show(NODE_UPDATE, status)).toMatch(
    /^shown-nodeupdates +default +Staged +1\.26\.0 +1\.26\.1 +Capacity +\d+[ydh]\w* +waits for a slot\n$/,
  );
  const host = { version: '1.26.0', variant: 'aws-k8s-1.31', answer: { id: '1', state: 'Done', startedAt: since } };
  expect(await show(NODE_HOST, host)).toMatch(/^shown-nodehosts +1\.26\.0 +aws-k8s-1\.31 +Done +\d+s\n$/);
});

test('kubectl explain describes the fields', async () => {
  expect(await kubectl('explain', 'updatepolicy.spec.rollout.maxUnavailable')).toContain('How many nodes may be unavailable at once');
});

async function kubectl(...args: string[]): Promise<string> {
  const { kubectl: command } = await binaries({ only: ['kubectl'] });
  const { stdout } = await promisify(execFile)(command, ['--kubeconfig', plane.kubeconfig, ...args], { env: { HOME: plane.home.scratch } });
  return stdout;
}

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Check, ObjectCheck } from '../api/check.ts';
import { systemClock } from '../kube/clock.ts';
import { ApiError, ApiUnreachableError } from '../kube/errors.ts';
import { CheckRunner, objectFailure, selectorText } from './check-runner.ts';

const web = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' };
const deployment = {
  metadata: { generation: 2 },
  spec: { replicas: 3, template: { spec: {} } },
  status: {
    observedGeneration: 2,
    conditions: [
      { type: 'Available', status: 'True' },
      { type: 'Progressing', status: 'False', message: 'quota' },
      { type: 'Late', status: 'True', observedGeneration: 1 },
    ],
  },
};

describe('an object', () => {
  test.each<[string, Partial<ObjectCheck>, unknown, RegExp | undefined]>([
    ['has the condition', { condition: 'Available' }, deployment, undefined],
    ['in any case of letters', { condition: 'available=TRUE' }, deployment, undefined],
    ['has it with the status asked for', { condition: 'Progressing=False' }, deployment, undefined],
    [
      'has it with another status',
      { condition: 'Progressing' },
      deployment,
      /^its condition Progressing is False, it must be True \(quota\)$/,
    ],
    ['does not have it', { condition: 'Ready' }, deployment, /^it has no condition Ready$/],
    ['has no status', { condition: 'Ready' }, { metadata: {} }, /^it has no condition Ready$/],
    ['has a condition of an older spec', { condition: 'Late' }, deployment, /does not speak of its present spec yet$/],
    ['has a status of an older spec', { condition: 'Available' }, { ...deployment, metadata: { generation: 3 } }, /present spec yet$/],
    ['does not read as one', { condition: 'Available' }, { metadata: {}, status: { conditions: 'all' } }, /does not read/],
    ['has the value', { jsonPath: '{.spec.replicas}', value: ' 3 ' }, deployment, undefined],
    ['has another value', { jsonPath: '.spec.replicas', value: '4' }, deployment, /^\.spec\.replicas is "3", it must be "4"$/],
    ['has no value', { jsonPath: '.spec.paused', value: 'true' }, deployment, /leads to nothing, it must be "true"$/],
    ['has many', { jsonPath: '.status.conditions[?(@.status=="True")].type', value: 'Late' }, deployment, /more than one value$/],
    ['has a whole object there', { jsonPath: '.spec.template', value: '{}' }, deployment, /a list or an object$/],
  ])('%s', (_, check, object, failure) => {
    expect(objectFailure({ ...web, ...check }, object)).toEqual(failure === undefined ? undefined : expect.stringMatching(failure));
  });
});

test('a selector, as the API server reads it', () => {
  const matchExpressions = [
    { key: 'a', operator: 'In' as const, values: ['1', '2'] },
    { key: 'b', operator: 'NotIn' as const, values: ['3'] },
    { key: 'c', operator: 'Exists' as const },
    { key: 'd', operator: 'DoesNotExist' as const },
  ];
  expect(selectorText({ matchLabels: { app: 'web' }, matchExpressions })).toBe('app=web,a in (1,2),b notin (3),c,!d');
  expect(selectorText({})).toBe('');
});

describe('a check', () => {
  const discovery = {
    resources: [
      { name: 'deployments/scale', kind: 'Deployment', namespaced: true },
      { name: 'deployments', kind: 'Deployment', namespaced: true },
    ],
  };
  const asked: string[] = [];
  const runner = (answers: Record<string, unknown>, pods: unknown[][] = []) => {
    asked.length = 0;
    return new CheckRunner({
      clock: systemClock,
      client: {
        async get<T>(path: string): Promise<T> {
          asked.push(path);
          const answer = answers[path] ?? new ApiError(404, 'not found');
          if (answer instanceof Error) throw answer;
          return answer as T;
        },
        async *listPages(path, { labelSelector } = {}) {
          asked.push(`${path}?${labelSelector}`);
          for (const [page, items] of pods.entries()) yield { items, page, resourceVersion: '1' };
        },
      },
    });
  };
  const path = '/apis/apps/v1/namespaces/shop/deployments/web';
  const signal = new AbortController().signal;
  const available: Check = { object: { ...web, condition: 'Available' } };
  const found = { '/apis/apps/v1': discovery };

  test.each<[string, Check, Record<string, unknown>, RegExp | undefined]>([
    ['holds', available, { ...found, [path]: deployment }, undefined],
    ['of an object that is not there', available, found, /^it is not there$/],
    [
      'without the right',
      available,
      { ...found, [path]: new ApiError(403, 'no') },
      /may not get deployments\.apps: add \{apiGroups: \["apps"\], resources: \[deployments\], verbs: \[get\]\} to the chart's value checks\.rules$/,
    ],
    [
      'of a server that fails',
      available,
      { ...found, [path]: new ApiError(500, 'GET: 500 etcd', { words: 'etcd' }) },
      /^it could not be read: etcd$/,
    ],
    [
      'of a server that is not there',
      available,
      { ...found, [path]: new ApiUnreachableError('refused') },
      /^it could not be read: refused$/,
    ],
    ['of a group that is not there', available, {}, /^the API server knows no kind Deployment of apps\/v1$/],
    ['of a kind that is not there', { object: { ...web, kind: 'Other', condition: 'A' } }, found, /knows no kind Other/],
    [
      'of no namespace',
      { object: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', condition: 'A' } },
      found,
      /lies in a namespace: name it/,
    ],
    ['of discovery that does not read', available, { '/apis/apps/v1': {} }, /^it could not be read: /],
  ])('%s', async (_, check, answers, saw) => {
    expect(await runner(answers).look(check, signal)).toEqual(saw === undefined ? undefined : expect.stringMatching(saw));
  });

  test('asks discovery once', async () => {
    const one = runner({ ...found, [path]: deployment });
    await one.look(available, signal);
    await one.look(available, signal);
    expect(asked).toEqual(['/apis/apps/v1', path, path]);
  });

  const pod = (name: string, ready = true, metadata = {}) => ({
    metadata: { namespace: 'shop', name, uid: name, resourceVersion: '1', ...metadata },
    spec: {},
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  });
  test.each<[string, unknown[][], string | undefined]>([
    ['enough', [[pod('a'), pod('b')]], undefined],
    ['enough on two pages', [[pod('a')], [pod('b')]], undefined],
    ['too few', [[pod('a'), pod('b', false)]], '1 pods with app=web are Ready, at least 2 must be'],
    [
      'one on its way out',
      [[pod('a'), pod('b', true, { deletionTimestamp: '2026-01-01T00:00:00Z' })]],
      '1 pods with app=web are Ready, at least 2 must be',
    ],
    ['none', [[]], '0 pods with app=web are Ready, at least 2 must be'],
  ])('of pods: %s', async (_, pages, saw) => {
    const check: Check = { pods: { namespace: 'shop', selector: { matchLabels: { app: 'web' } }, minReady: 2 } };
    expect(await runner({}, pages).look(check, signal)).toBe(saw);
    expect(asked).toEqual(['/api/v1/namespaces/shop/pods?app=web']);
  });

  describe('of Prometheus', () => {
    let server: Server;
    let answer: { status: number; body: string; location?: string };
    const queries: string[] = [];
    beforeAll(async () => {
      server = createServer(({ url = '' }, response) => {
        queries.push(url);
        response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location }).end(answer.body);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
    });
    afterAll(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    const gives = (data: unknown) => JSON.stringify({ status: 'success', data });
    const scalar = (value: string) => gives({ resultType: 'scalar', result: [1, value] });

    test.each<[string, number, string, RegExp | undefined]>([
      ['a vector', 200, gives({ resultType: 'vector', result: [{ metric: {}, value: [1, '0'] }] }), undefined],
      ['an empty one', 200, gives({ resultType: 'vector', result: [] }), /^the query gives nothing$/],
      ['a scalar', 200, scalar('0.5'), undefined],
      ['nought', 200, scalar('0'), /^the query gives 0$/],
      ['no number', 200, scalar('NaN'), /^the query gives NaN$/],
      ['a matrix', 200, gives({ resultType: 'matrix', result: [{}] }), /ask for a vector or a scalar$/],
      [
        'an error',
        400,
        JSON.stringify({ status: 'error', errorType: 'bad_data', error: 'parse error' }),
        /^it refuses the query: parse error$/,
      ],
      ['a page', 503, '<html>', /^it answers 503, with what is no answer of Prometheus$/],
      ['a redirect', 302, '', /^it answers with a redirect \(302\), which is not followed/],
      ['too much', 200, ' '.repeat(1024 * 1024 + 1), /^its answer is longer than/],
    ])('%s', async (_, status, body, saw) => {
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/`;
      answer = { status, body, ...(status === 302 && { location: `${base}elsewhere` }) };
      queries.length = 0;
      const result = await runner({}).look({ prometheus: { url: base, query: 'a < 1' } }, signal);
      expect(result).toEqual(saw === undefined ? undefined : expect.stringMatching(saw));
      expect(queries).toEqual(['/prefix/api/v1/query?query=a+%3C+1']);
    });

    test('nobody there', async () => {
      const saw = await runner({}).look({ prometheus: { url: 'http://127.0.0.1:1', query: 'up' } }, signal);
      expect(saw).toMatch(/^it could not be read: /);
    });
  });
});

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { customResourceDefinition, kindDefinitions } from '../api/crd.ts';
import { systemClock } from '../kube/clock.ts';
import { FakeApiServer } from '../kube/testing/fake-api-server.ts';
import { testClient } from '../kube/testing/fixtures.ts';
import { applyCrds, CrdError } from './crds.ts';

const wanted = kindDefinitions.map(customResourceDefinition);
const [first] = wanted.map(({ metadata }) => metadata.name) as [string];
const established = { storedVersions: ['v1alpha1'], conditions: [{ type: 'Established', status: 'True' }] };

let server: FakeApiServer;
let lines: string[];

beforeEach(async () => {
  server = new FakeApiServer();
  await server.start();
  lines = [];
});

afterEach(async () => {
  await server.stop();
});

function put(status: object, of: (name: string) => boolean = () => true, metadata: object = {}) {
  for (const { metadata: own, spec } of wanted) server.put(own.name, { metadata, spec, status: of(own.name) ? status : established });
}

async function apply(signal = AbortSignal.timeout(10_000)): Promise<void> {
  const client = testClient(server);
  try {
    await applyCrds({ client, clock: systemClock, print: (line) => lines.push(line), signal });
  } finally {
    client.close();
  }
}

const writes = () => server.requests.filter(({ method }) => method !== 'GET');

describe('crds apply', () => {
  test('applies the three CRDs by its own name, over whoever wrote them before', async () => {
    put(established);
    await apply();
    expect(
      writes().map(({ method, path, query, headers, body }) => ({
        method,
        path,
        query: Object.fromEntries(query),
        type: headers['content-type'],
        body,
      })),
    ).toEqual(
      wanted.map((crd) => ({
        method: 'PATCH',
        path: `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`,
        query: { fieldManager: 'lockkeeper-crds', force: 'true' },
        type: 'application/apply-patch+yaml',
        body: JSON.parse(JSON.stringify(crd)),
      })),
    );
    expect(lines).toEqual(wanted.map(({ metadata }) => `customresourcedefinition ${metadata.name}: changed`));
  });

  test.each([
    [
      'objects are stored in a version that this one does not know',
      { ...established, storedVersions: ['v1', 'v1alpha1'] },
      {},
      /stored in v1,/,
    ],
    ['one is being deleted', established, { deletionTimestamp: '2026-01-01T00:00:00Z' }, /is being deleted/],
  ])('writes nothing at all where %s', async (_, status, metadata, message) => {
    put(status, (name) => name !== first, metadata);
    await expect(apply()).rejects.toThrow(message);
    expect(writes()).toEqual([]);
  });

  test('waits until they are served, and says when their names are taken', async () => {
    put({ conditions: [{ type: 'Established', status: 'False' }] }, (name) => name === first);
    let looks = 0;
    server.fault = ({ method, path }) => {
      if (method !== 'GET' || !path.endsWith(first) || writes().length === 0) return undefined;
      looks += 1;
      if (looks === 2) put(established);
      return undefined;
    };
    await apply();
    expect(looks).toBe(2);

    server.fault = () => undefined;
    put({ conditions: [{ type: 'NamesAccepted', status: 'False', message: '"up" is already in use' }] }, (name) => name === first);
    await expect(apply()).rejects.toThrow(new CrdError(`${first}: its names are taken by another kind: "up" is already in use`));
  });

  test('gives up when its time is over', async () => {
    put({ conditions: [] });
    const over = new AbortController();
    server.fault = ({ method }) => {
      if (method === 'GET' && writes().length === wanted.length) over.abort();
      return undefined;
    };
    await expect(apply(over.signal)).rejects.toThrow();
  });
});

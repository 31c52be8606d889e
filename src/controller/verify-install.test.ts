import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../kube/clock.ts';
import { FakeApiServer } from '../kube/testing/fake-api-server.ts';
import { testClient } from '../kube/testing/fixtures.ts';
import { verify } from './verify-install.ts';

const namespace = 'lockkeeper';
let server: FakeApiServer;
let lines: string[];

beforeEach(async () => {
  server = new FakeApiServer();
  await server.start();
  lines = [];
  server.put('lockkeeper-agent');
  server.put('lockkeeper-controller', { spec: { replicas: 2 }, status: { availableReplicas: 2 } }, namespace);
  server.put('lockkeeper-agent', { status: { desiredNumberScheduled: 3, numberReady: 3 } }, namespace);
  lease();
});

afterEach(async () => {
  await server.stop();
});

function lease(spec: object = {}) {
  const renewed = { holderIdentity: 'controller-1', leaseDurationSeconds: 13, renewTime: new Date().toISOString() };
  server.put('lockkeeper', { spec: { ...renewed, ...spec } }, namespace);
}

async function run(timeoutMs = 0): Promise<boolean> {
  const client = testClient(server);
  const print = (line: string) => lines.push(line);
  try {
    return await verify({
      client,
      clock: systemClock,
      namespace,
      leaseName: 'lockkeeper',
      timeoutMs,
      print,
      signal: AbortSignal.timeout(20_000),
    });
  } finally {
    client.close();
  }
}

const failed = () => lines.filter((line) => line.startsWith('FAIL'));

describe('verify-install', () => {
  test('says what it has looked at, and changes nothing', async () => {
    expect(await run()).toBe(true);
    expect(lines).toEqual([
      'ok    kind UpdatePolicy',
      'ok    kind NodeUpdate',
      'ok    kind NodeHost',
      'ok    validatingadmissionpolicies/lockkeeper-agent',
      'ok    validatingadmissionpolicybindings/lockkeeper-agent',
      'ok    Deployment lockkeeper-controller',
      'ok    Lease lockkeeper/lockkeeper',
      'ok    DaemonSet lockkeeper-agent',
    ]);
    expect(server.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  test.each<[what: string, change: () => void, line: RegExp]>([
    ['a kind is not there', () => refuse('nodehosts', 404), /kind NodeHost: it is not there; apply the CRDs/],
    [
      'the agents are not limited',
      () => server.remove('lockkeeper-agent'),
      /validatingadmissionpolicies.*: it is not there; no agent is given an order/,
    ],
    ['it may not look', () => refuse('leases', 403), /Lease .*: .*403/],
    ['nobody ever led', () => server.remove('lockkeeper', namespace), /Lease .*: it is not there; no controller has ever led/],
    ['nobody leads', () => lease({ holderIdentity: '' }), /Lease .*: no controller leads/],
    ['the leader is gone', () => lease({ renewTime: new Date(Date.now() - 20_000).toISOString() }), /Lease .*: no controller leads/],
    ['an agent is missing', () => agents(2), /DaemonSet lockkeeper-agent: 2 of 3 agents are ready/],
  ])('fails where %s', async (_, change, line) => {
    change();
    expect(await run()).toBe(false);
    expect(failed()[0]).toMatch(line);
    for (const one of failed()) expect(one).toMatch(line.source.startsWith('validating') ? /^FAIL {2}validating/ : line);
  });

  test('waits for what may yet come', async () => {
    agents(2);
    let looks = 0;
    server.fault = ({ path }) => {
      if (path.includes('daemonsets')) looks += 1;
      if (looks === 2) agents(3);
      return undefined;
    };
    expect(await run(15_000)).toBe(true);
    expect(looks).toBe(2);
  });
});

function agents(numberReady: number) {
  server.put('lockkeeper-agent', { status: { desiredNumberScheduled: 3, numberReady } }, namespace);
}

function refuse(resource: string, status: number) {
  server.fault = ({ path }) => (path.includes(resource) ? { status } : undefined);
}

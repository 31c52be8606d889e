import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Logger } from '../kube/logger.ts';
import { programCredentials } from '../kube/program-credentials.ts';
import { eventually } from '../kube/testing/fake-clock.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import type { ControllerConfig } from './config.ts';
import { runController } from './controller.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { putGuard, putNode, putPolicy } from './testing/objects.ts';

jest.setTimeout(30_000);

let cluster: FakeCluster;
let folder: string;
let kubeconfig: string;
const replicas: Replica[] = [];

beforeEach(async () => {
  cluster = new FakeCluster();
  const server = await cluster.start();
  folder = await mkdtemp(join(tmpdir(), 'lockkeeper-controller-'));
  kubeconfig = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server: server.href, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: { token: 'secret' } }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  putGuard(cluster);
  putPolicy(cluster);
  putNode(cluster, 'a');
  // One that nobody holds is told of at once; that there is none takes a list.
  cluster.put('leases', { metadata: { name: 'lockkeeper', namespace: 'lockkeeper' }, spec: { holderIdentity: '' } });
});
afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
  await cluster.stop();
  await rm(folder, { recursive: true });
});

interface Replica {
  logger: ReturnType<typeof recordingLogger>;
  get: (path: string) => Promise<{ status: number; text: string }>;
  stop: () => Promise<void>;
  said: (message: string) => boolean;
}

const configOf = (identity: string, change: Partial<ControllerConfig> = {}): ControllerConfig => ({
  kubeconfig,
  namespace: 'lockkeeper',
  identity,
  leaseName: 'lockkeeper',
  nodeConditions: false,
  brupopMetrics: false,
  leaseDurationMs: 3_000,
  renewIntervalMs: 500,
  giveUpAfterMs: 2_000,
  retryBaseMs: 1_000,
  retryMaxMs: 2_000,
  hookNamespaces: [],
  prometheusHosts: [],
  checkIntervalMs: 1_000,
  listen: { host: '127.0.0.1', port: 0 },
  logLevel: 'debug',
  inCluster: { host: '', port: '443' },
  ...change,
});

const run = async (config: ControllerConfig, logger: Logger, signal: AbortSignal): Promise<void> =>
  runController(config, await programCredentials(config), logger, signal);

/** Starts a replica, and waits until its endpoints answer. */
async function start(identity: string): Promise<Replica> {
  const logger = recordingLogger();
  const stop = new AbortController();
  const ended = run(configOf(identity), logger as Logger, stop.signal);
  const line = () => logger.lines.find(({ message }) => message === 'controller started')?.fields as { listen: string } | undefined;
  await Promise.race([ended, eventually(() => line() !== undefined)]);
  const replica: Replica = {
    logger,
    async get(path) {
      const response = await fetch(`http://${line()?.listen}${path}`);
      return { status: response.status, text: await response.text() };
    },
    async stop() {
      stop.abort(new Error('SIGTERM'));
      await ended;
    },
    said: (message) => logger.lines.some((each) => each.message === message),
  };
  replicas.push(replica);
  return replica;
}

const holder = (): string | undefined =>
  (cluster.get('leases', 'lockkeeper', 'lockkeeper')?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity;

describe('a replica', () => {
  test('fills its caches, leads, works, is seen, and gives the lease back at the end', async () => {
    const replica = await start('one');
    await eventually(() => cluster.get('nodehosts', 'a') !== undefined);
    await eventually(() => cluster.get('updatepolicies', 'default')?.['status'] !== undefined);
    expect(holder()).toBe('one');
    expect(await replica.get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect(await replica.get('/readyz')).toEqual({ status: 200, text: 'ok\n' });
    const { text } = await replica.get('/metrics');
    expect(text).toContain('lockkeeper_leader 1');
    expect(text).toMatch(/lockkeeper_node_phase\{node="a",policy="default",phase="Idle",reason="\w+"\} 1/);
    expect(text).toMatch(/lockkeeper_api_requests_total\{method="POST",resource="nodehosts",code="201"\} 1/);
    await eventually(() => cluster.all('events').length > 0);

    await replica.stop();
    expect(holder()).toBe('');
    expect(replica.logger.lines.at(-1)).toMatchObject({ message: 'controller stopped' });
    expect(replica.said('all work of the term has ended')).toBe(true);
    await eventually(() => cluster.watches('nodes') === 0);
    await expect(replica.get('/healthz')).rejects.toThrow();
    expect(replica.logger.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
    const settled = cluster.asked.length;
    putNode(cluster, 'b');
    await new Promise((resolve) => setImmediate(resolve));
    expect(cluster.asked).toHaveLength(settled);
  });

  test('is not ready, and does nothing, before it has seen everything', async () => {
    cluster.fault = ({ path }) => (path.endsWith('/nodeupdates') ? { status: 404, message: 'no such kind' } : undefined);
    const replica = await start('one');
    await eventually(() => holder() === 'one');
    await eventually(() => replica.said('cannot list or watch'));
    await eventually(() => cluster.watches('nodehosts') === 1);
    const { status, text } = await replica.get('/readyz');
    expect([status, text]).toEqual([503, expect.stringMatching(/^not read yet: nodeUpdates; /)]);
    expect((await replica.get('/healthz')).status).toBe(200);
    expect(cluster.writes()).toEqual([]);
    await replica.stop();
    expect(cluster.writes()).toEqual([]);
  });

  test('stands by with warm caches, and takes over at once when the leader stops', async () => {
    const first = await start('one');
    await eventually(() => cluster.get('nodehosts', 'a') !== undefined);
    const second = await start('two');
    await eventually(() => cluster.watches('nodes') === 2);
    await eventually(() => cluster.watches('leases') === 1);
    expect((await second.get('/readyz')).status).toBe(200);
    const { text } = await second.get('/metrics');
    expect(text).toContain('lockkeeper_leader 0');
    expect(text).not.toContain('lockkeeper_node_phase{');
    await first.stop();
    await eventually(() => holder() === 'two');
    putNode(cluster, 'b');
    await eventually(() => cluster.get('nodehosts', 'b') !== undefined);
    expect(first.said('the caches are filled: deciding')).toBe(true);
  });

  test('stops deciding when the lease is another’s, and shows nodes no more', async () => {
    const replica = await start('one');
    await eventually(() => cluster.get('nodehosts', 'a') !== undefined);
    cluster.patch('leases', 'lockkeeper', { spec: { holderIdentity: 'other' } }, 'lockkeeper');
    await eventually(() => replica.said('all work of the term has ended'));
    const { text } = await replica.get('/metrics');
    expect(text).toContain('lockkeeper_leader 0');
    expect(text).not.toContain('lockkeeper_node_phase{');
    const writes = cluster.writes().length;
    putNode(cluster, 'b');
    expect((await replica.get('/readyz')).status).toBe(200);
    expect((await replica.get('/healthz')).status).toBe(200);
    expect(cluster.writes()).toHaveLength(writes);
  });

  test('that is stopped before it began ends', async () => {
    await run(configOf('one'), recordingLogger(), AbortSignal.abort(new Error('stopped')));
    expect(cluster.writes()).toEqual([]);
  });
});

describe('what cannot be run is said by a rejection', () => {
  test('an address that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(
      run(configOf('one', { listen: { host: '127.0.0.1', port } }), recordingLogger(), AbortSignal.timeout(10_000)),
    ).rejects.toThrow(/EADDRINUSE/);
    await new Promise((resolve) => taken.close(resolve));
  });

  test('a kubeconfig that is not there', async () => {
    const config = configOf('one', { kubeconfig: join(folder, 'none') });
    await expect(run(config, recordingLogger(), AbortSignal.timeout(10_000))).rejects.toThrow(/cannot read the kubeconfig/);
  });
});

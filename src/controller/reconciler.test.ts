import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ON_NODE } from '../api/names.ts';
import type { Self } from '../cluster/gather.ts';
import type { Decision } from '../core/command.ts';
import { aClaim, ago, aRecord, MINUTE, NEW, NOW, OLD, proof } from '../core/testing/builders.ts';
import { NotLeadingError } from '../kube/elector.ts';
import { eventually, FakeClock, settle } from '../kube/testing/fake-clock.ts';
import { Announcer } from './announcer.ts';
import { Applier } from './apply.ts';
import { Checks } from './checks.ts';
import { Drainer } from './drainer.ts';
import { HookJobs } from './hook-jobs.ts';
import { PodViews } from './pod-views.ts';
import { Reconciler } from './reconciler.ts';
import { type ClusterBed, clusterBed } from './testing/bed.ts';
import type { Stored } from './testing/fake-cluster.ts';
import { osImage, putGuard, putHost, putNode, putOwnPod, putPod, putPolicy, putUpdate } from './testing/objects.ts';
import { ProgressThrottle } from './throttle.ts';

let bed: ClusterBed;
let clock: FakeClock;
let now: number;
let leading: boolean;
let decisions: Decision[];
let handedOver: number;
let events: string[];
let hasNews: () => boolean;
let phasesChanged: (node: string) => void;
const signal = AbortSignal.timeout(120_000);
const running: Reconciler[] = [];

beforeEach(async () => {
  bed = await clusterBed();
  clock = new FakeClock();
  now = NOW;
  leading = true;
  decisions = [];
  handedOver = 0;
  events = [];
  hasNews = () => false;
  phasesChanged = () => {};
  putGuard(bed.cluster);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((reconciler) => reconciler.stop()));
  await bed.close();
});

function reconcilerOf(self?: Self): Reconciler {
  const { deps, reflectors, client, logger } = bed;
  const assertLeading = (): void => {
    if (!leading) throw new NotLeadingError();
  };
  const podViews = new PodViews(deps, () => {});
  const hookJobs = new HookJobs(deps, () => {});
  const reconciler = new Reconciler({
    reflectors,
    podViews,
    hookJobs,
    checks: new Checks({ client, clock, random: () => 0, now: () => now, intervalMs: MINUTE, changed: () => {} }),
    drainer: new Drainer({
      ...deps,
      budgets: () => [...reflectors.budgets.items.values()],
      webhooks: async () => [],
      assertLeading,
      changed: () => {},
    }),
    applier: new Applier({ client, reflectors, podViews, hookJobs, logger, assertLeading, clock, hasNews: () => hasNews() }),
    announcer: new Announcer({ record: ({ about, reason }) => events.push(`${about.kind} ${reason}`) > 0 }, logger, ({ node }) => {
      phasesChanged(node.name);
    }),
    throttle: new ProgressThrottle(),
    self,
    retry: { baseMs: MINUTE, maxMs: 10 * MINUTE },
    kubernetes: () => undefined,
    hookNamespaces: ['db'],
    prometheusHosts: [],
    now: () => now,
    clock,
    logger,
    handOver: () => {
      handedOver += 1;
    },
    onDecision: (_world, decision) => decisions.push(decision),
  });
  running.push(reconciler);
  return reconciler;
}

/** Waits until the caches show what is there. */
async function caughtUp(): Promise<void> {
  const { nodes, policies, nodeUpdates, nodeHosts } = bed.reflectors;
  const pairs = [
    ['nodes', nodes],
    ['updatepolicies', policies],
    ['nodeupdates', nodeUpdates],
    ['nodehosts', nodeHosts],
  ] as const;
  await eventually(() =>
    pairs.every(
      ([collection, { items }]) =>
        items.size === bed.cluster.all(collection).length &&
        bed.cluster.all(collection).every(({ metadata }) => items.get(metadata.name)?.resourceVersion === metadata.resourceVersion),
    ),
  );
}

/** Agents and kubelets of the whole cluster, that do at once what they are asked. */
function hosts(): void {
  bed.cluster.onWrite = (collection, object, { path }) => {
    if (collection !== 'nodehosts' || path.endsWith('/status')) return;
    const { name } = object.metadata;
    const { order } = object['spec'] as { order?: { id: string; action: string; version: string } };
    const status = object['status'] as { version?: string; answer?: { id: string } } | undefined;
    if (status?.version === undefined)
      bed.cluster.patch('nodehosts', name, { status: { version: OLD, bootID: 'boot-1', available: [NEW, OLD] } });
    if (order === undefined || status?.answer?.id === order.id) return;
    const answer = { id: order.id, startedAt: ago(0), state: order.action === 'Reboot' ? 'RebootAsked' : 'Done' };
    bed.cluster.patch('nodehosts', name, { status: { answer, ...(order.action === 'Stage' && { staged: proof(order.version) }) } });
    if (order.action === 'Reboot')
      bed.cluster.patch('nodes', name, { status: { nodeInfo: { bootID: 'boot-2', osImage: osImage(order.version) } } });
  };
}

const node = (name: string) => bed.cluster.get('nodes', name) as Stored & { spec: { unschedulable?: boolean } };
const versionOf = (name: string) => (node(name)['status'] as { nodeInfo: { osImage: string } }).nodeInfo.osImage;
const phaseOf = (name: string) => (bed.cluster.get('nodeupdates', name)?.['status'] as { phase?: string } | undefined)?.phase;

/** A node whose update is under way: cordoned, claimed, being drained until `deadline`. */
function draining(name: string, deadline: string): void {
  const record = aRecord(name, { drainDeadline: deadline, policyUID: 'uid-default' });
  const stored = putNode(bed.cluster, name, {
    metadata: { annotations: { [ON_NODE.cordon]: JSON.stringify(record) } },
    spec: { unschedulable: true },
  });
  putUpdate(bed.cluster, stored, {
    policy: 'default',
    phase: 'Draining',
    claim: record.claim,
    since: ago(0),
    reason: 'Draining',
    message: 'x',
  });
  putHost(bed.cluster, stored, { staged: proof() });
  putPolicy(bed.cluster, 'default', {}, { uid: 'uid-default' });
  bed.cluster.patch('updatepolicies', 'default', { status: { claims: [aClaim(name)] } });
}

describe('passes', () => {
  test('take a node through its whole life, and then rest', async () => {
    hosts();
    putPolicy(bed.cluster, 'default', { rollout: { minReadySeconds: 0 } });
    for (const name of ['a', 'b', 'c']) {
      putNode(bed.cluster, name);
      putPod(bed.cluster, `web-${name}`, name);
    }
    await bed.watch();
    const reconciler = reconcilerOf();
    let most = 0;
    for (let passes = 0; ['a', 'b', 'c'].some((name) => phaseOf(name) !== 'Idle' || versionOf(name) !== osImage(NEW)); passes += 1) {
      expect(passes).toBeLessThan(2_000);
      await reconciler.pass(signal);
      await settle();
      await caughtUp();
      most = Math.max(most, ['a', 'b', 'c'].filter((name) => node(name).spec.unschedulable).length);
    }
    expect(most).toBe(1);
    // The last counts are mere progress.
    now += 5_000;
    await reconciler.pass(signal);
    await caughtUp();

    const writes = bed.cluster.writes();
    const first = (what: string) => writes.indexOf(what);
    const cordons = bed.cluster.bodies('PATCH nodes/a');
    expect(cordons.map(({ spec }) => spec)).toEqual([{ unschedulable: true }, { unschedulable: null }]);
    expect(first('PATCH updatepolicies/default/status')).toBeLessThan(first('PATCH nodes/a'));
    expect(first('PATCH nodes/a')).toBeLessThan(first('POST pods/web-a/eviction'));
    for (const body of bed.cluster.asked.filter(({ method }) => method === 'PATCH').map((asked) => asked.body))
      expect(body.metadata.resourceVersion).toMatch(/^\d+$/);
    for (const name of ['a', 'b', 'c']) {
      expect(node(name).spec).toEqual({ providerID: `host-${name}` });
      expect(Object.keys(node(name).metadata['annotations'] as object).sort()).toEqual(['example.com/theirs', ON_NODE.fence].sort());
    }
    expect(bed.cluster.get('updatepolicies', 'default')).toMatchObject({ status: { claims: [], summary: '3/3 up to date' } });
    expect(events.filter((event) => event === 'Node Draining')).toHaveLength(3);

    const before = bed.cluster.asked.length;
    decisions.length = 0;
    expect(await reconciler.pass(signal)).toEqual({ requeueAfterMs: 3_600_000 });
    expect(bed.cluster.asked.slice(before).filter(({ method }) => method !== 'GET')).toEqual([]);
    expect(decisions).toHaveLength(1);
    const trail = bed.logger.lines.filter(({ level }) => level === 'info').map(({ fields }) => fields as Record<string, unknown>);
    const about = trail.filter((line) => line['node'] === 'a' && line['action'] !== 'Phase').map((line) => line['action']);
    expect(about).toEqual(['CreateObjects', 'Order', 'Claim', 'Cordon', 'Evict', 'OrderReboot', 'Uncordon', 'DropClaim']);
    expect(bed.logger.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  test('write a part of what is to be written where news keep coming, announce no more than that, and leave nobody out', async () => {
    const names = Array.from({ length: 150 }, (_, index) => `node-${index}`);
    putPolicy(bed.cluster);
    for (const name of names) putNode(bed.cluster, name, { metadata: { labels: {} } });
    await bed.watch();
    const reconciler = reconcilerOf();
    hasNews = () => true;
    bed.cluster.onWrite = () => clock.freeze(500);
    const announced = new Map<string, boolean>();
    phasesChanged = (name) => announced.set(name, bed.cluster.get('nodehosts', name) !== undefined);
    const reported = (): number => names.filter((name) => phaseOf(name) !== undefined).length;
    const made = (): number => names.filter((name) => bed.cluster.get('nodehosts', name) !== undefined).length;
    const seen: [number, number][] = [];
    for (let passes = 0; reported() < names.length; passes += 1) {
      expect(passes).toBeLessThan(12);
      const { requeueAfterMs } = await reconciler.pass(signal);
      if (reported() < names.length) expect(requeueAfterMs).toBe(1);
      seen.push([made(), reported()]);
      await caughtUp();
    }
    expect(seen).toEqual([16, 32, 48, 64, 80, 96, 112, 128, 144, 150].map((count) => [150, count]));
    expect(decisions.length).toBeGreaterThan(3);
    expect(announced).toEqual(new Map(names.map((name) => [name, true])));
  });

  test('end, even where every round finds something to do', async () => {
    putPolicy(bed.cluster);
    putNode(bed.cluster, 'a', { metadata: { labels: {} } });
    // Somebody takes the label away each time.
    bed.cluster.onWrite = (collection, { metadata }) => {
      if (collection === 'nodes')
        bed.reflectors.nodes.observe(
          bed.cluster.patch('nodes', metadata.name, { metadata: { labels: { 'lockkeeper.dev/managed': null } } }),
        );
    };
    await bed.watch();
    // The answer to our own write comes after theirs: what is known is the newer of both.
    const { requeueAfterMs } = await reconcilerOf().pass(signal);
    expect(bed.cluster.bodies('PATCH nodes/a').length).toBeLessThanOrEqual(13);
    expect(requeueAfterMs).toBeLessThanOrEqual(1_000);
    expect(requeueAfterMs).toBeGreaterThan(100);
  });

  test('leave alone a node whose write was refused, for the rest of the pass and a backoff, and do all others', async () => {
    putPolicy(bed.cluster);
    for (const name of ['a', 'b']) putNode(bed.cluster, name, { metadata: { labels: {} } });
    bed.cluster.fault = ({ method, path }) =>
      method === 'PATCH' && path.endsWith('/nodes/a') ? { status: 422, message: 'no' } : undefined;
    await bed.watch();
    const reconciler = reconcilerOf();
    expect(await reconciler.pass(signal)).toEqual({ requeueAfterMs: 1_000 });
    const tries = () => bed.cluster.bodies('PATCH nodes/a').length;
    expect(tries()).toBe(1);
    await caughtUp();
    expect(node('b').metadata['labels']).toMatchObject({ 'lockkeeper.dev/managed': 'true' });
    clock.advance(999);
    await reconciler.pass(signal);
    expect(tries()).toBe(1);
    clock.advance(1);
    expect(await reconciler.pass(signal)).toEqual({ requeueAfterMs: 1_000 });
    expect(tries()).toBe(2);
    bed.cluster.fault = () => undefined;
    clock.advance(2_000);
    await reconciler.pass(signal);
    expect(tries()).toBe(3);
    expect(bed.logger.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
      expect.objectContaining({ name: 'a', failed: 1 }),
      expect.objectContaining({ name: 'a', failed: 1 }),
    ]);
  });

  test('decide anew where the world has moved on, without a word', async () => {
    putPolicy(bed.cluster);
    putNode(bed.cluster, 'a', { metadata: { labels: {} } });
    await bed.watch();
    const reconciler = reconcilerOf();
    let moved = false;
    bed.cluster.fault = ({ method, path }) => {
      if (method === 'PATCH' && path.endsWith('/nodes/a') && !moved) {
        moved = true;
        bed.cluster.patch('nodes', 'a', { metadata: { annotations: { 'example.com/theirs': 'new' } } });
      }
      return undefined;
    };
    expect(await reconciler.pass(signal)).toEqual({ requeueAfterMs: 1_000 });
    expect(node('a').metadata['labels']).toEqual({});
    await caughtUp();
    await reconciler.pass(signal);
    expect(node('a').metadata).toMatchObject({
      labels: { 'lockkeeper.dev/managed': 'true' },
      annotations: { 'example.com/theirs': 'new' },
    });
    expect(bed.logger.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  test('wake when a deadline comes', async () => {
    draining('a', ago(-10 * MINUTE));
    putPod(bed.cluster, 'stuck', 'a');
    bed.cluster.fault = ({ path }) => (path.endsWith('/eviction') ? { status: 429 } : undefined);
    await bed.watch();
    const reconciler = reconcilerOf();
    await reconciler.pass(signal);
    await eventually(() => bed.cluster.watches('pods') > 1);
    // Mere progress is due after 5 s; later passes have nothing to write.
    for (let passes = 0; passes < 3; passes += 1) {
      now += 5_000;
      await reconciler.pass(signal);
      await caughtUp();
    }
    expect(await reconciler.pass(signal)).toEqual({ requeueAfterMs: 10 * MINUTE - 15_000 });
  });

  test('do not spin where a deadline has passed and nothing can be done', async () => {
    draining('a', ago(MINUTE));
    bed.cluster.fault = ({ path, query }) => (path === '/api/v1/pods' && query.has('fieldSelector') ? 'hang' : undefined);
    await bed.watch();
    const reconciler = reconcilerOf();
    await reconciler.pass(signal);
    await caughtUp();
    expect(await reconciler.pass(signal)).toEqual({ requeueAfterMs: 1_000 });
  });

  test('drain what the decision says, with the versions for the audit trail, and nothing after they are stopped', async () => {
    draining('a', ago(-10 * MINUTE));
    putPod(bed.cluster, 'web', 'a');
    await bed.watch();
    const reconciler = reconcilerOf();
    await reconciler.pass(signal);
    await eventually(() => decisions.length > 0 && bed.cluster.watches('pods') > 1);
    await eventually(() => bed.cluster.asked.some(({ query }) => query.get('fieldSelector') === 'spec.nodeName=a' && query.has('watch')));
    await reconciler.pass(signal);
    await eventually(() => bed.cluster.get('pods', 'web', 'shop') === undefined);
    await eventually(() => bed.logger.lines.some(({ message }) => message === 'evicted'));
    expect(bed.logger.lines.find(({ message }) => message === 'evicted')!.fields).toMatchObject({
      node: 'a',
      policy: 'default',
      from: OLD,
      to: NEW,
    });
    await reconciler.stop();
    await eventually(() => bed.cluster.watches('pods') === 1);
  });

  test('end with the term, and with the signal', async () => {
    putPolicy(bed.cluster);
    putNode(bed.cluster, 'a');
    await bed.watch();
    leading = false;
    await expect(reconcilerOf().pass(signal)).rejects.toBeInstanceOf(NotLeadingError);
    expect(bed.cluster.writes()).toEqual([]);
    leading = true;
    const stop = new AbortController();
    bed.cluster.fault = ({ method }) => {
      if (method === 'GET') return undefined;
      stop.abort(new Error('stopped'));
      return 'hang';
    };
    await expect(reconcilerOf().pass(stop.signal)).rejects.toThrow('stopped');
  });
});

describe('the leader’s own node', () => {
  /** The controller on `a`, which alone is outdated; a standby on `b`. */
  async function ownNodeLast(): Promise<Reconciler> {
    putPolicy(bed.cluster);
    const own = putNode(bed.cluster, 'a');
    putUpdate(bed.cluster, own);
    putHost(bed.cluster, own, { staged: proof() });
    const other = putNode(bed.cluster, 'b', { version: NEW });
    putUpdate(bed.cluster, other);
    putHost(bed.cluster, other, { version: NEW, available: [NEW] });
    for (const name of ['a', 'b']) {
      putOwnPod(bed.cluster, `agent-${name}`, 'agent', name);
      putOwnPod(bed.cluster, `lockkeeper-${name}`, 'controller', name);
    }
    await bed.watch();
    return reconcilerOf({ namespace: 'lockkeeper', pod: 'lockkeeper-a', node: 'a' });
  }

  test('is handed over to a standby before it goes', async () => {
    const reconciler = await ownNodeLast();
    await reconciler.pass(signal);
    expect(handedOver).toBeGreaterThan(0);
    expect(bed.cluster.get('updatepolicies', 'default')).toMatchObject({ status: { claims: [] } });
    expect(node('a').spec.unschedulable).toBeUndefined();
  });

  test('is not handed over by a pass whose writes failed', async () => {
    const reconciler = await ownNodeLast();
    bed.cluster.fault = ({ method }) => (method === 'PATCH' ? { status: 500 } : undefined);
    await reconciler.pass(signal);
    expect(handedOver).toBe(0);
  });
});

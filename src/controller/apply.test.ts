import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ON_NODE } from '../api/names.ts';
import type { Claim } from '../api/update-policy.ts';
import { nodeHostOf, nodeOf, nodeUpdateOf, policyOf } from '../cluster/views.ts';
import type { Command, NodeDecision, PolicyDecision } from '../core/command.ts';
import { aClaim, aDrainContext, aRecord, aWorld, NEW, OLD } from '../core/testing/builders.ts';
import type { World } from '../core/world.ts';
import { NotLeadingError } from '../kube/elector.ts';
import { Applier, policyKey } from './apply.ts';
import { HookJobs } from './hook-jobs.ts';
import { PodViews } from './pod-views.ts';
import { type ClusterBed, clusterBed } from './testing/bed.ts';
import type { Asked } from './testing/fake-cluster.ts';
import { putHost, putNode, putPolicy, putUpdate } from './testing/objects.ts';

let bed: ClusterBed;
let leading: boolean;
let hasNews: boolean;
/** Each write lasts for half a second. */
let elapsed: number;
let stop: AbortController;
beforeEach(async () => {
  leading = true;
  hasNews = false;
  elapsed = 0;
  stop = new AbortController();
  bed = await clusterBed();
  bed.cluster.onWrite = () => {
    elapsed += 500;
  };
});
afterEach(() => bed.close());

function applier(): Applier {
  const { deps, reflectors, client, logger } = bed;
  const assertLeading = (): void => {
    if (!leading) throw new NotLeadingError();
  };
  const hookJobs = new HookJobs(deps, () => {});
  return new Applier({
    client,
    reflectors,
    podViews: new PodViews(deps, () => {}),
    hookJobs,
    logger,
    assertLeading,
    clock: { monotonic: () => elapsed },
    hasNews: () => hasNews,
  });
}

/** Nodes of these names with all their objects, and a policy. */
function cluster(...names: string[]): World {
  for (const name of names) {
    const node = putNode(bed.cluster, name);
    putUpdate(bed.cluster, node, { phase: 'Staged', from: OLD, target: NEW });
    putHost(bed.cluster, node);
  }
  putPolicy(bed.cluster);
  return seen();
}

/** The world as caches show it now. */
function seen(): World {
  const byName = (collection: string, name: string) => bed.cluster.get(collection, name);
  return aWorld({
    policies: bed.cluster.all('updatepolicies').map(policyOf),
    nodes: bed.cluster.all('nodes').map((raw) => {
      const { name } = raw.metadata;
      const update = byName('nodeupdates', name);
      const host = byName('nodehosts', name);
      return {
        ...nodeOf(raw),
        agent: 'ready' as const,
        ...(update && { update: nodeUpdateOf(update) }),
        ...(host && { host: nodeHostOf(host) }),
      };
    }),
  });
}

const nodeDecision = (node: string, commands: readonly Command[], status: NodeDecision['status'] = {}): NodeDecision => ({
  node,
  commands,
  status: { policy: 'default', phase: 'Draining', reason: 'Draining', message: 'why', from: OLD, target: NEW, ...status },
});

const claimsOf = (...claims: Claim[]): PolicyDecision => ({ policy: 'default', claims, status: { claims } });
const cordon = (name: string): Command => ({ type: 'Cordon', record: aRecord(name), annotations: {}, labels: {} });
const NOBODY: ReadonlySet<string> = new Set();

const logged = (level = 'info') => bed.logger.lines.filter((line) => line.level === level).map(({ fields }) => fields);

describe('act', () => {
  test('writes the claims before any node is touched, under the resourceVersion that was seen', async () => {
    const world = cluster('a', 'b');
    const { resourceVersion } = world.policies[0]!;
    const nodes = [nodeDecision('a', [cordon('a')]), nodeDecision('b', [cordon('b')])];
    const applied = await applier().act(world, [claimsOf(aClaim('a'), aClaim('b'))], nodes, NOBODY, stop.signal);
    expect(applied).toEqual({ done: 3, failed: new Set(), refused: new Map(), left: new Set() });
    const [first, ...rest] = bed.cluster.writes();
    expect(first).toBe('PATCH updatepolicies/default/status');
    expect(rest.sort()).toEqual(['PATCH nodes/a', 'PATCH nodes/b']);
    expect(bed.cluster.bodies('PATCH updatepolicies/default/status')).toEqual([
      { metadata: { resourceVersion }, status: { claims: [aClaim('a'), aClaim('b')] } },
    ]);
    expect(bed.reflectors.policies.items.get('default')?.status.claims).toHaveLength(2);
  });

  test('does not begin with nodes while the claims are under way', async () => {
    const world = cluster('a');
    const held = Promise.withResolvers<void>();
    const mergePatch = bed.client.mergePatch.bind(bed.client);
    bed.client.mergePatch = async <T>(path: string, patch: unknown, options?: object): Promise<T> => {
      if (path.includes('updatepolicies')) await held.promise;
      return mergePatch<T>(path, patch, options);
    };
    const acting = applier().act(world, [claimsOf(aClaim('a'))], [nodeDecision('a', [cordon('a')])], NOBODY, stop.signal);
    expect(bed.cluster.writes()).toEqual([]);
    held.resolve();
    await acting;
    expect(bed.cluster.writes()).toEqual(['PATCH updatepolicies/default/status', 'PATCH nodes/a']);
  });

  test('is refused where another has written the claims since', async () => {
    const world = cluster('a');
    bed.cluster.patch('updatepolicies', 'default', { status: { claims: [aClaim('b')] } });
    const applied = await applier().act(world, [claimsOf(aClaim('a'))], [], NOBODY, stop.signal);
    expect(applied).toEqual({ done: 0, failed: new Set([policyKey('default')]), refused: new Map(), left: new Set() });
    expect(bed.cluster.get('updatepolicies', 'default')).toMatchObject({ status: { claims: [aClaim('b')] } });
    expect(logged()).toEqual([]);
  });

  test('goes on with other nodes where one fails, and ends that one’s commands there', async () => {
    const world = cluster('a', 'b', 'c');
    bed.cluster.patch('nodes', 'a', { metadata: { labels: { x: 'y' } } });
    bed.cluster.fault = ({ path, method }: Asked) =>
      method === 'PATCH' && path.endsWith('/nodes/b') ? { status: 422, message: 'no' } : undefined;
    const order: Command = { type: 'Order', order: { id: 'o', action: 'Cancel' } };
    const nodes = ['a', 'b', 'c'].map((name) => nodeDecision(name, [order, cordon(name), { type: 'Fence', claim: 'x' }]));
    const applied = await applier().act(world, [], nodes, NOBODY, stop.signal);
    expect(applied.done).toBe(5);
    expect(applied.failed).toEqual(new Set(['a', 'b']));
    expect([...applied.refused.keys()]).toEqual(['b']);
    expect(bed.cluster.writes().filter((write) => write === 'PATCH nodes/c')).toHaveLength(2);
    expect(bed.cluster.writes().filter((write) => write === 'PATCH nodes/a')).toHaveLength(1);
    expect(logged('warn')).toEqual([]);
  });

  test('leaves alone whom it is told to skip; a policy is no node of its name', async () => {
    cluster('default', 'b');
    const decisions = [nodeDecision('default', [cordon('default')]), nodeDecision('b', [cordon('b')])];
    await applier().act(seen(), [claimsOf(aClaim('b'))], decisions, new Set(['default']), stop.signal);
    expect(bed.cluster.writes()).toEqual(['PATCH updatepolicies/default/status', 'PATCH nodes/b']);
    bed.cluster.asked.length = 0;
    await applier().act(seen(), [claimsOf()], decisions, new Set([policyKey('default'), 'b']), stop.signal);
    expect(bed.cluster.writes()).toEqual(['PATCH nodes/default']);
  });

  test('counts no write where nothing had to be written', async () => {
    const world = cluster('a');
    const nodes = [nodeDecision('a', [{ type: 'WriteStatus', status: world.nodes[0]!.update!.status }])];
    expect((await applier().act(world, [], nodes, NOBODY, stop.signal)).done).toBe(0);
  });

  test('passes by a node or a policy that is no longer there', async () => {
    const world = cluster('a');
    const gone = { ...claimsOf(), policy: 'gone' };
    const applied = await applier().act(world, [gone], [nodeDecision('gone', [cordon('gone')])], NOBODY, stop.signal);
    expect(applied.failed).toEqual(new Set([policyKey('gone')]));
    expect(bed.cluster.writes()).toEqual([]);
  });

  test('ends at once where the term is over, and calls nobody failed', async () => {
    const world = cluster('a', 'b');
    bed.cluster.onWrite = () => {
      leading = false;
    };
    const nodes = [nodeDecision('a', [cordon('a')]), nodeDecision('b', [cordon('b')])];
    await expect(applier().act(world, [claimsOf(aClaim('a'))], nodes, NOBODY, stop.signal)).rejects.toBeInstanceOf(NotLeadingError);
    expect(bed.cluster.writes()).toEqual(['PATCH updatepolicies/default/status']);
  });

  test('ends at once where the signal is aborted, with a request under way', async () => {
    const world = cluster('a');
    bed.cluster.fault = () => {
      stop.abort(new Error('stopped'));
      return 'hang';
    };
    const nodes = [nodeDecision('a', [cordon('a'), { type: 'Fence', claim: 'x' }])];
    await expect(applier().act(world, [], nodes, NOBODY, stop.signal)).rejects.toThrow('stopped');
    expect(bed.cluster.writes()).toHaveLength(1);
  });

  test('works on no more than 16 nodes at a time', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
    const world = cluster(...names);
    let open = 0;
    let most = 0;
    const mergePatch = bed.client.mergePatch.bind(bed.client);
    bed.client.mergePatch = async <T>(path: string, patch: unknown, options?: object): Promise<T> => {
      open += 1;
      most = Math.max(most, open);
      try {
        return await mergePatch<T>(path, patch, options);
      } finally {
        open -= 1;
      }
    };
    const nodes = names.map((name) => nodeDecision(name, [cordon(name)]));
    expect((await applier().act(world, [], nodes, NOBODY, stop.signal)).done).toBe(40);
    expect(most).toBe(16);
  });
});

describe('news of a node', () => {
  const many = Array.from({ length: 78 }, (_, index) => `node-${index}`);
  const inFlight = ['node-75', 'node-77'];

  test('let others wait that are not in flight', async () => {
    cluster(...many);
    for (const name of inFlight)
      bed.cluster.patch('nodes', name, { metadata: { annotations: { [ON_NODE.cordon]: JSON.stringify(aRecord(name)) } } });
    const fence = (name: string): Command => ({ type: 'Fence', claim: `claim-${name}` });
    const nodes = many.map((name) => nodeDecision(name, [fence(name), fence(name)]));
    hasNews = true;
    const { left, done, failed } = await applier().act(seen(), [], nodes, NOBODY, stop.signal);
    // Each of those that were begun has all its commands carried out.
    expect({ left: left.size, done, failed: failed.size }).toEqual({ left: 62, done: 32, failed: 0 });
    for (const name of many) {
      const writes = bed.cluster.writes().filter((write) => write === `PATCH nodes/${name}`);
      expect(writes).toHaveLength(left.has(name) ? 0 : 2);
    }
    expect(inFlight.filter((name) => left.has(name))).toEqual([]);
  });

  test('let statuses of others wait, but no policy’s', async () => {
    const world = cluster(...many);
    hasNews = true;
    const policies = [{ policy: 'default', status: { summary: 'all is well' } }];
    const nodes = many.map((name) => nodeDecision(name, []));
    const { left, done } = await applier().report(world, policies, nodes, NOBODY, stop.signal);
    expect({ left: left.size, done }).toEqual({ left: 62, done: 17 });
    expect(bed.cluster.writes().at(-1)).toBe('PATCH updatepolicies/default/status');
  });

  test('are needed for that: without any all is written at once, however long it lasts', async () => {
    const world = cluster(...many);
    const nodes = many.map((name) => nodeDecision(name, []));
    expect(await applier().report(world, [], nodes, NOBODY, stop.signal)).toMatchObject({ done: 78, left: new Set() });
  });
});

describe('the audit trail', () => {
  test('says for every action which node, by which policy and claim, from where to where, and why', async () => {
    const world = cluster('a');
    bed.cluster.patch('updatepolicies', 'default', { status: { claims: [aClaim('b', { id: 'old' })] } });
    const landed = { phase: 'Idle', from: NEW, target: NEW, reason: 'UpToDate', message: 'runs it', claim: undefined } as const;
    const nodes = [
      nodeDecision('a', [cordon('a'), { type: 'WriteStatus', status: {} }, { type: 'Uncordon', record: aRecord('a') }], landed as never),
    ];
    await applier().act({ ...seen(), nodes: world.nodes }, [claimsOf(aClaim('a'))], nodes, NOBODY, stop.signal);
    const record = { claim: 'claim-a', from: OLD, to: NEW };
    expect(logged()).toEqual([
      { action: 'Claim', node: 'a', policy: 'default', claim: 'claim-a', from: NEW, to: NEW, reason: 'UpToDate', why: 'runs it' },
      {
        action: 'DropClaim',
        node: 'b',
        policy: 'default',
        claim: 'old',
        from: undefined,
        to: undefined,
        reason: undefined,
        why: 'the node is gone',
      },
      { action: 'Cordon', node: 'a', policy: 'default', ...record, reason: 'UpToDate', why: 'runs it' },
      { action: 'Uncordon', node: 'a', policy: 'default', ...record, reason: 'UpToDate', why: 'runs it' },
    ]);
  });

  test('names orders', async () => {
    const world = cluster('a');
    const stage: Command = { type: 'Order', order: { id: 'stage-1', action: 'Stage', version: '1.27.0' } };
    const reboot: Command = {
      type: 'OrderReboot',
      order: { id: 'claim-a.reboot', action: 'Reboot', version: NEW, bootID: 'boot-1' },
      record: aRecord('a'),
      context: aDrainContext(),
      status: { phase: 'Rebooting' },
    };
    await applier().act(
      world,
      [],
      [nodeDecision('a', [stage, reboot, { type: 'CordonAgain' }, { type: 'Fence', claim: 'f' }])],
      NOBODY,
      stop.signal,
    );
    expect(logged()).toMatchObject([
      { action: 'Order', order: 'Stage', orderID: 'stage-1', from: OLD, to: '1.27.0' },
      { action: 'OrderReboot', order: 'Reboot', orderID: 'claim-a.reboot', bootID: 'boot-1', claim: 'claim-a', from: OLD, to: NEW },
      { action: 'CordonAgain', from: OLD, to: NEW },
      { action: 'Fence', claim: 'f' },
    ]);
  });
});

describe('report', () => {
  test('writes what differs, policies last, and passes by nodes without a NodeUpdate', async () => {
    const world = cluster('a', 'b', 'c');
    const nodes = [nodeDecision('a', []), { ...nodeDecision('b', []), status: world.nodes[1]!.update!.status }, nodeDecision('c', [])];
    const withoutUpdate = {
      ...world,
      nodes: world.nodes.map((node) => (node.name === 'c' ? (({ update: _, ...rest }) => rest)(node) : node)),
    };
    const policies = [{ policy: 'default', status: { summary: 'all is well' } }];
    const applied = await applier().report(withoutUpdate, policies, nodes, NOBODY, stop.signal);
    expect(applied).toEqual({ done: 2, failed: new Set(), refused: new Map(), left: new Set() });
    expect(bed.cluster.writes()).toEqual(['PATCH nodeupdates/a/status', 'PATCH updatepolicies/default/status']);
  });

  test('leaves alone whom it is told to skip, and goes on where one fails', async () => {
    const world = cluster('a', 'b', 'c');
    bed.cluster.patch('nodeupdates', 'a', { metadata: { annotations: { x: 'y' } } });
    const nodes = ['a', 'b', 'c'].map((name) => nodeDecision(name, []));
    const applied = await applier().report(world, [{ policy: 'default', status: { summary: 'x' } }], nodes, new Set(['b']), stop.signal);
    expect(applied.failed).toEqual(new Set(['a']));
    expect(bed.cluster.writes().filter((write) => write.includes('/b/'))).toEqual([]);
    expect(bed.cluster.get('nodeupdates', 'c')).toMatchObject({ status: { phase: 'Draining' } });
  });
});

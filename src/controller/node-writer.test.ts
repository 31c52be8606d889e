import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KEEP_NODE_ANNOTATIONS, MANAGED_LABEL, ON_NODE, OUTDATED_TAINT } from '../api/names.ts';
import type { Order } from '../api/node-host.ts';
import { nodeHostOf, nodeOf, nodeUpdateOf } from '../cluster/views.ts';
import type { Command, HookRun } from '../core/command.ts';
import { aDrainContext, aRecord, NEW } from '../core/testing/builders.ts';
import type { NodeView } from '../core/world.ts';
import { NotLeadingError } from '../kube/elector.ts';
import { isConflict } from '../kube/errors.ts';
import { HookJobs } from './hook-jobs.ts';
import { NodeWriter, StaleDecisionError } from './node-writer.ts';
import { PodViews } from './pod-views.ts';
import { type ClusterBed, clusterBed } from './testing/bed.ts';
import { putHost, putNode, putPod, putUpdate } from './testing/objects.ts';

let bed: ClusterBed;
let leading: boolean;
let hookJobs: HookJobs;
beforeEach(async () => {
  leading = true;
  bed = await clusterBed();
});
afterEach(async () => {
  await hookJobs?.stop();
  await bed.close();
});

/** The node `a` as the caches show it now. */
function seen(): NodeView {
  const update = bed.cluster.get('nodeupdates', 'a');
  const host = bed.cluster.get('nodehosts', 'a');
  return {
    ...nodeOf(bed.cluster.get('nodes', 'a')),
    ...(update && { update: nodeUpdateOf(update) }),
    ...(host && { host: nodeHostOf(host) }),
    agent: 'ready',
  };
}

function writerOf(node: NodeView): NodeWriter {
  const { deps, reflectors, client, logger } = bed;
  const assertLeading = (): void => {
    if (!leading) throw new NotLeadingError();
  };
  const podViews = new PodViews(deps, () => {});
  hookJobs = new HookJobs(deps, () => {});
  return new NodeWriter({ client, reflectors, podViews, hookJobs, logger, assertLeading }, node, AbortSignal.timeout(30_000));
}

/** A writer for the node `a`, which has all its objects. */
function settled(spec: object = {}): NodeWriter {
  const node = putNode(bed.cluster, 'a', { spec });
  putUpdate(bed.cluster, node, { phase: 'Staged' });
  putHost(bed.cluster, node);
  return writerOf(seen());
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

const order: Order = { id: 'claim-a.reboot', action: 'Reboot', version: NEW, bootID: 'boot-1' };
const context = aDrainContext({ daemonSets: new Set(['shop/cni']) });
const orderReboot = { type: 'OrderReboot', order, record: aRecord('a'), context, status: { phase: 'Rebooting' } } satisfies Command;

describe('each command is one write under the resourceVersion that was seen', () => {
  test.each<[Command, string, object]>([
    [{ type: 'WriteStatus', status: { phase: 'Draining' } }, 'PATCH nodeupdates/a/status', { status: { phase: 'Draining' } }],
    [{ type: 'LabelManaged' }, 'PATCH nodes/a', { metadata: { labels: { [MANAGED_LABEL]: 'true' } } }],
    [
      { type: 'SetRefresh', refresh: { refreshInterval: '5m', ignoreWaves: false } },
      'PATCH nodehosts/a',
      { spec: { refreshInterval: '5m', ignoreWaves: false } },
    ],
    [{ type: 'Order', order }, 'PATCH nodehosts/a', { spec: { order } }],
    [
      { type: 'Cordon', record: aRecord('a'), annotations: { 'karpenter.sh/do-not-disrupt': 'true' }, labels: {} },
      'PATCH nodes/a',
      {
        metadata: { annotations: { 'karpenter.sh/do-not-disrupt': 'true', [ON_NODE.cordon]: JSON.stringify(aRecord('a')) } },
        spec: { unschedulable: true },
      },
    ],
    [{ type: 'CordonAgain' }, 'PATCH nodes/a', { spec: { unschedulable: true } }],
    [
      { type: 'Uncordon', record: aRecord('a') },
      'PATCH nodes/a',
      { metadata: { annotations: { [ON_NODE.cordon]: null, [ON_NODE.fence]: 'claim-a' } }, spec: { unschedulable: null } },
    ],
    [{ type: 'Sweep' }, 'PATCH nodes/a', { metadata: { labels: { [MANAGED_LABEL]: null }, annotations: { [ON_NODE.fence]: null } } }],
    [{ type: 'Fence', claim: 'claim-a' }, 'PATCH nodes/a', { metadata: { annotations: { [ON_NODE.fence]: 'claim-a' } } }],
  ])('%j', async (command, what, body) => {
    const writer = settled({ unschedulable: true });
    const [kind = '', name = ''] = what.replace('PATCH ', '').split('/');
    const resourceVersion = bed.cluster.get(kind, name)!.metadata.resourceVersion;
    await writer.carryOut(command);
    expect(bed.cluster.writes()).toEqual([what]);
    expect(bed.cluster.bodies(what)[0]).toMatchObject({
      ...body,
      metadata: { ...(body as { metadata?: object }).metadata, resourceVersion },
    });
  });

  test.each([{ type: 'Sweep' }, { type: 'Untaint' }] as const)(
    '$type takes a taint from a list that is written as a whole, only as it was seen',
    async (command) => {
      const others = [{ key: 'example.com/a', value: 'b', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' }, { key: 'c' }];
      putNode(bed.cluster, 'a', { spec: { taints: [others[0], { key: OUTDATED_TAINT, effect: 'NoSchedule' }, others[1]] } });
      const writer = writerOf(seen());
      const stale = writerOf(seen());
      await writer.carryOut(command);
      expect(bed.cluster.get('nodes', 'a')!['spec']).toMatchObject({ taints: others });
      expect(await failure(stale.carryOut(command))).toBeInstanceOf(StaleDecisionError);
    },
  );

  test('the answer is in the caches at once', async () => {
    await settled().carryOut({ type: 'CordonAgain' });
    expect(bed.reflectors.nodes.items.get('a')).toMatchObject({ unschedulable: true });
  });

  test('a status that is so already is not written', async () => {
    expect(await settled().writeStatus({ phase: 'Staged' })).toBe(false);
    expect(bed.cluster.writes()).toEqual([]);
  });
});

describe('several commands', () => {
  test('follow one another under the resourceVersions that they leave', async () => {
    const writer = settled();
    await writer.carryOut({ type: 'WriteStatus', status: { phase: 'Draining' } });
    await writer.carryOut({ type: 'WriteStatus', status: { phase: 'Rebooting' } });
    await writer.carryOut({ type: 'Order', order });
    await writer.carryOut({ type: 'SetRefresh', refresh: { refreshInterval: '5m', ignoreWaves: false } });
    await writer.carryOut({ type: 'LabelManaged' });
    await writer.carryOut({ type: 'CordonAgain' });
    await writer.carryOut({ type: 'Fence', claim: 'x' });
    expect(seen()).toMatchObject({ update: { status: { phase: 'Rebooting' } }, host: { spec: { order, refreshInterval: '5m' } } });
    expect(seen()).toMatchObject({ unschedulable: true, annotations: { [ON_NODE.fence]: 'x' } });
  });

  test('see what those before them wrote: cordoned and uncordoned by one writer, a node ends as it was', async () => {
    const writer = settled();
    const before = bed.cluster.get('nodes', 'a')!;
    await writer.carryOut({ type: 'Cordon', record: aRecord('a'), annotations: KEEP_NODE_ANNOTATIONS, labels: {} });
    await writer.carryOut({ type: 'Uncordon', record: aRecord('a') });
    const after = bed.cluster.get('nodes', 'a')!;
    expect(after['spec']).toEqual(before['spec']);
    expect(after.metadata['annotations']).toEqual({ ...(before.metadata['annotations'] as object), [ON_NODE.fence]: 'claim-a' });
  });

  test('see what those before them wrote: cordoned again and then uncordoned, a node ends as it was', async () => {
    putNode(bed.cluster, 'a', {
      metadata: { annotations: { [ON_NODE.cordon]: JSON.stringify(aRecord('a')), 'karpenter.sh/do-not-disrupt': 'true' } },
    });
    const writer = writerOf(seen());
    await writer.carryOut({ type: 'CordonAgain' });
    await writer.carryOut({ type: 'Uncordon', record: aRecord('a') });
    expect(bed.cluster.get('nodes', 'a')).toMatchObject({ metadata: { annotations: { [ON_NODE.fence]: 'claim-a' } } });
    expect(bed.cluster.get('nodes', 'a')!['spec']).toEqual({ providerID: 'host-a' });
    expect(bed.cluster.get('nodes', 'a')!.metadata['annotations']).toEqual({ [ON_NODE.fence]: 'claim-a' });
  });

  test.each<[string, string, Command]>([
    ['Node', 'nodes', { type: 'Cordon', record: aRecord('a'), annotations: {}, labels: {} }],
    ['Node', 'nodes', { type: 'Uncordon', record: aRecord('a') }],
    ['Node', 'nodes', { type: 'Fence', claim: 'x' }],
    ['NodeHost', 'nodehosts', { type: 'Order', order }],
    ['NodeUpdate', 'nodeupdates', { type: 'WriteStatus', status: { phase: 'Draining' } }],
  ])('are refused once somebody else has changed the %s (%s, %j)', async (_kind, collection, command) => {
    const writer = settled();
    const theirs = bed.cluster.patch(collection, 'a', { metadata: { annotations: { 'example.com/theirs': 'new' } } });
    const before = bed.cluster.get(collection, 'a');
    expect(isConflict(await failure(writer.carryOut(command)))).toBe(true);
    expect(bed.cluster.get(collection, 'a')).toEqual(before);
    expect(theirs).toEqual(before);
    expect(isConflict(await failure(writer.carryOut(command)))).toBe(true);
  });

  test('are not written by one who no longer leads', async () => {
    const writer = settled();
    leading = false;
    const commands: Command[] = [
      { type: 'WriteStatus', status: { phase: 'Draining' } },
      { type: 'LabelManaged' },
      { type: 'Order', order },
      { type: 'Cordon', record: aRecord('a'), annotations: {}, labels: {} },
      { type: 'Uncordon', record: aRecord('a') },
      { type: 'Fence', claim: 'x' },
      orderReboot,
    ];
    for (const command of commands) expect(await failure(writer.carryOut(command))).toBeInstanceOf(NotLeadingError);
    expect(bed.cluster.writes()).toEqual([]);
  });

  test.each<Command>([
    { type: 'WriteStatus', status: { phase: 'Draining' } },
    { type: 'Order', order },
    { type: 'SetRefresh', refresh: { refreshInterval: '5m', ignoreWaves: false } },
  ])('on an object that is not there are stale: %j', async (command) => {
    putNode(bed.cluster, 'a');
    expect(await failure(writerOf(seen()).carryOut(command))).toBeInstanceOf(StaleDecisionError);
    expect(bed.cluster.writes()).toEqual([]);
  });
});

describe('the objects of a node', () => {
  const create: Command = { type: 'CreateObjects', host: true, refresh: { refreshInterval: '5m', ignoreWaves: false } };

  test('are made with the node as their owner, and may be written to at once', async () => {
    putNode(bed.cluster, 'a');
    const writer = writerOf(seen());
    await writer.carryOut(create);
    await writer.carryOut({ type: 'WriteStatus', status: { phase: 'Idle' } });
    await writer.carryOut({ type: 'Order', order });
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'uid-a' }];
    expect(bed.cluster.get('nodeupdates', 'a')).toMatchObject({
      kind: 'NodeUpdate',
      metadata: { ownerReferences },
      status: { phase: 'Idle' },
    });
    expect(bed.cluster.get('nodehosts', 'a')).toMatchObject({
      kind: 'NodeHost',
      metadata: { ownerReferences },
      spec: { refreshInterval: '5m', order },
    });
    expect(bed.reflectors.nodeHosts.items.get('a')).toMatchObject({ nodeUID: 'uid-a' });
  });

  test('are made only where they are missing', async () => {
    const node = putNode(bed.cluster, 'a');
    putUpdate(bed.cluster, node);
    await writerOf(seen()).carryOut({ ...create, host: false });
    expect(bed.cluster.writes()).toEqual([]);
    await writerOf(seen()).carryOut(create);
    expect(bed.cluster.writes()).toEqual(['POST nodehosts']);
  });

  test('that are there already, the node’s own, are taken notice of', async () => {
    const node = putNode(bed.cluster, 'a');
    const view = seen();
    putUpdate(bed.cluster, node, { phase: 'Staged' });
    expect(await failure(writerOf(view).carryOut(create))).toBeInstanceOf(StaleDecisionError);
    expect(bed.cluster.writes()).toEqual(['POST nodeupdates']);
    expect(bed.reflectors.nodeUpdates.items.get('a')).toMatchObject({ nodeUID: 'uid-a', status: { phase: 'Staged' } });
  });

  test.each<[string, string]>([
    ['nodeupdates', 'NodeUpdate'],
    ['nodehosts', 'NodeHost'],
  ])('of an earlier node (%s) are deleted by uid, told, and made in the next pass', async (collection, kind) => {
    const earlier = putNode(bed.cluster, 'a', { metadata: { uid: 'earlier' } });
    const theirs = collection === 'nodeupdates' ? putUpdate(bed.cluster, earlier) : putHost(bed.cluster, earlier);
    const node = putNode(bed.cluster, 'a');
    if (collection === 'nodehosts') putUpdate(bed.cluster, node);
    const { update, host: _, ...bare } = seen();
    const view = collection === 'nodehosts' ? { ...bare, ...(update && { update }) } : bare;
    expect(await failure(writerOf(view).carryOut(create))).toBeInstanceOf(StaleDecisionError);
    expect(bed.cluster.writes()).toEqual([`POST ${collection}`, `DELETE ${collection}/a`]);
    expect(bed.cluster.bodies(`DELETE ${collection}/a`)).toEqual([{ preconditions: { uid: theirs.metadata.uid } }]);
    expect(bed.logger.lines).toEqual([expect.objectContaining({ fields: expect.objectContaining({ action: 'Delete', node: 'a', kind }) })]);
    await writerOf(view).carryOut(create);
    expect(bed.cluster.get(collection, 'a')!.metadata).toMatchObject({ ownerReferences: [{ uid: 'uid-a' }] });
  });

  test('of an earlier node that was replaced meanwhile are not deleted', async () => {
    const earlier = putNode(bed.cluster, 'a', { metadata: { uid: 'earlier' } });
    putUpdate(bed.cluster, earlier);
    const node = putNode(bed.cluster, 'a');
    bed.cluster.fault = ({ method }) => {
      if (method === 'DELETE') {
        bed.cluster.remove('nodeupdates', 'a');
        putUpdate(bed.cluster, node);
      }
      return undefined;
    };
    const { update: _, ...view } = seen();
    expect(isConflict(await failure(writerOf(view).carryOut(create)))).toBe(true);
    expect(bed.cluster.get('nodeupdates', 'a')!.metadata).toMatchObject({ ownerReferences: [{ uid: 'uid-a' }] });
  });
});

describe('a Reboot order', () => {
  test('comes after a fresh list, and after the status', async () => {
    const writer = settled({ unschedulable: true });
    putPod(bed.cluster, 'elsewhere', 'b');
    putPod(bed.cluster, 'cni', 'a', {
      metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'cni', controller: true }] },
    });
    await writer.carryOut(orderReboot);
    const asked = bed.cluster.asked.map(({ method, path }) => `${method} ${path.split('/').slice(-2).join('/')}`);
    expect(asked).toEqual(['GET v1/pods', 'PATCH a/status', 'PATCH nodehosts/a']);
    const { query } = bed.cluster.asked[0]!;
    expect([query.get('fieldSelector'), query.get('resourceVersion')]).toEqual(['spec.nodeName=a', null]);
    expect(seen().host!.spec.order).toEqual(order);
  });

  test.each<[string, object]>([
    ['that could be evicted', {}],
    ['that terminates', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
    ['that may not be evicted', { metadata: { ownerReferences: [] } }],
    ['that has finished', { status: { phase: 'Succeeded' } }],
    [
      'of a DaemonSet that is gone',
      { metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'x', controller: true }] } },
    ],
  ])('is not given while a fresh list shows a pod %s', async (_name, change) => {
    const writer = settled({ unschedulable: true });
    putPod(bed.cluster, 'late', 'a', change);
    const error = await failure(writer.carryOut(orderReboot));
    expect(error).toBeInstanceOf(StaleDecisionError);
    expect((error as Error).message).toMatch(/shop\/late/);
    expect(bed.cluster.writes()).toEqual([]);
  });

  test('leaves the controller’s own pod where nobody could take over', async () => {
    const self = { namespace: 'shop', pod: 'lockkeeper', node: 'a' };
    const node = putNode(bed.cluster, 'a');
    putUpdate(bed.cluster, node);
    putHost(bed.cluster, node);
    putPod(bed.cluster, 'lockkeeper', 'a');
    expect(await failure(writerOf(seen()).carryOut(orderReboot))).toBeInstanceOf(StaleDecisionError);
    await writerOf(seen()).carryOut({ ...orderReboot, context: { ...context, ridesThrough: self } });
    expect(seen().host!.spec.order).toEqual(order);
  });

  test('is not given where the status could not be written', async () => {
    const writer = settled();
    bed.cluster.patch('nodeupdates', 'a', { metadata: { annotations: { x: 'y' } } });
    expect(isConflict(await failure(writer.carryOut(orderReboot)))).toBe(true);
    expect(bed.cluster.writes()).toEqual(['PATCH nodeupdates/a/status']);
  });

  test('is refused where the letterbox has changed since: a Cancel of another leader’s stands', async () => {
    const writer = settled();
    bed.cluster.patch('nodehosts', 'a', { spec: { order: { id: 'claim-a.cancel', action: 'Cancel' } } });
    expect(isConflict(await failure(writer.carryOut(orderReboot)))).toBe(true);
    expect(seen().host!.spec.order).toEqual({ id: 'claim-a.cancel', action: 'Cancel' });
  });

  test('is not given by one whose term ended between the status and the order', async () => {
    const writer = settled();
    bed.cluster.onWrite = (collection) => {
      if (collection === 'nodeupdates') leading = false;
    };
    expect(await failure(writer.carryOut(orderReboot))).toBeInstanceOf(NotLeadingError);
    expect(bed.cluster.writes()).toEqual(['PATCH nodeupdates/a/status']);
  });

  test('is not given where the pods cannot be listed', async () => {
    const writer = settled();
    bed.cluster.fault = ({ path }) => (path.endsWith('/pods') ? { status: 500 } : undefined);
    expect(await failure(writer.carryOut(orderReboot))).toMatchObject({ status: 500 });
    expect(bed.cluster.writes()).toEqual([]);
  });
});

describe("a hook's Job", () => {
  const hook: HookRun = {
    namespace: 'db',
    name: 'lockkeeper-claim-a-0',
    claim: 'claim-a',
    at: 'BeforeDrain',
    cronJob: 'flush',
    node: 'a',
    from: '1.26.0',
    to: NEW,
    policy: 'default',
    timeoutMs: 60_000,
  };
  const key = 'db/lockkeeper-claim-a-0';
  const run = (writer: NodeWriter) => failure(writer.carryOut({ type: 'RunHook', hook }));
  const putCronJob = () =>
    bed.cluster.put('cronjobs', {
      metadata: { name: 'flush', namespace: 'db' },
      spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: 'main' }] } } } } },
    });

  test('is made from its CronJob, and seen at once', async () => {
    putCronJob();
    const writer = settled();
    hookJobs.want([hook]);
    expect(await run(writer)).toBeUndefined();
    expect(bed.cluster.writes()).toEqual(['POST jobs']);
    expect(bed.cluster.get('jobs', hook.name, 'db')?.metadata['labels']).toMatchObject({ 'lockkeeper.dev/claim': 'claim-a' });
    expect(hookJobs.snapshot().get(key)).toMatchObject({ state: 'Active' });
  });

  test('is not made by a leader whose view of the node is past', async () => {
    putCronJob();
    const writer = settled();
    bed.cluster.patch('nodeupdates', 'a', { status: { phase: 'Uncordoning' } });
    expect(await run(writer)).toBeInstanceOf(StaleDecisionError);
    expect(bed.cluster.writes()).toEqual([]);
  });

  test('that is there already is taken notice of', async () => {
    putCronJob();
    const labels = { 'lockkeeper.dev/claim': 'claim-a' };
    bed.cluster.put('jobs', {
      metadata: { name: hook.name, namespace: 'db', labels },
      status: { conditions: [{ type: 'Complete', status: 'True' }] },
    });
    const writer = settled();
    hookJobs.want([hook]);
    expect(await run(writer)).toBeInstanceOf(StaleDecisionError);
    expect(hookJobs.snapshot().get(key)).toEqual({ state: 'Succeeded' });
  });

  test.each<[string, () => void, string]>([
    ['without its CronJob', () => {}, 'CronJob db/flush is not there: create it, or take the hook out of the policy'],
    ['without the right to read that', () => refuse('cronjobs', 403), 'CronJob db/flush cannot be read'],
    ['which the API server does not take', () => refuse('jobs', 422), 'the Job of CronJob db/flush was refused'],
    [
      'of a name that somebody else has used',
      () => bed.cluster.put('jobs', { metadata: { name: hook.name, namespace: 'db' } }),
      'was not made for this update',
    ],
  ])('%s is refused, and says why', async (_what, given, words) => {
    if (words.startsWith('CronJob db/flush is not') === false) putCronJob();
    given();
    const writer = settled();
    hookJobs.want([hook]);
    expect(await run(writer)).toBeInstanceOf(StaleDecisionError);
    expect(hookJobs.snapshot().get(key)).toMatchObject({ state: 'Refused', message: expect.stringContaining(words) });
  });

  test.each([
    ['cronjobs', 500],
    ['jobs', 503],
    ['jobs', 401],
  ])('is tried again where %s answer %d', async (collection, status) => {
    putCronJob();
    refuse(collection, status);
    const writer = settled();
    hookJobs.want([hook]);
    expect(await run(writer)).toMatchObject({ status });
    expect(hookJobs.snapshot().get(key)?.state).not.toBe('Refused');
  });

  function refuse(collection: string, status: number): void {
    bed.cluster.fault = ({ path, query }) =>
      path.includes(`/${collection}`) && !query.has('limit') && !query.has('watch') ? { status, message: 'no' } : undefined;
  }
});

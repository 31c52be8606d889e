import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BY_HAND, MANAGED_LABEL, MIGRATION_ANNOTATION, MIGRATION_STOP, ON_NODE, OTHER_OPERATOR_COMPONENT } from '../../api/names.ts';
import type { NodeHostStatus } from '../../api/node-host.ts';
import { type ClusterBed, clusterBed } from '../../controller/testing/bed.ts';
import type { Stored } from '../../controller/testing/fake-cluster.ts';
import { putHost, putNode, putPolicy, putUpdate } from '../../controller/testing/objects.ts';
import { aRecord } from '../../core/testing/builders.ts';
import type { KubeClient, ListPage } from '../../kube/client.ts';
import { systemClock } from '../../kube/clock.ts';
import type { MigrateOptions } from './command.ts';
import { THEIR_LABELS } from './found.ts';
import { SHADOW_GROUP } from './read.ts';
import { runMigrate } from './run.ts';

const namespace = 'brupop';
let bed: ClusterBed;
beforeEach(async () => {
  bed = await clusterBed();
});
afterEach(() => bed.close());

interface Given {
  env?: Record<string, string>;
  shadows?: Record<string, [string, string]>;
  nodeSelector?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** The old operator on the nodes `a` and `b`, both of which our agents have reported; its controllers answer at once. */
function oldOperator({ env = {}, shadows = {}, nodeSelector, annotations = {} }: Given = {}): void {
  const { cluster } = bed;
  for (const name of ['a', 'b']) {
    const node = putNode(cluster, name, { metadata: { labels: { ...THEIR_LABELS, [MANAGED_LABEL]: 'true' } } });
    putUpdate(cluster, node);
    putHost(cluster, node);
    const [state, wanted] = shadows[name] ?? ['Idle', 'Idle'];
    cluster.put('bottlerocketshadows', {
      metadata: { name: `brs-${name}`, namespace, ownerReferences: [{ kind: 'Node', name }] },
      spec: { state: wanted },
      status: { current_state: state },
    });
  }
  const labels = (component: string) => ({ [OTHER_OPERATOR_COMPONENT]: component });
  const containers = [{ image: 'registry/brupop:v1.8.0', env: Object.entries(env).map(([name, value]) => ({ name, value })) }];
  cluster.put('deployments', {
    metadata: { name: 'controller', namespace, generation: 1, labels: labels('brupop-controller'), annotations },
    spec: { replicas: 2, template: { spec: { containers } } },
  });
  cluster.put('daemonsets', {
    metadata: { name: 'agent', namespace, generation: 1, labels: labels('agent') },
    spec: { selector: { matchLabels: labels('agent') }, template: { spec: { containers, ...(nodeSelector && { nodeSelector }) } } },
    status: settledWith(2),
  });
  play(cluster.get('deployments', 'controller', namespace)!);
  cluster.onWrite = (collection, object, { method }) => {
    if (collection === 'deployments') play(object);
    if (collection === 'daemonsets') {
      const spec = object['spec'] as { template: { spec: { nodeSelector?: object } } };
      cluster.put('daemonsets', { ...object, status: settledWith(MIGRATION_STOP in (spec.template.spec.nodeSelector ?? {}) ? 0 : 2) });
    }
    if (collection === 'updatepolicies' && method !== 'DELETE')
      cluster.put('updatepolicies', {
        ...object,
        status: {
          conditions: [{ type: 'Paused', status: isPaused(object) ? 'True' : 'False', reason: 'x', message: '', lastTransitionTime: '' }],
        },
      });
  };
}

const isPaused = ({ metadata }: Stored) => (metadata['annotations'] as Record<string, string> | undefined)?.[BY_HAND.paused] === 'true';
const settledWith = (count: number) => ({
  observedGeneration: 1,
  desiredNumberScheduled: count,
  currentNumberScheduled: count,
  numberMisscheduled: 0,
});

/** Its pods are as many as its replicas. */
function play(deployment: Stored): void {
  const { replicas } = deployment['spec'] as { replicas: number };
  for (const { metadata } of bed.cluster.all('pods')) bed.cluster.remove('pods', metadata.name, namespace);
  for (let index = 0; index < replicas; index += 1)
    bed.cluster.put('pods', {
      metadata: { name: `controller-${index}`, namespace, labels: { [OTHER_OPERATOR_COMPONENT]: 'brupop-controller' } },
    });
}

interface Asked extends Partial<MigrateOptions> {
  /** It is killed before this write, counted from 0. */
  killedAt?: number;
  answer?: boolean;
  /** What somebody else does after a write. */
  meanwhile?: (write: number) => void;
  /** In place of the client's. */
  listPages?: KubeClient['listPages'];
}

/** The cluster in this process lists no versions of a group. */
const get = async <T>(path: string): Promise<T> =>
  path === `/apis/${SHADOW_GROUP}` ? ({ versions: [{ version: 'v1' }, { version: 'v2' }] } as T) : bed.client.get<T>(path);

/** Lists, of which one of pods is answered after those of shadows that were asked for beside it, and after `before`. */
function slowPods(before: () => void): KubeClient['listPages'] {
  let shadows: Promise<ListPage[]> | undefined;
  return async function* (path, ...args) {
    if (path.endsWith('/pods')) {
      shadows = undefined;
      // What is asked for at once is asked for by now.
      await setImmediate();
      await shadows;
      before();
    }
    const pages = Array.fromAsync(bed.client.listPages(path, ...args));
    if (path.endsWith('/bottlerocketshadows')) shadows = pages;
    yield* await pages;
  };
}

class Killed extends Error {}

async function migrate({ killedAt = Number.POSITIVE_INFINITY, answer, meanwhile, listPages, ...options }: Asked = {}) {
  let said = '';
  const warned: string[] = [];
  let writes = 0;
  const write = async <T>(make: () => Promise<T>): Promise<T> => {
    if (writes === killedAt) throw new Killed();
    const made = await make();
    meanwhile?.(writes);
    writes += 1;
    return made;
  };
  const { client } = bed;
  const reviews = '/selfsubjectaccessreviews';
  const asked: string[] = [];
  const run = runMigrate(
    { policy: 'migrated', approval: 'Manual', timeout: 2_000, yes: true, ...options },
    {
      client: {
        get,
        listPages: listPages ?? ((...args) => client.listPages(...args)),
        create: (path, ...args) => (path.endsWith(reviews) ? client.create(path, ...args) : write(() => client.create(path, ...args))),
        mergePatch: (...args) => write(() => client.mergePatch(...args)),
        delete: (...args) => write(() => client.delete(...args)),
      },
      print: (text) => {
        said += text;
      },
      warn: (text) => warned.push(text),
      confirm:
        answer === undefined
          ? undefined
          : async (question) => {
              asked.push(question);
              return answer;
            },
      clock: systemClock,
      untilInterrupted: () => ({ signal: new AbortController().signal, done: () => {} }),
    },
  );
  let error: Error | undefined;
  try {
    await run;
  } catch (caught) {
    error = caught as Error;
  }
  return { said, warned, writes, asked, error };
}

/** Everything but policies' status, without what is counted. */
const cluster = () =>
  ['deployments', 'daemonsets', 'updatepolicies', 'nodes', 'bottlerocketshadows'].flatMap((collection) =>
    bed.cluster.all(collection).map(({ metadata: { resourceVersion: _, uid: __, ...metadata }, status: ___, ...rest }) => {
      const { annotations = {}, ...others } = metadata as { annotations?: object };
      return { collection, ...rest, metadata: { ...others, annotations } };
    }),
  );
const policy = () => bed.cluster.get('updatepolicies', 'migrated') as (Stored & { spec: object }) | undefined;

test('makes the policy, stops controller and agents in this order, and says what comes next', async () => {
  oldOperator({
    env: { SCHEDULER_CRON_EXPRESSION: '* * 2-5 * * Tue *', MAX_CONCURRENT_UPDATE: '3', EXCLUDE_FROM_LB_WAIT_TIME_IN_SEC: '20' },
    annotations: { 'meta.helm.sh/release-name': 'old' },
  });
  const { said, error, warned } = await migrate();
  expect(error).toBeUndefined();
  expect(warned).toEqual([]);
  expect(bed.cluster.writes()).toEqual(['POST updatepolicies', 'PATCH deployments/controller', 'PATCH daemonsets/agent']);
  expect(policy()?.spec).toEqual({
    nodeSelector: { matchLabels: THEIR_LABELS },
    priority: 100,
    approval: 'Manual',
    schedule: { windows: [{ cron: '0 2 * * 2', duration: '4h', timeZone: 'UTC' }], onClose: 'Finish' },
    rollout: { maxUnavailable: 3 },
    drain: { loadBalancerDelay: '20s' },
  });
  expect(bed.cluster.get('deployments', 'controller', namespace)).toMatchObject({
    metadata: { annotations: { [MIGRATION_ANNOTATION]: '{"replicas":2}' } },
    spec: { replicas: 0 },
  });
  expect(bed.cluster.get('daemonsets', 'agent', namespace)).toMatchObject({
    metadata: { annotations: { [MIGRATION_ANNOTATION]: '{"nodeSelector":null}' } },
    spec: { template: { spec: { nodeSelector: { [MIGRATION_STOP]: 'true' } } } },
  });
  for (const words of [
    'v1.8.0',
    'by Helm (release old)',
    'UpdatePolicy migrated has 2 nodes',
    'approve migrated',
    'helm uninstall old --namespace brupop',
  ])
    expect(said).toContain(words);
  // Once more there is nothing left.
  const again = await migrate();
  expect([again.writes, again.error]).toEqual([0, undefined]);
});

describe('killed before any write and run again', () => {
  test.each([0, 1, 2])('it gets to the end, and back to where it was: before write %i', async (killedAt) => {
    oldOperator({ nodeSelector: { 'example.com/pool': 'old' } });
    const before = cluster();
    expect((await migrate({ killedAt })).error).toBeInstanceOf(Killed);
    expect((await migrate({ back: true })).error).toBeUndefined();
    expect(cluster()).toEqual(before);
    expect((await migrate({ killedAt })).error).toBeInstanceOf(Killed);
    const { writes, error } = await migrate();
    expect([writes, error]).toEqual([3 - killedAt, undefined]);
  });

  test.each([0, 1, 2, 3])('on its way back, it gets there: before write %i', async (killedAt) => {
    oldOperator();
    const before = cluster();
    await migrate();
    expect((await migrate({ back: true, killedAt })).error).toBeInstanceOf(Killed);
    const { writes, error } = await migrate({ back: true });
    expect([writes, error]).toEqual([4 - killedAt, undefined]);
    expect(cluster()).toEqual(before);
  });

  test.each([1, 2, 3])('on its way back, it also gets forward again: before write %i', async (killedAt) => {
    oldOperator();
    putPolicy(bed.cluster, 'default', {}, { annotations: {} });
    await migrate();
    const after = cluster();
    expect((await migrate({ back: true, killedAt })).error).toBeInstanceOf(Killed);
    expect((await migrate()).error).toBeUndefined();
    expect(cluster()).toEqual(after);
  });
});

describe('a node in flight with the old operator', () => {
  test.each<[string, string]>([
    ['Idle', 'StagedAndPerformedUpdate'],
    ['StagedAndPerformedUpdate', 'StagedAndPerformedUpdate'],
    ['StagedAndPerformedUpdate', 'RebootedIntoUpdate'],
    ['MonitoringUpdate', 'Idle'],
    ['ErrorReset', 'Idle'],
  ])('%s, to be %s: nothing is written', async (state, wanted) => {
    oldOperator({ shadows: { b: [state, wanted] } });
    const { error, writes, said } = await migrate();
    expect(error?.message).toMatch(new RegExp(`^the old operator is at b \\(${state}.*--wait`, 's'));
    expect(said).toContain('in flight: b');
    expect(writes).toBe(0);
  });

  test('that was begun in the last moment of its controller has that one again, and is waited for', async () => {
    oldOperator();
    const fly = (state: string) =>
      bed.cluster.patch('bottlerocketshadows', 'brs-b', { spec: { state }, status: { current_state: 'Idle' } }, namespace);
    const meanwhile = (write: number) => {
      if (write === 1) fly('StagedAndPerformedUpdate');
    };
    const { error } = await migrate({ meanwhile });
    expect(error?.message).toMatch(/the old operator is at b/);
    expect(bed.cluster.get('deployments', 'controller', namespace)).toMatchObject({ metadata: { annotations: {} }, spec: { replicas: 2 } });
    const waiting = migrate({ wait: true });
    fly('Idle');
    expect((await waiting).error).toBeUndefined();
  });

  test('that gets to its end while it is waited for: its controller is stopped a second time in the same run', async () => {
    oldOperator();
    const fly = (state: string) => bed.cluster.patch('bottlerocketshadows', 'brs-b', { spec: { state } }, namespace);
    const meanwhile = (write: number) => {
      if (write === 1) fly('StagedAndPerformedUpdate');
      if (write === 2) fly('Idle');
    };
    const { error } = await migrate({ wait: true, meanwhile });
    expect(error).toBeUndefined();
    expect(bed.cluster.writes()).toEqual([
      'POST updatepolicies',
      'PATCH deployments/controller',
      'PATCH deployments/controller',
      'PATCH deployments/controller',
      'PATCH daemonsets/agent',
    ]);
    expect(bed.cluster.get('deployments', 'controller', namespace)).toMatchObject({ spec: { replicas: 0 } });
  });

  test('that was begun between two looks, by a controller that is gone at the second: its agents stay', async () => {
    oldOperator();
    const reads = slowPods(() => {
      if (bed.cluster.writes().length < 2) return;
      bed.cluster.patch('bottlerocketshadows', 'brs-b', { spec: { state: 'StagedAndPerformedUpdate' } }, namespace);
    });
    const { error } = await migrate({ listPages: reads });
    expect(error?.message).toMatch(/the old operator is at b/);
    expect(bed.cluster.writes()).not.toContain('PATCH daemonsets/agent');
    expect(bed.cluster.get('deployments', 'controller', namespace)).toMatchObject({ spec: { replicas: 2 } });
  });

  test('whose agents are stopped already is told of at the end', async () => {
    oldOperator();
    const meanwhile = (write: number) => {
      if (write === 2) bed.cluster.patch('bottlerocketshadows', 'brs-b', { status: { current_state: 'MonitoringUpdate' } }, namespace);
    };
    const told = [expect.stringMatching(/^the old operator was at b \(MonitoringUpdate\), and is stopped/)];
    for (const { error, warned } of [await migrate({ meanwhile }), await migrate()]) {
      expect(error).toBeUndefined();
      expect(warned).toEqual(told);
    }
  });
});

test('goes back only once Lockkeeper has no node in flight, and nothing new is begun meanwhile', async () => {
  oldOperator();
  putPolicy(bed.cluster, 'other');
  await migrate();
  const { metadata } = bed.cluster.get('nodes', 'a')!;
  bed.cluster.patch('nodes', 'a', { metadata: { annotations: { [ON_NODE.cordon]: JSON.stringify(aRecord('a')) } } });
  const { error, writes } = await migrate({ back: true });
  expect(error?.message).toMatch(/^Lockkeeper has nodes in flight: a; its policies are paused/);
  expect(writes).toBe(1);
  expect(isPaused(policy()!)).toBe(true);
  bed.cluster.patch('nodes', 'a', { metadata: { ...metadata, annotations: { [ON_NODE.cordon]: null } } });
  expect((await migrate({ back: true })).error).toBeUndefined();
  expect(bed.cluster.all('updatepolicies').map((one) => one.metadata.name)).toEqual(['other']);
  expect((await migrate({ back: true })).said).toMatch(/nothing to go back from/);
});

describe('on the way back, an agent of ours that is at its host is waited for', () => {
  const order = { id: 's1', action: 'Stage', version: '1.26.1' };
  const answer = (id: string, state: 'Running' | 'Done') => ({ id, state, startedAt: '2026-01-01T00:00:00Z' });
  const downloading = 'a (its agent is downloading 1.26.1)';

  test.each<[string, NodeHostStatus, object]>([
    [downloading, {}, { order }],
    [downloading, { answer: answer('s0', 'Done') }, { order }],
    [downloading, { answer: answer('s1', 'Running'), savedSettings: {} }, { order }],
    ['a (its agent has not restored the host’s settings yet)', { answer: answer('s1', 'Done'), savedSettings: {} }, { order }],
    ['a (its agent has not restored the host’s settings yet)', { savedSettings: { ignoreWaves: true } }, {}],
  ])('%s: %j', async (named, status, spec) => {
    oldOperator();
    await migrate();
    const node = bed.cluster.get('nodes', 'a')!;
    putHost(bed.cluster, node, status, spec);
    const { error, writes } = await migrate({ back: true });
    expect(error?.message).toContain(`Lockkeeper has nodes in flight: ${named}; its policies are paused`);
    expect(writes).toBe(1);
    putHost(bed.cluster, node, { answer: answer('s1', 'Done') }, { order });
    expect((await migrate({ back: true })).error).toBeUndefined();
  });
});

test('what was there first is restored, also where somebody has put back some of it meanwhile', async () => {
  oldOperator({ nodeSelector: { 'example.com/pool': 'old' } });
  const before = cluster();
  await migrate();
  play(bed.cluster.patch('deployments', 'controller', { spec: { replicas: 1 } }, namespace));
  const nodeSelector = { [MIGRATION_STOP]: null, 'example.com/pool': 'new' };
  bed.cluster.patch('daemonsets', 'agent', { spec: { template: { spec: { nodeSelector } } } }, namespace);
  expect((await migrate()).writes).toBe(2);
  await migrate({ back: true });
  expect(cluster()).toEqual(before);
});

test('says before it writes what it cannot carry over, and takes a policy that is there', async () => {
  oldOperator({ env: { SCHEDULER_CRON_EXPRESSION: '0 0 10 * * Mon', MAX_CONCURRENT_UPDATE: '0' } });
  const refused = await migrate();
  expect(refused.error?.message).toMatch(/--window-duration.*MAX_CONCURRENT_UPDATE=0.*--output yaml/s);
  expect(refused.writes).toBe(0);
  const { said } = await migrate({ output: 'yaml' });
  expect(said).toMatch(
    /^# Cannot be carried over: .*\n# Cannot.*\n# Paused until.*\napiVersion: lockkeeper.dev\/v1alpha1\n.*paused: true/s,
  );
  putPolicy(bed.cluster, 'migrated', { nodeSelector: { matchLabels: THEIR_LABELS } });
  expect((await migrate()).error).toBeUndefined();
  await migrate({ back: true });
  expect(policy()?.metadata['annotations']).toEqual({});
});

test('unlimited is every node but one', async () => {
  oldOperator({ env: { MAX_CONCURRENT_UPDATE: 'Unlimited' } });
  await migrate();
  expect(policy()?.spec).toMatchObject({ rollout: { maxUnavailable: '100%' } });
});

describe('a person', () => {
  test('is asked, with every write before their eyes', async () => {
    oldOperator();
    const { error, writes, said, asked } = await migrate({ yes: false, answer: false });
    expect(error?.message).toBe('nothing was changed');
    expect([writes, asked.length]).toEqual([0, 1]);
    expect(said).toMatch(
      /1\. UpdatePolicy migrated\n.*2\. Deployment brupop\/controller\n +spec\.replicas 2 → 0\n.*3\. DaemonSet brupop\/agent/s,
    );
    expect((await migrate({ yes: false })).error?.message).toMatch(/say --yes/);
  });

  test('may try it', async () => {
    oldOperator();
    const client = await migrate({ dryRun: 'client' });
    expect([client.writes, client.error]).toEqual([0, undefined]);
    const server = await migrate({ dryRun: 'server' });
    expect([server.writes, server.error]).toEqual([3, undefined]);
    const written = bed.cluster.asked.filter(({ method, path }) => method !== 'GET' && !path.includes('accessreviews'));
    expect(written.map(({ query }) => query.get('dryRun'))).toEqual(['All', 'All', 'All']);
  });

  test('without rights is told of each', async () => {
    oldOperator();
    bed.cluster.allows = ({ verb }) => verb === 'list';
    const writing = await migrate();
    expect(writing.error?.message).toMatch(
      /create updatepolicies\.lockkeeper\.dev.*patch deployments\.apps controller \(in brupop\).*patch daemonsets\.apps agent \(in brupop\)/s,
    );
    expect(writing.writes).toBe(0);
    bed.cluster.fault = ({ path }) => (path.endsWith('deployments') ? { status: 403, reason: 'Forbidden' } : undefined);
    expect((await migrate()).error?.message).toMatch(/list deployments\.apps \(cluster-wide\)/);
  });

  test('is told who undoes it', async () => {
    oldOperator({ annotations: { 'argocd.argoproj.io/tracking-id': 'nodes:apps/Deployment:brupop/controller' } });
    const meanwhile = (write: number) => {
      if (write === 1)
        bed.cluster.onWrite(
          'deployments',
          bed.cluster.patch('deployments', 'controller', { spec: { replicas: 2 } }, namespace),
          {} as never,
        );
    };
    const { error, warned } = await migrate({ meanwhile });
    expect(warned).toEqual([expect.stringMatching(/Argo CD \(application nodes\).*--self-heal=false/)]);
    expect(error?.message).toMatch(/^Deployment brupop\/controller was changed .* and somebody has put it back/);
  });

  test('is told where there is no old operator', async () => {
    expect((await migrate()).said).toMatch(/not in this cluster/);
    expect((await migrate({ output: 'yaml' })).error?.message).toMatch(/is it the right one\?/);
  });

  test('is told of a node whose cordon is nobody’s', async () => {
    oldOperator();
    bed.cluster.patch('nodes', 'a', { spec: { unschedulable: true } });
    expect((await migrate()).warned).toEqual([expect.stringMatching(/^cordoned, by whom cannot be told.*: a;/)]);
  });
});

test('an interrupt ends it between two writes', async () => {
  oldOperator();
  const stop = new AbortController();
  let writes = 0;
  const { client } = bed;
  const run = runMigrate(
    { policy: 'migrated', approval: 'Manual', timeout: 2_000, yes: true },
    {
      client: {
        get,
        listPages: (...args) => client.listPages(...args),
        create: (...args) => client.create(...args),
        mergePatch: async (...args) => {
          writes += 1;
          stop.abort();
          return client.mergePatch(...args);
        },
        delete: (...args) => client.delete(...args),
      },
      print: () => {},
      warn: () => {},
      confirm: undefined,
      clock: systemClock,
      untilInterrupted: () => ({ signal: stop.signal, done: () => {} }),
    },
  );
  await expect(run).rejects.toThrow(/^stopped: run it again/);
  expect(writes).toBe(1);
});

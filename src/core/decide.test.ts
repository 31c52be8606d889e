import { describe, expect, test } from '@jest/globals';
import { BY_HAND, ON_NODE } from '../api/names.ts';
import { decide } from './decide.ts';
import {
  aBudget,
  aClaim,
  ago,
  aHost,
  aNode,
  anAnswer,
  anUpdate,
  aPod,
  aPolicy,
  aRecord,
  aRollout,
  aStagedNode,
  aWorld,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
  OLD,
  proof,
} from './testing/builders.ts';
import type { NodeView, PolicyView, World } from './world.ts';

const { controller: _, ...naked } = aPod('naked');
const rollouts = [aRollout()];
const policyWith = (spec: NonNullable<Parameters<typeof aPolicy>[0]>['spec'] = {}, change: Partial<PolicyView> = {}) =>
  aPolicy({
    ...(spec && { spec }),
    status: { rollouts, ...change.status },
    ...(change.annotations && { annotations: change.annotations }),
  });
const looked = (...nodes: readonly NodeView[]) => new Map(nodes.map(({ name }) => [name, []]));

function decided(nodes: readonly NodeView[], policy: PolicyView = policyWith(), change: Partial<World> = {}) {
  const decision = decide(aWorld({ policies: [policy], nodes, pods: looked(...nodes), ...change }), NOW);
  const of = (name: string) => decision.nodes.find(({ node }) => node === name);
  const claimed = decision.policies[0]?.claims?.map(({ node }) => node);
  return { decision, of, claimed, reasons: Object.fromEntries(decision.nodes.map(({ node, status }) => [node, status.reason])) };
}

describe('a node that is Blocked by its pods', () => {
  const blockedNode = (name: string, status: object = {}) =>
    aStagedNode(name, {
      update: anUpdate({ phase: 'Blocked', reason: 'CannotEvict', message: 'shop/web', attempts: 1, retryAt: ago(-MINUTE), ...status }),
    });
  const webOn = (name: string) => ({ pods: new Map([[name, [aPod('web', { labels: { app: 'web' } })]]]) });
  const shut = new Map([['shop', [aBudget('web', { desiredHealthy: 3 })]]]);

  test('by a budget that can never allow it, is so before it is claimed, by name, and the next one goes', () => {
    const pods = new Map([...webOn('n1').pods, ['n2', []]]);
    const { claimed, of } = decided([aStagedNode('n1'), aStagedNode('n2')], policyWith(), { pods, budgets: shut });
    expect(claimed).toEqual(['n2']);
    expect(of('n1')?.status).toMatchObject({ phase: 'Blocked', reason: 'CannotEvict', attempts: 1, retryAt: ago(-MINUTE) });
    expect(of('n1')?.status.message).toMatch(/^cannot evict pods whose PodDisruptionBudget shop\/web can never .*: shop\/web$/);
    expect(of('n1')?.commands).toMatchObject([{ type: 'WriteStatus' }]);
  });

  test('is claimed as soon as what blocked it has changed, whatever its backoff', () => {
    const budgets = new Map([['shop', [aBudget('web', { desiredHealthy: 3, expectedPods: 4 })]]]);
    expect(decided([blockedNode('n1')], policyWith(), { ...webOn('n1'), budgets }).claimed).toEqual(['n1']);
    expect(decided([blockedNode('n1')], policyWith(), { ...webOn('n1'), budgets: shut }).claimed).toBeUndefined();
  });

  test('backs off further each time', () => {
    const { of } = decided([blockedNode('n1', { attempts: 2, retryAt: ago(1) })], policyWith(), { ...webOn('n1'), budgets: shut });
    expect(of('n1')?.status).toMatchObject({ attempts: 3, retryAt: ago(-4 * MINUTE) });
  });

  test('takes no slot while it is looked at again, and is watched without end only where there are few of its kind', () => {
    const many = Array.from({ length: 30 }, (_unused, index) => blockedNode(`b${String(index).padStart(2, '0')}`));
    const due = blockedNode('c1', { retryAt: ago(1), attempts: 9 });
    const pods = new Map([['n1', []]]);
    const { claimed, decision, of } = decided([...many, due, aStagedNode('n1')], policyWith(), { pods });
    expect(claimed).toEqual(['n1']);
    expect(decision.lookAt).toEqual(['n1', ...many.slice(0, 16).map(({ name }) => name), 'c1']);
    expect(of('b00')?.status).toMatchObject({ phase: 'Blocked', reason: 'CannotEvict', message: 'shop/web' });
    expect(of('b00')?.commands).toEqual([]);
  });

  test('in a drain that took too long waits for its backoff all the same', () => {
    const node = blockedNode('n1', { reason: 'DrainTimeout' });
    expect(decided([node]).claimed).toBeUndefined();
  });
});

describe('claims', () => {
  const three = ['n1', 'n2', 'n3'].map((name) => aStagedNode(name));
  const zoned = (name: string, zone: string, version = OLD) =>
    aStagedNode(name, { labels: { 'topology.kubernetes.io/zone': zone }, os: { ...aNode(name).os!, version } });
  const self = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'n1' };

  test.each<[string, readonly NodeView[], PolicyView, Partial<World>, string[]]>([
    ['one at a time', three, policyWith(), {}, ['n1']],
    ['as many as may be unavailable', three, policyWith({ rollout: { maxUnavailable: 2 } }), {}, ['n1', 'n2']],
    [
      'zone by zone',
      [zoned('n1', 'b'), zoned('n2', 'a'), zoned('n3', 'a')],
      policyWith({ rollout: { maxUnavailable: 2 } }),
      {},
      ['n2', 'n3'],
    ],
    [
      'those that were given back after the others',
      [aStagedNode('n1', { update: anUpdate({ phase: 'Blocked', attempts: 1 }) }), aStagedNode('n2')],
      policyWith(),
      {},
      ['n2'],
    ],
    ['the oldest version first', [zoned('n1', 'a'), zoned('n2', 'a', '1.25.0')], policyWith(), {}, ['n2']],
    ['the leader’s own node last', three, policyWith(), { self }, ['n2']],
    [
      'a blocked one does not hold up the rest',
      three,
      policyWith(),
      {
        pods: new Map([
          ['n1', [naked]],
          ['n2', []],
          ['n3', []],
        ]),
      },
      ['n2'],
    ],
  ])('%s', (_name, nodes, policy, change, expected) => {
    expect(decided(nodes, policy, change).claimed).toEqual(expected);
  });

  test('are the whole list: what holds stays, what is given back goes', () => {
    const claims = ['n1', 'n2', 'n3', 'n4', 'gone'].map((name) => aClaim(name));
    const nodes = [
      inFlightNode('n1', { phase: 'Draining' }),
      aStagedNode('n2', { annotations: { [ON_NODE.fence]: 'claim-n2' } }),
      aStagedNode('n3', { uid: 'another-n3' }),
      aStagedNode('n4'),
    ];
    const { claimed, of } = decided(nodes, policyWith({ rollout: { maxUnavailable: 2 } }, { status: { rollouts, claims } }));
    expect(claimed).toEqual(['n1', 'n4']);
    expect(of('n4')?.commands.map(({ type }) => type)).toEqual(['Cordon']);
  });

  test('are not touched where they stay as they are', () => {
    const { decision } = decided(
      [inFlightNode('n1', { phase: 'Draining' })],
      policyWith({}, { status: { rollouts, claims: [aClaim('n1')] } }),
    );
    expect(decision.policies[0]).not.toHaveProperty('claims');
    expect(decision.policies[0]?.status.claims).toHaveLength(1);
  });

  test('a later fence ends an earlier claim: one leader may see the Node long after it saw the policy', () => {
    const claims = [aClaim('n1', { id: 'uid-n1-aaa' })];
    const node = (fence: string) => aStagedNode('n1', { annotations: { [ON_NODE.fence]: fence } });
    const policy = policyWith({}, { status: { rollouts, claims } });
    expect(decided([node('uid-n1-aab')], policy).of('n1')?.commands).toEqual([]);
    expect(
      decided([node('uid-n1-aa9')], policy)
        .of('n1')
        ?.commands.map(({ type }) => type),
    ).toEqual(['Cordon']);
  });

  test('are not made while pods are looked at: the slot is kept for the node whose turn it is', () => {
    const { claimed, decision, reasons } = decided(three, policyWith(), { pods: new Map([['n2', []]]) });
    expect([claimed, decision.lookAt, reasons]).toEqual([
      undefined,
      ['n1'],
      { n1: 'Preflight', n2: 'CapacityReached', n3: 'CapacityReached' },
    ]);
  });

  test('are not made anew for a policy that is being deleted', () => {
    const policy = { ...policyWith({}, { status: { rollouts, claims: [aClaim('n1')] } }), deleting: true };
    expect(decided([aStagedNode('n1', { annotations: { [ON_NODE.fence]: 'claim-n1' } })], policy).claimed).toEqual([]);
  });

  test('are made one pass before the node is touched', () => {
    const { of, decision } = decided(three);
    expect(of('n1')).toMatchObject({ commands: [], status: { phase: 'Staged', reason: 'Claimed' } });
    expect(decision.lookAt).toEqual(['n1']);
  });
});

describe('staging', () => {
  const downloading = (name: string, change: Partial<NodeView> = {}) =>
    aNode(name, { host: aHost({ answer: anAnswer('s', 'Running') }, { id: 's', action: 'Stage', version: NEW }), ...change });

  test.each<[string, readonly NodeView[], PolicyView, string[]]>([
    ['as many as there are slots', [aNode('n1'), aNode('n2'), aNode('n3')], policyWith({ staging: { maxParallel: 2 } }), ['n1', 'n2']],
    ['those who download take slots', [downloading('n1'), aNode('n2')], policyWith({ staging: { maxParallel: 1 } }), []],
    [
      'a download that no agent carries on takes none',
      [downloading('n1', { agent: 'missing' }), aNode('n2')],
      policyWith({ staging: { maxParallel: 1 } }),
      ['n2'],
    ],
    ['a cordoned node downloads', [aNode('n1', { unschedulable: true })], policyWith(), ['n1']],
    ['a paused policy’s nodes do not', [aNode('n1')], policyWith({ paused: true }), []],
    ['a paused node takes no slot', [aNode('n1', { annotations: { [BY_HAND.paused]: 'true' } }), aNode('n2')], policyWith(), ['n2']],
  ])('%s', (_name, nodes, policy, expected) => {
    const { decision } = decided(nodes, policy);
    expect(decision.nodes.filter(({ commands }) => commands.some(({ type }) => type === 'Order')).map(({ node }) => node)).toEqual(
      expected,
    );
  });
});

describe('reasons', () => {
  test('one for each node of a policy', () => {
    const failures = [{ target: NEW, at: ago(MINUTE), reason: 'RolledBackByHost', bootID: 'b', readySince: ago(MINUTE) }];
    const { reasons } = decided(
      [
        aStagedNode('blocked'),
        aStagedNode('cordoned', { unschedulable: true }),
        aNode('done', { os: { ...aNode('done').os!, version: NEW } }),
        aNode('failed', { update: anUpdate({ phase: 'RolledBack', failures }) }),
        inFlightNode('flying', { phase: 'Draining' }),
        aStagedNode('waiting'),
        aNode('wild', { record: 'unreadable', unschedulable: true }),
      ],
      policyWith({ rollout: { maxUnavailable: 3, failureBudget: 2 } }),
      {
        pods: new Map([
          ['blocked', [naked]],
          ['flying', [aPod('web')]],
        ]),
      },
    );
    expect(reasons).toEqual({
      blocked: 'CapacityReached',
      cordoned: 'CordonedByOther',
      done: 'UpToDate',
      failed: 'KnownBad',
      flying: 'Draining',
      waiting: 'CapacityReached',
      wild: 'RecordUnreadable',
    });
  });

  test('a pod that may not be evicted makes a node Blocked, steadily', () => {
    const node = aStagedNode('n1');
    const pods = new Map([['n1', [naked]]]);
    const first = decided([node], policyWith(), { pods }).of('n1')?.status;
    expect(first).toMatchObject({ phase: 'Blocked', reason: 'CannotEvict', since: ago(0) });
    const later = decide(aWorld({ policies: [policyWith()], nodes: [{ ...node, update: anUpdate(first!) }], pods }), NOW + 1);
    expect(later.nodes[0]).toMatchObject({ status: first, commands: [] });
    expect(later.nodes[0]?.barred?.map(({ pod }) => pod.name)).toEqual(['naked']);
    expect([later.lookAt, later.wakeAt]).toEqual([['n1'], NOW + MINUTE]);
  });

  test('the leader’s own node, last: hands over where somebody can take over', () => {
    const self = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'n1' };
    const { decision, reasons } = decided([aStagedNode('n1')], policyWith(), { self, standby: true });
    expect([decision.handOver, reasons['n1'], decision.policies[0]?.claims]).toEqual([true, 'HandingOver', undefined]);
    expect(decided([aStagedNode('n1')], policyWith(), { self }).claimed).toEqual(['n1']);
  });
});

describe('a node that no policy has', () => {
  const elsewhere = aPolicy({ spec: { nodeSelector: { matchLabels: { pool: 'elsewhere' } } } });

  test('is left alone', () => {
    expect(decided([aNode('n1')], elsewhere).decision.nodes).toEqual([]);
  });

  test('says so where it was ours once', () => {
    const node = aNode('n1', { update: anUpdate({ phase: 'Staged', policy: 'default', since: ago(MINUTE) }) });
    expect(decided([node], elsewhere).of('n1')).toMatchObject({ commands: [], status: { phase: 'Idle', reason: 'NoPolicy' } });
  });

  test('is no longer said to be overdue', () => {
    const overdue = {
      type: 'Overdue',
      status: 'True' as const,
      reason: 'PatchDeadlineExceeded',
      message: '',
      lastTransitionTime: ago(MINUTE),
    };
    const node = aNode('n1', { update: anUpdate({ phase: 'Staged', policy: 'default', conditions: [overdue] }) });
    expect(decided([node], elsewhere).of('n1')?.status.conditions).toBeUndefined();
    expect(decided([node], elsewhere).of('n1')?.status).not.toHaveProperty('policy');
  });

  test.each<[string, NodeView, string]>([
    ['drained: taken back', inFlightNode('n1', { phase: 'Draining' }), 'Uncordoning'],
    [
      'rebooted: finished by its record',
      inFlightNode(
        'n1',
        { phase: 'Verifying' },
        { bootID: 'boot-2', os: { ...aNode('n1').os!, version: NEW }, ready: { status: false, since: ago(0) } },
      ),
      'Verifying',
    ],
    ['failed: stays so', inFlightNode('n1', { phase: 'Failed' }), 'Failed'],
  ])('but carries a record of a policy that is gone, %s', (_name, node, phase) => {
    const gone = { ...node, record: aRecord('n1', { policyUID: 'gone' }) };
    expect(decided([gone], elsewhere).of('n1')?.status.phase).toBe(phase);
    expect(decided([gone], policyWith()).of('n1')?.status.phase).toBe(phase);
  });

  test('is asked for a retry on the node itself', () => {
    const node = inFlightNode('n1', { phase: 'Failed' }, { annotations: { [BY_HAND.retry]: 'now' } });
    expect(decided([node], elsewhere).of('n1')?.status).toMatchObject({ phase: 'Uncordoning', tokens: { retry: 'now' } });
  });
});

describe('upkeep', () => {
  const { update: _u, host: _h, ...fresh } = aNode('n1', { labels: {} });
  const { host: _lost, ...letterless } = inFlightNode('n1', { phase: 'Draining' });

  test.each<[string, NodeView, { type: string }[]]>([
    [
      'a node that has nothing yet',
      fresh,
      [{ type: 'CreateObjects', host: true, refresh: { refreshInterval: '1h', ignoreWaves: false } }, { type: 'LabelManaged' }] as never,
    ],
    ['a node that has all', aStagedNode('n1', { unschedulable: true }), []],
    [
      'another refresh interval',
      aStagedNode('n1', {
        unschedulable: true,
        host: { ...aHost({ staged: proof() }), spec: { refreshInterval: '5m', ignoreWaves: false } },
      }),
      [{ type: 'SetRefresh', refresh: { refreshInterval: '1h', ignoreWaves: false } }] as never,
    ],
    [
      'waves that are to be minded again',
      aStagedNode('n1', {
        unschedulable: true,
        host: { ...aHost({ staged: proof() }), spec: { refreshInterval: '1h', ignoreWaves: true } },
      }),
      [{ type: 'SetRefresh', refresh: { refreshInterval: '1h', ignoreWaves: false } }] as never,
    ],
    ['a letterbox that is lost in flight is not replaced', letterless, []],
    [
      'a node of another operator gets no agent',
      { ...fresh, otherOperator: true as const },
      [{ type: 'CreateObjects', host: false, refresh: { refreshInterval: '1h', ignoreWaves: false } }] as never,
    ],
  ])('%s', (_name, node, expected) => {
    const { of } = decided([node], policyWith(), { pods: new Map([['n1', [aPod('web')]]]) });
    expect(of('n1')?.commands.filter(({ type }) => type !== 'Order')).toEqual(expected);
  });
});

describe('waking', () => {
  test.each<[string, readonly NodeView[], number | undefined]>([
    ['nothing to wait for', [aStagedNode('n1', { unschedulable: true })], undefined],
    ['a drain’s deadline', [inFlightNode('n1', { phase: 'Draining' })], NOW + 29 * MINUTE],
    ['a backoff', [aNode('n1', { update: anUpdate({ phase: 'Blocked', retryAt: ago(-MINUTE) }) })], NOW + MINUTE],
    [
      'the earliest',
      [inFlightNode('n1', { phase: 'Draining' }), aNode('n2', { update: anUpdate({ phase: 'Blocked', retryAt: ago(-MINUTE) }) })],
      NOW + MINUTE,
    ],
  ])('%s', (_name, nodes, expected) => {
    expect(decided(nodes, policyWith(), { pods: new Map([['n1', [aPod('web')]]]) }).decision.wakeAt).toBe(expected);
  });
});

test('decides the same of the same world', () => {
  const nodes = [aStagedNode('n1'), aNode('n2'), inFlightNode('n3', { phase: 'Draining' })];
  const world = aWorld({ policies: [policyWith()], nodes, pods: looked(...nodes) });
  const before = structuredClone(world);
  expect(decide(world, NOW)).toEqual(decide(world, NOW));
  expect(world).toEqual(before);
});

describe('annotations that cannot be read', () => {
  test('are a condition of the node, also while nothing is wanted of it', () => {
    const node = aNode('n1', { annotations: { [BY_HAND.paused]: 'perhaps' } });
    const { nodes } = decide(aWorld({ policies: [aPolicy()], nodes: [node] }), NOW);
    expect(nodes[0]?.status.conditions).toMatchObject([
      { type: 'AnnotationsValid', status: 'False', message: expect.stringContaining('perhaps') },
    ]);
  });
});

describe('a schedule', () => {
  // NOW is noon.
  const window = (cron: string, duration = '2h') => [{ cron, duration, timeZone: 'UTC' }];
  const open = window('0 11 * * *');
  const shut = window('0 2 * * *');
  const nextNight = Date.parse('2026-03-02T02:00:00Z');
  const draining = inFlightNode('n1', { phase: 'Draining' });
  const claims = [aClaim('n1')];
  const busy = new Map([['n1', [aPod('web')]]]);

  test.each([
    ['open', { windows: open }, ['n1'], NOW + 60 * MINUTE],
    ['shut', { windows: shut }, undefined, nextNight],
    ['of several windows', { windows: [...shut, ...open] }, ['n1'], NOW + 60 * MINUTE],
    ['always', { always: true }, ['n1'], undefined],
    ['with an exclusion to come', { always: true, exclusions: [{ from: ago(-MINUTE), to: ago(-2 * MINUTE) }] }, ['n1'], NOW + MINUTE],
    ['in an exclusion', { windows: open, exclusions: [{ from: ago(MINUTE), to: ago(-MINUTE) }] }, undefined, NOW + MINUTE],
    ['that cannot be read', { windows: [...open, ...window('0 25 * * *')] }, undefined, undefined],
  ])('%s: says which nodes are claimed, and when to look again', (_, schedule, expected, wakeAt) => {
    const { claimed, decision } = decided([aStagedNode('n1')], policyWith({ schedule }));
    expect([claimed, decision.wakeAt]).toEqual([expected, wakeAt]);
  });

  test('lets nodes download while it is closed, unless the policy says otherwise', () => {
    const orders = (outsideWindow: boolean) =>
      decided([aNode('n1')], policyWith({ schedule: { windows: shut }, staging: { outsideWindow } })).of('n1')?.commands;
    expect(orders(true)).toMatchObject([{ type: 'Order', order: { action: 'Stage' } }]);
    expect(orders(false)).toEqual([]);
  });

  test.each([
    ['finishes what is in flight', 'Finish', shut, 'Draining'],
    ['takes back what is in flight', 'Release', shut, 'OutsideWindow'],
    ['leaves what is in flight alone while it is open', 'Release', open, 'Draining'],
    ['takes back what is in flight where it cannot be read', 'Release', window('0 25 * * *'), 'OutsideWindow'],
  ] as const)('%s', (_, onClose, windows, reason) => {
    const policy = policyWith({ schedule: { windows, onClose } }, { status: { rollouts, claims } });
    expect(decided([draining], policy, { pods: busy }).reasons).toEqual({ n1: reason });
  });
});

describe('a release that is too young', () => {
  test('makes no target, is what its nodes wait for, and is looked at again when it is old enough', () => {
    const seen = { variant: 'aws-k8s-1.31', arch: 'amd64', version: NEW, firstSeen: ago(59 * MINUTE) };
    const policy = aPolicy({ spec: { version: { minAge: '1h' } }, status: { releases: [seen] } });
    const { decision, reasons, of } = decided([aNode('n1'), aNode('n2')], policy);
    expect(reasons).toEqual({ n1: 'ReleaseTooYoung', n2: 'ReleaseTooYoung' });
    expect(of('n1')?.commands).toEqual([]);
    expect(decision.wakeAt).toBe(NOW + MINUTE);
    expect(decision.policies[0]?.status).toMatchObject({
      releases: [seen],
      rollouts: [{ target: OLD }],
      counts: { updated: 2, outdated: 0 },
    });
    const later = decide(aWorld({ policies: [policy], nodes: [aNode('n1'), aNode('n2')] }), NOW + MINUTE);
    expect(later.policies[0]?.status.rollouts).toMatchObject([{ target: NEW }]);
  });
});

describe('a node that is overdue, or of a Kubernetes that is too old', () => {
  const old = aStagedNode('n1', {
    unschedulable: true,
    update: anUpdate({ policy: 'default', phase: 'Staged', behindSince: ago(25 * 60 * MINUTE) }),
  });
  const late = aStagedNode('n2', {
    unschedulable: true,
    update: anUpdate({ policy: 'default', phase: 'Staged', behindSince: ago(23 * 60 * MINUTE) }),
  });
  const typesOf = (status: { conditions?: readonly { type: string; status: string }[] | undefined } = {}) =>
    (status.conditions ?? []).map(({ type, status: value }) => `${type} ${value}`);

  test('says so by conditions, of its own and of its policy', () => {
    const { decision, of } = decided([old, late], policyWith({ patchDeadline: '24h' }), { kubernetes: { major: 1, minor: 34 } });
    expect(typesOf(of('n1')?.status)).toEqual(['Overdue True']);
    expect(typesOf(of('n2')?.status)).toEqual([]);
    const { status } = decision.policies[0]!;
    expect(status.counts?.overdue).toBe(1);
    expect(typesOf(status)).toEqual(expect.arrayContaining(['Overdue True', 'KubernetesSupported True']));
    expect(status.conditions?.find(({ type }) => type === 'Overdue')?.message).toBe('behind for longer than 24h: n1');
  });

  test('of a control plane that has moved on too far', () => {
    const { decision, of } = decided([old, late], policyWith(), { kubernetes: { major: 1, minor: 35 } });
    expect(typesOf(of('n2')?.status)).toEqual(['KubernetesSupported False']);
    expect(typesOf(decision.policies[0]?.status)).toEqual(expect.arrayContaining(['Overdue False', 'KubernetesSupported False']));
    expect(decision.policies[0]?.status.conditions?.find(({ type }) => type === 'KubernetesSupported')?.message).toContain('n1, n2');
  });
});

test('a node that is pinned to something else does not wait for the zones of its variant', () => {
  const zone = (name: string) => ({ 'topology.kubernetes.io/zone': name });
  const pinned = aStagedNode('n3', {
    labels: zone('c'),
    annotations: { [BY_HAND.pinVersion]: '1.26.2' },
    host: aHost({ staged: proof('1.26.2') }),
  });
  const nodes = [aStagedNode('n1', { labels: zone('a') }), aStagedNode('n2', { labels: zone('b') }), pinned];
  const { claimed, reasons } = decided(nodes, policyWith({ rollout: { maxUnavailable: 2 } }));
  expect(claimed).toEqual(['n1', 'n3']);
  expect(reasons['n2']).toBe('AwaitingZone');
});

describe('an urgent version', () => {
  const calendar = {
    windows: [{ cron: '0 2 * * *', duration: '1h', timeZone: 'UTC' }],
    exclusions: [{ from: ago(MINUTE), to: ago(-MINUTE), reason: 'fair' }],
    onClose: 'Release' as const,
  };
  const spec = { approval: 'Manual' as const, version: { minAge: '168h' }, schedule: calendar, staging: { outsideWindow: false } };
  const urgent = { [BY_HAND.urgent]: NEW };
  const hurried = aPolicy({ spec, annotations: urgent });
  const nodes = (node: typeof aNode = aNode) => ['n1', 'n2'].map((name) => node(name));

  test('is downloaded past the waves, window and exclusion and age notwithstanding', () => {
    const { of, reasons } = decided(nodes(), hurried);
    expect(reasons).toEqual({ n1: 'Staging', n2: 'AwaitingStagingSlot' });
    expect(of('n1')?.commands).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'SetRefresh', refresh: { refreshInterval: '1h', ignoreWaves: true } }),
        expect.objectContaining({ type: 'Order', order: expect.objectContaining({ action: 'Stage', version: NEW, ignoreWaves: true }) }),
      ]),
    );
    expect(decided(nodes(), aPolicy({ spec })).reasons).toEqual({ n1: 'ReleaseTooYoung', n2: 'ReleaseTooYoung' });
  });

  test('only nodes that are behind look past their waves: a fleet is not written to for each node that joins', () => {
    const done = (name: string) => aNode(name, { os: { ...aNode(name).os!, version: NEW }, host: aHost({ version: NEW }) });
    const refreshed = (status: PolicyView['status']) => {
      const { of } = decided([done('n1'), done('n2'), aNode('n3')], { ...hurried, status });
      return ['n1', 'n2', 'n3'].filter((name) => of(name)?.commands.some(({ type }) => type === 'SetRefresh'));
    };
    expect(refreshed({ rollouts })).toEqual(['n3']);
    // Until it is known to be offered, those that run it say so, too.
    expect(refreshed({})).toContain('n3');
  });

  test('is claimed without an approval, one node at a time, and says so', () => {
    const { claimed, decision } = decided(nodes(aStagedNode), hurried);
    expect(claimed).toEqual(['n1']);
    expect(decision.policies[0]?.status.conditions).toContainEqual(expect.objectContaining({ type: 'Urgent', status: 'True' }));
    const without = { spec: { ...spec, version: {} }, status: { rollouts } };
    expect(decided(nodes(aStagedNode), aPolicy(without)).reasons).toEqual({ n1: 'AwaitingApproval', n2: 'AwaitingApproval' });
  });

  test('is not taken back in flight, and is kept in the history', () => {
    const claim = { ...hurried, status: { rollouts, claims: [aClaim('n1')] } };
    const { of } = decided([aStagedNode('n1')], claim);
    const [cordon] = of('n1')?.commands.filter(({ type }) => type === 'Cordon') ?? [];
    expect(cordon).toMatchObject({ record: { target: NEW, urgent: true } });
    const draining = inFlightNode('n1', { phase: 'Draining' }, { record: aRecord('n1', { urgent: true }) });
    const pods = new Map([['n1', [aPod('web')]]]);
    expect(decided([draining], hurried, { pods }).reasons).toEqual({ n1: 'Draining' });
    expect(decided([draining], aPolicy({ spec }), { pods }).reasons).toEqual({ n1: 'InExclusion' });
    const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
    const verified = inFlightNode(
      'n1',
      { phase: 'Verifying' },
      { os, bootID: 'boot-2', record: aRecord('n1', { urgent: true, minReadySeconds: 0 }) },
    );
    expect(decided([verified], hurried).of('n1')?.status.history).toMatchObject([{ to: NEW, outcome: 'Updated', urgent: true }]);
  });

  test.each<[string, Partial<PolicyView>, string]>([
    ['a pause', { annotations: { ...urgent, [BY_HAND.paused]: 'true' } }, 'Paused'],
    [
      'a halt',
      {
        status: {
          rollouts: [aRollout({ failed: [{ node: 'n3', hostID: 'host-n3', target: NEW, reason: 'RebootTimeout', at: ago(MINUTE) }] })],
        },
      },
      'Halted',
    ],
  ])('does not beat %s', (_, change, reason) => {
    expect(decided([aStagedNode('n1')], { ...hurried, ...change }).reasons).toEqual({ n1: reason });
  });

  test('does not beat the groups of its policy; on a node of its own it waits for nobody’s turn', () => {
    const canary = { name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } };
    const grouped = { ...spec, rollout: { groups: [canary] } };
    const first = aNode('n0', { labels: { ring: 'canary' } });
    const policy = aPolicy({ spec: grouped, annotations: urgent });
    expect(decided([first, aStagedNode('n1')], policy).reasons).toMatchObject({ n1: 'AwaitingGroup' });
    const named = aStagedNode('n1', { annotations: urgent });
    const { claimed, of } = decided([first, named], aPolicy({ spec: grouped, status: { rollouts } }));
    expect(claimed).toEqual(['n1']);
    expect(of('n1')?.status.conditions).toMatchObject([{ type: 'Urgent', status: 'True' }]);
  });
});

test('a canary whose agent has yet to report is waited for, and called untested a minute later', () => {
  const groups = [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }];
  const policy = aPolicy({ spec: { rollout: { groups } } });
  const { host: _host, ...unreported } = aNode('n0', { labels: { ring: 'canary' } });
  const nodes = [unreported, aStagedNode('n1'), aStagedNode('n2')];
  const { decision, reasons } = decided(nodes, policy);
  const [rollout] = decision.policies[0]?.status.rollouts ?? [];
  expect(reasons).toMatchObject({ n0: 'AwaitingReport', n1: 'AwaitingGroup' });
  expect(rollout?.groups).toMatchObject([{ name: 'canary', state: 'Updating', untestedFrom: ago(-MINUTE) }]);
  expect(decision.wakeAt).toBe(NOW + MINUTE);
});

import { describe, expect, test } from '@jest/globals';
import {
  aClaim,
  ago,
  aHost,
  aNode,
  anUpdate,
  aPod,
  aPolicy,
  aRollout,
  aStagedNode,
  aWorld,
  HOUR,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
  OLD,
} from '../testing/builders.ts';
import { at, left, only, plan, updated } from '../testing/plans.ts';
import { timestamp, type World } from '../world.ts';
import { planOf } from './plan.ts';

describe('a plan', () => {
  test('lists nodes in the order in which they are claimed, with group, zone, times, and why each waits now', () => {
    const policy = aPolicy({
      spec: { rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }], soak: '5m' } },
    });
    const nodes = [aStagedNode('a', { labels: { 'topology.kubernetes.io/zone': 'z1' } }), aStagedNode('b', { labels: { ring: 'canary' } })];
    const stays = [
      { at: at(5), phase: 'Soaking' as const, reason: 'Soaking' as const, message: '' },
      { at: at(10), phase: 'Idle' as const, reason: 'UpToDate' as const, message: '' },
    ];
    const made = only(plan({ policies: [policy], nodes }, [updated('b', 0, 5, { stays }), updated('a', 10, 15)]));
    expect(made).toMatchObject({
      name: 'default',
      source: 'InCluster',
      timeZone: 'UTC',
      nodes: 2,
      upToDate: 0,
      targets: [{ variant: 'aws-k8s-1.31', arch: 'amd64', to: NEW }],
      startsAt: timestamp(NOW),
      endsAt: timestamp(at(15)),
      complete: true,
      held: [],
      warnings: [],
    });
    expect(made.steps).toEqual([
      {
        order: 1,
        node: 'b',
        group: 'canary',
        from: OLD,
        to: NEW,
        inFlight: false,
        startsAt: timestamp(NOW),
        endsAt: timestamp(at(5)),
        now: { phase: 'Staged', reason: 'Claimed', message: expect.any(String) },
      },
      expect.objectContaining({
        order: 2,
        node: 'a',
        zone: 'z1',
        startsAt: timestamp(at(10)),
        now: expect.objectContaining({ reason: 'AwaitingGroup' }),
      }),
    ]);
  });

  test('ends when the last node has soaked', () => {
    const stays = [
      { at: at(5), phase: 'Soaking' as const, reason: 'Soaking' as const, message: '' },
      { at: at(65), phase: 'Idle' as const, reason: 'UpToDate' as const, message: '' },
    ];
    expect(only(plan({ nodes: [aStagedNode('a')] }, [updated('a', 0, 5, { stays })])).endsAt).toBe(timestamp(at(65)));
  });

  test('a node in flight began when it was claimed', () => {
    const policy = aPolicy({ status: { claims: [aClaim('a', { at: ago(3 * MINUTE) })], rollouts: [aRollout()] } });
    const made = only(plan({ policies: [policy], nodes: [inFlightNode('a', { phase: 'Draining' })] }, [updated('a', 0, 5)]));
    expect(made.steps).toMatchObject([{ node: 'a', inFlight: true, startsAt: ago(3 * MINUTE), from: OLD }]);
  });

  test('a blocked node is named with its pods and budgets, though others go first', () => {
    const budget = {
      namespace: 'shop',
      name: 'web',
      selector: {},
      observed: true,
      disruptionsAllowed: 0,
      currentHealthy: 2,
      desiredHealthy: 2,
      expectedPods: 2,
    };
    const made = plan(
      {
        nodes: [aStagedNode('a'), aStagedNode('b')],
        pods: new Map([['b', [aPod('web-1')]]]),
        budgets: new Map([['shop', [budget]]]),
      },
      [updated('a', 0, 5), left('b', 'CapacityReached')],
    );
    expect(only(made)).toMatchObject({ complete: false, steps: [{ node: 'a' }] });
    expect(only(made).held).toEqual([
      expect.objectContaining({
        node: 'b',
        to: NEW,
        reason: 'CannotEvict',
        pods: [{ pod: 'shop/web-1', why: expect.stringContaining('PodDisruptionBudget shop/web') }],
      }),
    ]);
    expect(only(made).warnings).toMatchObject([{ name: 'NodesHeld', endless: true, nodes: ['b'] }]);
  });

  test('a node that is begun and given back for ever is none of those that are updated', () => {
    const made = only(plan({ nodes: [aStagedNode('a')] }, [{ ...left('a', 'OutsideWindow'), claimedAt: at(0), uncordonedAt: at(5) }]));
    expect([made.steps, made.held.map(({ node }) => node)]).toEqual([[], ['a']]);
  });

  test('what waits for an approval is planned as if it were approved, and says so; the node itself says what it waits for', () => {
    const policy = aPolicy({ spec: { approval: 'Manual' } });
    let asked: World | undefined;
    const world = aWorld({ policies: [policy], nodes: [aStagedNode('a')], pods: new Map([['a', []]]) });
    const made = planOf(world, {
      now: NOW,
      foresee: (seen) => {
        asked = seen;
        return { startsAt: NOW, nodes: [updated('a', 0, 5)], left: [] };
      },
    });
    expect(asked?.nodes[0]?.annotations).toMatchObject({ 'lockkeeper.dev/approved-version': NEW });
    expect(made.assumptions).toContainEqual({ name: 'Approved', policy: 'default', message: `${NEW} is approved now` });
    expect(only(made).steps[0]?.now.reason).toBe('AwaitingApproval');
  });

  test('checks are taken to hold, but for a node that says that one fails', () => {
    const policy = aPolicy({ spec: { checks: [{ pods: { namespace: 'shop', minReady: 1 } }] } });
    const failing = anUpdate({ phase: 'Staged', reason: 'CheckFailed', message: 'waits until this check holds: web' });
    const [holds, fails] = [{}, { update: failing }].map((change) =>
      plan({ policies: [policy], nodes: [aStagedNode('a', change)] }, [updated('a', 0, 5)]),
    );
    expect(only(holds!).steps[0]?.now.reason).toBe('Claimed');
    expect(only(fails!).steps[0]?.now).toEqual({ phase: 'Staged', reason: 'CheckFailed', message: 'waits until this check holds: web' });
    expect(holds!.assumptions).toContainEqual(expect.objectContaining({ name: 'ChecksHold', policy: 'default' }));
  });

  test('the median of updates that ended well is what a node takes; without any it is assumed, and said', () => {
    const history = [3, 7, 5].map((minutes) => ({
      from: OLD,
      to: NEW,
      startedAt: ago(HOUR),
      finishedAt: ago(HOUR - minutes * MINUTE),
      outcome: 'Updated',
    }));
    const failed = { from: OLD, to: NEW, startedAt: ago(HOUR), finishedAt: ago(0), outcome: 'RolledBack' };
    const done = aNode('done', {
      update: anUpdate({ history: [...history, failed] }),
      os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' },
    });
    const order = { id: 'stage-1', action: 'Stage' as const, version: NEW };
    const answer = { id: 'stage-1', state: 'Done' as const, startedAt: ago(10 * MINUTE), finishedAt: ago(8 * MINUTE) };
    const staged = aStagedNode('a', { host: aHost({ answer, staged: { version: NEW, provenAt: ago(0), lastCommandAt: ago(0) } }, order) });
    const measured = plan({ nodes: [staged, done] }, [updated('a', 0, 5)]).assumptions;
    expect(measured).toContainEqual(expect.objectContaining({ name: 'UpdateDuration', seconds: 300, samples: 3 }));
    expect(measured).toContainEqual(expect.objectContaining({ name: 'StagingDuration', seconds: 120, samples: 1 }));
    const [assumed] = plan({ nodes: [aStagedNode('a')] }, [updated('a', 0, 5)]).assumptions;
    expect(assumed).toEqual({
      name: 'UpdateDuration',
      policy: 'default',
      variant: 'aws-k8s-1.31',
      arch: 'amd64',
      seconds: 400,
      message: 'from cordon to uncordon',
    });
  });

  test('a cluster that is up to date has nothing to do, and nothing to warn of', () => {
    const node = aNode('a', { os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' } });
    expect(
      only(
        plan({ nodes: [node] }, [{ node: 'a', policy: 'default', stays: [{ at: NOW, phase: 'Idle', reason: 'UpToDate', message: '' }] }]),
      ),
    ).toMatchObject({
      upToDate: 1,
      steps: [],
      held: [],
      warnings: [],
      complete: true,
    });
  });
});

describe('with the real forecast', () => {
  const real = (world: Partial<World>) => {
    const seen = aWorld(world);
    const pods = new Map(seen.nodes.map(({ name }) => [name, seen.pods.get(name) ?? [aPod(`web-${name}`)]]));
    return only(planOf({ ...seen, pods }, { now: NOW }));
  };

  test('nodes that no policy had before are planned as if agents ran there, which are offered what others are', () => {
    const { host: _host, update: _update, ...bare } = aNode('new', { labels: { pool: 'new' }, agent: 'missing' });
    const others = [aStagedNode('a'), aStagedNode('b')];
    const [old, fresh] = planOf(
      aWorld({
        policies: [
          aPolicy({ spec: { nodeSelector: { matchExpressions: [{ key: 'pool', operator: 'DoesNotExist' }] } } }),
          aPolicy({ name: 'new', uid: 'uid-new', spec: { nodeSelector: { matchLabels: { pool: 'new' } } } }),
        ],
        nodes: [bare, ...others],
        pods: new Map(['a', 'b', 'new'].map((name) => [name, []])),
      }),
      { now: NOW },
    ).policies;
    expect(old?.steps.map(({ node }) => node)).toEqual(['a', 'b']);
    expect(fresh).toMatchObject({ steps: [{ node: 'new', to: NEW }], warnings: [], complete: true });

    const alone = plan({ nodes: [bare] }, []);
    expect(only(alone).warnings).toMatchObject([{ name: 'ReleasesUnknown', nodes: ['new'] }]);
    expect(alone.assumptions).toContainEqual(expect.objectContaining({ name: 'AgentsStart' }));
  });

  test.each([true, false])("the leader's own node goes last, with another replica to take over: %s", (standby) => {
    const self = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'a' };
    const { steps, complete } = real({ nodes: ['a', 'b', 'c'].map((name) => aStagedNode(name)), self, standby });
    expect([steps.map(({ node }) => node), complete]).toEqual([['b', 'c', 'a'], true]);
  });

  test('no drain, reboot or hook is taken to last longer than it may', () => {
    const hooks = [{ at: 'BeforeDrain' as const, cronJob: { namespace: 'ops', name: 'flush' }, timeout: '10s' }];
    const spec = { drain: { timeout: '30s' }, reboot: { timeout: '20s' }, rollout: { minReadySeconds: 0 }, hooks };
    const { complete, held } = real({ policies: [aPolicy({ spec })], nodes: [aStagedNode('a')], hookNamespaces: ['ops'] });
    expect([complete, held]).toEqual([true, []]);
  });

  test('windows, group and soak are waited for', () => {
    const spec = {
      schedule: { windows: [{ cron: '0 2 * * *', duration: '1h', timeZone: 'Asia/Seoul' }] },
      rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak: '24h' }] },
    };
    const nodes = [aStagedNode('a'), aStagedNode('b', { labels: { ring: 'canary' } })];
    const { steps, timeZone } = real({ policies: [aPolicy({ spec })], nodes });
    expect(timeZone).toBe('Asia/Seoul');
    expect(steps.map(({ node, startsAt, now }) => [node, startsAt, now.reason])).toEqual([
      ['b', '2026-03-01T17:00:00.000Z', 'OutsideWindow'],
      ['a', '2026-03-02T17:06:40.000Z', 'OutsideWindow'],
    ]);
  });
});

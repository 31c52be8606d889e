import { describe, expect, test } from '@jest/globals';
import { BY_HAND, CORDON_LABELS, KEEP_NODE_ANNOTATIONS } from '../api/names.ts';
import { claimedStep } from './claimed.ts';
import { factsOf, type Member } from './facts.ts';
import {
  aClaim,
  aDaemonSetPod,
  ago,
  aHost,
  anUpdate,
  aPod,
  aPolicy,
  aRollout,
  aStagedNode,
  aWorld,
  cancelOrder,
  MINUTE,
  NEW,
  NOW,
  OLD,
  proof,
} from './testing/builders.ts';
import type { NodeView, PolicyView, World } from './world.ts';

const BALANCERS = 'node.kubernetes.io/exclude-from-external-load-balancers';
const claims = [aClaim('n1')];
const status = { claims, rollouts: [aRollout()] };
const order = { id: 'stage-1', action: 'Stage' as const, version: NEW };

function step(change: Partial<NodeView> = {}, policyChange: Partial<PolicyView> = {}, worldChange: Partial<World> = {}) {
  const node = aStagedNode('n1', { host: aHost({ staged: proof() }, order), ...change });
  const policy = { ...aPolicy({ status }), ...policyChange };
  const world = aWorld({ policies: [policy], nodes: [node], pods: new Map([['n1', [aPod('web')]]]), ...worldChange });
  const facts = factsOf(policy, [node], world, NOW);
  return claimedStep(world, facts, facts.members[0] as Member, claims[0]!, NOW);
}

describe('a claimed node', () => {
  test('waits for its pods to be listed', () => {
    expect(step({}, {}, { pods: new Map() })).toMatchObject({ commands: [], lookAt: true, status: { phase: 'Staged', reason: 'Claimed' } });
  });

  test('keeps its policy’s hooks in the record; what runs before the drain does not take of its time', () => {
    const cronJob = { namespace: 'db', name: 'flush' };
    const hooks = [
      { at: 'BeforeDrain', cronJob, timeout: '5m' },
      { at: 'Finally', cronJob },
    ] as const;
    const policy = aPolicy({ status, spec: { hooks: [...hooks] } });
    const { commands, status: after } = step({}, policy, { hookNamespaces: ['db'] });
    expect(commands).toMatchObject([
      {
        type: 'Cordon',
        record: {
          drainDeadline: ago(-35 * MINUTE),
          hooks: [
            { at: 'BeforeDrain', namespace: 'db', name: 'flush', timeoutMs: 5 * MINUTE },
            { at: 'Finally', namespace: 'db', name: 'flush', timeoutMs: 10 * MINUTE },
          ],
        },
      },
    ]);
    expect(after.hooks).toEqual([
      { at: 'BeforeDrain', job: 'db/lockkeeper-claim-n1-0', outcome: 'Pending' },
      { at: 'Finally', job: 'db/lockkeeper-claim-n1-1', outcome: 'Pending' },
    ]);
  });

  test('is given up, and not cordoned, where a pod that can never be evicted has come meanwhile', () => {
    const pods = new Map([['n1', [aPod('web', { doNotDisrupt: 'karpenter.sh/do-not-disrupt' })]]]);
    const { commands, status } = step({}, {}, { pods });
    expect(commands.map(({ type }) => type)).toEqual(['Order', 'Fence']);
    expect(status).toMatchObject({ phase: 'Idle', reason: 'CannotEvict' });
  });

  test('is cordoned, with all that is needed to finish it or to take it back in the record', () => {
    const pods = [
      aPod('web'),
      aDaemonSetPod('cni-1'),
      aDaemonSetPod('sick', { ready: false, controller: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'sick' } }),
    ];
    const annotations = { 'karpenter.sh/do-not-disrupt': 'mine' };
    const { commands, status: after } = step(
      { annotations },
      {},
      { pods: new Map([['n1', pods]]), daemonSets: new Set(['kube-system/cni', 'kube-system/sick']) },
    );
    expect(commands).toEqual([
      {
        type: 'Cordon',
        annotations: KEEP_NODE_ANNOTATIONS,
        labels: CORDON_LABELS,
        record: {
          policy: 'default',
          policyUID: 'uid-default',
          claim: 'claim-n1',
          rollout: 'rollout-1',
          from: OLD,
          target: NEW,
          bootID: 'boot-1',
          order: 'stage-1',
          at: ago(0),
          drainDeadline: ago(-30 * MINUTE),
          drain: { deleteEmptyDirData: true, force: false, respectDoNotDisrupt: true, waitForVolumeDetach: true },
          rebootTimeoutMs: 15 * MINUTE,
          minReadySeconds: 10,
          readyDaemonSets: ['kube-system/cni'],
          prior: {
            unschedulable: false,
            annotations: { 'cluster-autoscaler.kubernetes.io/scale-down-disabled': null, 'karpenter.sh/do-not-disrupt': 'mine' },
            labels: { [BALANCERS]: null },
          },
        },
      },
    ]);
    expect(after).toMatchObject({ phase: 'Draining', claim: 'claim-n1', from: OLD, target: NEW, bootIDBefore: 'boot-1' });
  });

  test.each(['', 'true', 'mine'])('keeps the label %j that takes it from load balancers already', (value) => {
    const labels = { [BALANCERS]: value };
    expect(step({ labels }).commands[0]).toMatchObject({ labels: {}, record: { prior: { labels } } });
  });

  test('gives load balancers their time before the first eviction, and the drain its own after that', () => {
    const spec = aPolicy({ spec: { drain: { loadBalancerDelay: '90s' } } }).spec;
    const record = { evictFrom: ago(-90_000), drainDeadline: ago(-90_000 - 30 * MINUTE) };
    expect(step({}, { spec }).commands[0]).toMatchObject({ record });
    expect(step().commands[0]).not.toHaveProperty('record.evictFrom');
  });

  test('keeps the policy’s grace period in the record', () => {
    const spec = aPolicy({ spec: { drain: { gracePeriodSeconds: 5 } } }).spec;
    expect(step({}, { spec }).commands[0]).toMatchObject({ record: { drain: { gracePeriodSeconds: 5 } } });
  });

  test.each([{ mode: 'None' as const }, { waitForVolumeDetach: false }])('waits for no volumes under %j', (drain) => {
    const [cordon] = step({}, { spec: aPolicy({ spec: { drain } }).spec }).commands;
    expect(cordon).not.toHaveProperty('record.drain.waitForVolumeDetach');
  });

  test('goes on where its policy is paused or halted meanwhile: what is in flight finishes', () => {
    expect(step({}, { annotations: { [BY_HAND.paused]: 'true' } }).commands[0]?.type).toBe('Cordon');
  });

  const away = { ready: { status: false, since: ago(MINUTE) } };
  const beside = (change: Partial<NodeView>) => {
    const node = aStagedNode('n1', { host: aHost({ staged: proof() }, order), ...change });
    const policy = aPolicy({ status });
    const nodes = [node, aStagedNode('n2', away), aStagedNode('n3')];
    const world = aWorld({ policies: [policy], nodes, pods: new Map([['n1', []]]) });
    const facts = factsOf(policy, nodes, world, NOW);
    return claimedStep(world, facts, facts.members[0] as Member, claims[0]!, NOW);
  };

  test('is given up where other nodes have become unavailable meanwhile, unless it is not Ready itself', () => {
    expect(beside({}).status.reason).toBe('CapacityReached');
    expect(beside({}).commands.map(({ type }) => type)).toEqual(['Order', 'Fence']);
    expect(beside(away).commands.map(({ type }) => type)).toEqual(['Cordon']);
  });

  const failures = [{ target: NEW, at: ago(MINUTE), reason: 'RolledBackByHost', bootID: 'boot-1', readySince: ago(MINUTE) }];

  const schedule = { windows: [{ cron: '0 2 * * *', duration: '4h', timeZone: 'UTC' }] };

  test.each<[string, Partial<NodeView>, Partial<PolicyView>, Partial<World>, string]>([
    ['its policy is being deleted', {}, { deleting: true }, {}, 'TakingBack'],
    ['it was paused', { annotations: { [BY_HAND.paused]: 'true' } }, {}, {}, 'Paused'],
    ['an annotation cannot be read', { annotations: { [BY_HAND.paused]: 'yes' } }, {}, {}, 'InvalidAnnotation'],
    ['its policy cannot be read', {}, { annotations: { [BY_HAND.pinVersion]: 'new' } }, {}, 'PolicyNotReady'],
    ['its window has closed since', {}, { spec: aPolicy({ spec: { schedule } }).spec }, {}, 'OutsideWindow'],
    ['nothing limits the agents', {}, {}, { guarded: false }, 'AdmissionPolicyMissing'],
    ['it is being deleted', { deleting: true }, {}, {}, 'BeingDeleted'],
    ['somebody else cordoned it', { unschedulable: true }, {}, {}, 'CordonedByOther'],
    ['it was pinned to what it runs', { annotations: { [BY_HAND.pinVersion]: OLD } }, {}, {}, 'UpToDate'],
    ['its target is known as bad', { update: anUpdate({ phase: 'Staged', failures }) }, {}, {}, 'KnownBad'],
    ['another version is staged', { host: aHost({ staged: proof(OLD) }, order) }, {}, {}, 'ProofLost'],
    ['what is staged was proven under another boot', { host: aHost({ staged: proof(), bootID: 'boot-0' }, order) }, {}, {}, 'ProofLost'],
    ['nothing is staged', { host: aHost({}, order) }, {}, {}, 'ProofLost'],
  ])('is given up where %s: Cancel first, then the fence', (_, node, policy, world, reason) => {
    const result = step(node, policy, world);
    expect(result.commands).toEqual([
      { type: 'Order', order: cancelOrder('n1') },
      { type: 'Fence', claim: 'claim-n1' },
    ]);
    expect(result.status).toMatchObject({ phase: 'Idle', reason });
    expect(result.status.message).toContain('its claim is given up');
  });

  test.each([
    ['it is cancelled already', { host: aHost({}, cancelOrder('n1')) }],
    ['there is no letterbox', { host: undefined as never }],
  ])('is only fenced where %s', (_, node) => {
    expect(step(node).commands).toEqual([{ type: 'Fence', claim: 'claim-n1' }]);
  });
});

import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import {
  aDaemonSetPod,
  aDrainContext,
  aFlight,
  ago,
  aHost,
  aNode,
  aPod,
  aRecord,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
  OLD,
  proof,
  rebootOrder,
} from '../testing/builders.ts';
import type { NodeView, PodView, World } from '../world.ts';
import { draining, readyDaemonSets } from './draining.ts';
import type { Flight } from './flight.ts';

const { controller: _, ...naked } = aPod('naked');
const os = (version: string) => ({ ...aNode('n1').os!, version });

function step(node: Partial<NodeView>, change: Partial<Flight> = {}, world: Partial<World> = {}, status: NodeUpdateStatus = {}) {
  return draining(aFlight(inFlightNode('n1', { phase: 'Draining', ...status }, node), change, world));
}
const types = ({ commands }: { commands: readonly { type: string }[] }) => commands.map(({ type }) => type);
const on = (...pods: PodView[]) => ({ pods: new Map([['n1', pods]]) });
const late = { record: aRecord('n1', { drainDeadline: ago(1) }) };

describe('draining', () => {
  test.each(['OutsideWindow', 'InExclusion'] as const)('is taken back where its policy releases: %s', (reason) => {
    const closed = { reason, message: 'waits for better times', until: NOW + MINUTE };
    const { status, commands } = step({}, { closed }, on(aPod('a')));
    expect(status).toMatchObject({ phase: 'Uncordoning', next: 'Staged', reason, message: closed.message });
    expect(commands).toMatchObject([{ type: 'WriteStatus' }, { type: 'Order', order: { action: 'Cancel' } }]);
  });

  test('lists the pods first', () => {
    const { status, lookAt, commands, until } = step({}, {}, { pods: new Map() });
    expect([status.reason, lookAt, commands, until]).toEqual(['Draining', true, [], NOW + 29 * MINUTE]);
  });

  test('evicts, and says what it waits for and what blocks', () => {
    const pods = [aPod('a'), aPod('b', { terminating: true }), aDaemonSetPod('cni')];
    const blocked = { pod: 'shop/a', reason: 'DisruptionBudget', budget: 'shop/web' };
    const { status, drain, until } = step({}, {}, { ...on(...pods), blockedPods: new Map([['n1', [blocked]]]) });
    expect(drain).toEqual({ node: 'n1', claim: 'claim-n1', evict: [pods[0]] });
    expect(status.message).toBe('waits for 2 pods: shop/a (shop/web), shop/b');
    expect(status.drain).toEqual({ startedAt: ago(MINUTE), total: 2, remaining: 2, blocked: [blocked] });
    expect(until).toBe(NOW + 29 * MINUTE);
  });

  test('uses the record’s grace period, and keeps the largest count as the total', () => {
    const record = aRecord('n1', { drain: { deleteEmptyDirData: true, force: false, gracePeriodSeconds: 5 } });
    const { drain, status } = step({ record }, {}, on(aPod('a')), { drain: { startedAt: ago(MINUTE), total: 7, remaining: 3 } });
    expect(drain?.gracePeriodSeconds).toBe(5);
    expect(status.drain).toMatchObject({ total: 7, remaining: 1 });
  });

  test('by the settings of the record, not by the policy’s of today', () => {
    const strict = aRecord('n1', { drain: { deleteEmptyDirData: false, force: false } });
    expect(step({ record: strict }, {}, on(aPod('a', { emptyDir: true }))).status.reason).toBe('CannotEvict');
  });

  test.each([
    ['a pod', [aPod('a')]],
    ['none: others’ connections go through the node', []],
  ])('waits until load balancers have noticed, with %s', (_, pods) => {
    const waiting = step({ record: aRecord('n1', { evictFrom: ago(-MINUTE) }) }, {}, on(...pods));
    expect(waiting).toMatchObject({ status: { phase: 'Draining', reason: 'LoadBalancerDelay' }, commands: [], until: NOW + MINUTE });
    expect(waiting.drain).toBeUndefined();
    const over = step({ record: aRecord('n1', { evictFrom: ago(0) }) }, {}, on(...pods));
    expect([over.status.reason, over.drain?.evict]).toEqual(pods.length > 0 ? ['Draining', pods] : ['RebootOrdered', undefined]);
  });

  test('evicts those whose turn it is, and waits for all', () => {
    const pods = [aPod('dns', { critical: 'cluster' }), aPod('web')];
    const { status, drain } = step({}, {}, on(...pods));
    expect(drain?.evict).toEqual([pods[1]]);
    expect([status.message, status.drain?.remaining]).toEqual(['waits for 2 pods: shop/web, shop/dns', 2]);
    expect(step({}, {}, on(aPod('dns', { critical: 'cluster' }))).drain?.evict).toHaveLength(1);
  });

  test('names what is lost, and what is left to the reboot', () => {
    const record = aRecord('n1', { drain: { deleteEmptyDirData: true, force: true, leaveToReboot: [{ namespaces: ['cache'] }] } });
    const { status } = step({ record }, {}, on(naked, aPod('a', { namespace: 'cache' }), aDaemonSetPod('cni')));
    expect(status.message).toBe(
      'waits for 1 pod: shop/naked; nobody will create again: shop/naked; left to the reboot: cache/a (LeftToReboot)',
    );
    expect(status.drain?.left).toEqual([{ pod: 'cache/a', reason: 'LeftToReboot' }]);
  });

  test('wakes when a pod that terminates for long is no longer waited for, and then goes on without it', () => {
    const record = aRecord('n1', { drain: { deleteEmptyDirData: true, force: false, skipWaitForDeleteMs: 5 * MINUTE } });
    const pod = aPod('a', { terminating: true, goneBy: ago(MINUTE) });
    expect(step({ record }, {}, on(pod)).until).toBe(NOW + 4 * MINUTE + 1);
    const { commands, status } = step({ record }, {}, on({ ...pod, goneBy: ago(6 * MINUTE) }));
    expect(types({ commands })).toEqual(['OrderReboot']);
    expect(status.message).toContain('left to the reboot: shop/a (TerminatingForLong)');
    expect(status.drain?.left).toEqual([{ pod: 'shop/a', reason: 'TerminatingForLong' }]);
  });

  describe('of pods that tolerate the cordon', () => {
    const before = aPod('a', { toleratesCordon: true, uid: 'before' });
    const after = aPod('a', { toleratesCordon: true, uid: 'after' });

    test('evicts none before it is persisted that it does, and all others meanwhile', () => {
      const first = step({}, {}, on(before, aPod('web')));
      expect([types(first), first.drain?.evict.map(({ name }) => name)]).toEqual([['WriteStatus'], ['web']]);
      expect(first.commands[0]).toEqual({ type: 'WriteStatus', status: first.status });
      const second = step({}, {}, on(before, aPod('web')), first.status);
      expect([types(second), second.drain?.evict.map(({ name }) => name)]).toEqual([[], ['a', 'web']]);
    });

    test('leaves what comes in their place, names it, and reboots', () => {
      const { status } = step({}, {}, on(before));
      expect(step({}, {}, on(before, after), status).drain?.evict).toEqual([before]);
      const drained = step({}, {}, on(after), status);
      expect(drained.commands).toMatchObject([{ type: 'OrderReboot', context: { evictedOnce: status.drain?.evictedOnce } }]);
      expect(drained.status.message).toContain('left to the reboot: shop/a (CameBack)');
      // The order could not be given: nothing of it is forgotten.
      expect(types(step({}, {}, on(after), drained.status))).toEqual(['OrderReboot']);
    });

    test('evicts them once more in the next claim', () => {
      const { status } = step({}, {}, on(before));
      expect(types(step({}, {}, on(after), { ...status, drain: undefined as never }))).toEqual(['WriteStatus']);
    });
  });

  test('cordons again what somebody uncordoned', () => {
    expect(types(step({ unschedulable: false }, {}, on(aPod('a'))))).toEqual(['CordonAgain']);
  });

  test.each<[string, Partial<NodeView>, Partial<Flight>, Partial<World>, string, string]>([
    ['pods that may not be evicted: none is', {}, {}, on(aPod('a'), naked), 'Blocked', 'CannotEvict'],
    ['the deadline has passed', late, {}, on(aPod('a')), 'Blocked', 'DrainTimeout'],
    ['the node was paused', {}, { byHand: { paused: true, problems: [] } }, on(aPod('a')), 'Staged', 'Paused'],
    ['its policy is gone', {}, { orphaned: true }, on(aPod('a')), 'Idle', 'TakingBack'],
    ['its policy is gone, and nothing is left to evict', {}, { orphaned: true }, on(), 'Idle', 'TakingBack'],
    ['drained, the proof is gone', { host: aHost() }, {}, on(), 'Staging', 'ProofLost'],
    ['drained, the proof is of another boot', { host: aHost({ staged: proof(), bootID: 'boot-0' }) }, {}, on(), 'Staging', 'ProofLost'],
    ['drained, another version is staged', { host: aHost({ staged: proof(OLD) }) }, {}, on(), 'Staging', 'ProofLost'],
    [
      'drained, the letterbox holds another order than at the cordon',
      { host: aHost({ staged: proof() }, { id: 'other', action: 'Cancel' }) },
      {},
      on(),
      'Staging',
      'ProofLost',
    ],
  ])('gives back: %s', (_name, node, change, world, next, reason) => {
    const result = step(node, change, world);
    expect(types(result)).toEqual(['WriteStatus', 'Order']);
    expect(result.commands[1]).toMatchObject({ order: { id: 'claim-n1.cancel', action: 'Cancel' } });
    expect(result.status).toMatchObject({ phase: 'Uncordoning', next, reason, claim: 'claim-n1' });
    expect(result.drain).toBeUndefined();
    expect(result.commands[0]).toEqual({ type: 'WriteStatus', status: result.status });
  });

  test('a Blocked node is tried again after a wait that grows', () => {
    expect(step(late, {}, on(aPod('a'))).status).toMatchObject({ attempts: 1, retryAt: ago(-MINUTE) });
    expect(step(late, {}, on(aPod('a')), { attempts: 2 }).status).toMatchObject({ attempts: 3, retryAt: ago(-4 * MINUTE) });
  });

  describe('that takes too long', () => {
    const pods = on(aPod('a'), aPod('b', { terminating: true }));
    const forbidden = new Map([['n1', [{ pod: 'shop/a', reason: 'DeleteForbidden', message: 'may not' }]]]);

    test('under Hold goes on, keeps its slot, and says how to end it', () => {
      const { status, drain, commands, until } = step(late, { onTimeout: 'Hold' }, pods);
      expect([status.phase, status.reason, commands, until]).toEqual(['Draining', 'DrainHeld', [], Number.POSITIVE_INFINITY]);
      expect(drain).toEqual({ node: 'n1', claim: 'claim-n1', evict: [pods.pods.get('n1')![0]] });
      expect(status.message).toMatch(
        /waits for 2 pods: shop\/a, shop\/b; to give .*: kubectl annotate nodeupdate n1 --overwrite lockkeeper.dev\/skip=/,
      );
    });

    test('under Hold ends when nothing is left', () => {
      expect(types(step(late, { onTimeout: 'Hold' }, on()))).toEqual(['OrderReboot']);
    });

    test('under Force has what is left deleted', () => {
      const { status, drain } = step(late, { onTimeout: 'Force' }, pods);
      expect([status.phase, status.reason, drain?.force]).toEqual(['Draining', 'DrainForced', true]);
      expect(step({}, { onTimeout: 'Force' }, pods).drain).not.toHaveProperty('force');
    });

    test('under Force, without the right to it, says so and goes on trying', () => {
      const { status, drain } = step(late, { onTimeout: 'Force' }, { ...pods, blockedPods: forbidden });
      expect([status.reason, drain?.force]).toEqual(['ForceForbidden', true]);
      expect(status.message).toMatch(/may not delete pods \(may not\): set the chart’s value controller.allowPodDeletion/);
    });

    test.each<[string, Partial<Flight>, Partial<World>, string, string]>([
      ['under Hold, its policy paused', { onTimeout: 'Hold', policyPaused: true }, {}, 'Staged', 'Paused'],
      [
        'under Force without the right, its policy paused',
        { onTimeout: 'Force', policyPaused: true },
        { blockedPods: forbidden },
        'Staged',
        'Paused',
      ],
      ['under Hold, skipped', { onTimeout: 'Hold', skipped: true }, {}, 'Blocked', 'Skipped'],
      ['skipped before it took too long', { skipped: true, record: aRecord('n1') }, {}, 'Blocked', 'Skipped'],
      ['under Skip, edited meanwhile', { onTimeout: 'Skip' }, {}, 'Blocked', 'DrainTimeout'],
    ])('is given back: %s', (_name, change, world, next, reason) => {
      expect(step(late, change, { ...pods, ...world }).status).toMatchObject({ phase: 'Uncordoning', next, reason });
    });

    test('under Force its policy’s pause changes nothing: what is in flight finishes', () => {
      expect(step(late, { onTimeout: 'Force', policyPaused: true }, pods).status.reason).toBe('DrainForced');
    });
  });

  test('of mode None reboots at once, whatever is there, and lists nothing', () => {
    const record = aRecord('n1', { drain: { mode: 'None', deleteEmptyDirData: false, force: false } });
    const { commands, status, drain } = step({ record }, {}, { pods: new Map() });
    expect([types({ commands }), drain]).toEqual([['OrderReboot'], undefined]);
    expect(status.message).toBe(`waits for the agent to activate ${NEW} and reboot`);
  });

  test('evicts nothing more from a node that is being deleted, and waits', () => {
    const result = step({ deleting: true, ...late }, {}, on(aPod('a')));
    expect([result.status.phase, result.status.reason, result.commands, result.drain]).toEqual(['Draining', 'BeingDeleted', [], undefined]);
  });

  test('the controller’s own pod does not hold up the drain where nobody else could act', () => {
    const own = aPod('lockkeeper-0', { namespace: 'lockkeeper' });
    const self = { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: 'n1' };
    expect(types(step({}, {}, { ...on(own), self }))).toEqual(['OrderReboot']);
    expect(step({}, {}, { ...on(own), self, standby: true }).drain?.evict).toEqual([own]);
  });
});

describe('drained', () => {
  test('orders the reboot of this boot into the record’s target, with the status first', () => {
    const { commands, status, until } = step({});
    expect(commands).toEqual([{ type: 'OrderReboot', order: rebootOrder('n1'), record: aRecord('n1'), context: aDrainContext(), status }]);
    expect(status).toMatchObject({
      phase: 'Rebooting',
      reason: 'RebootOrdered',
      deadlines: { drain: ago(-29 * MINUTE), reboot: ago(-15 * MINUTE) },
    });
    expect(status).not.toHaveProperty('drain');
    expect(until).toBe(NOW + 15 * MINUTE);
  });

  test('cordons again before it orders', () => {
    expect(types(step({ unschedulable: false }))).toEqual(['CordonAgain', 'OrderReboot']);
  });

  test('orders again after a crash, and restarts no clock', () => {
    const persisted = { phase: 'Rebooting' as const, deadlines: { reboot: ago(-MINUTE) } };
    expect(step({}, {}, {}, persisted).status.deadlines?.reboot).toBe(ago(-MINUTE));
    const unlisted = step({}, {}, { pods: new Map() }, persisted).status;
    expect([unlisted.phase, unlisted.deadlines?.reboot]).toEqual(['Draining', ago(-MINUTE)]);
    expect(step({}, {}, on(aPod('late')), persisted).status.deadlines?.reboot).toBe(ago(-MINUTE));
    expect(step({}, {}, {}, unlisted).status.deadlines?.reboot).toBe(ago(-MINUTE));
    const passed = step({}, {}, {}, { ...persisted, deadlines: { reboot: ago(1) } });
    expect(passed.status).toMatchObject({ phase: 'Uncordoning', next: 'Blocked', reason: 'RebootNotStarted' });
  });

  test.each<[string, Partial<NodeView>, Partial<World>, string, string]>([
    ['nothing limits the agents: waits', {}, { guarded: false }, 'Draining', 'AdmissionPolicyMissing'],
    ['no letterbox: waits', { host: undefined as never }, {}, 'Draining', 'AgentMissing'],
    ['no letterbox until the deadline: is given back', { host: undefined as never, ...late }, {}, 'Blocked', 'AgentMissing'],
  ])('%s', (_name, node, world, phase, reason) => {
    const { status, commands } = step(node, {}, world);
    expect([status.phase, status.reason]).toEqual([phase, reason]);
    expect(commands.map(({ type }) => type)).not.toContain('OrderReboot');
  });
});

describe('another boot while it drains', () => {
  test('into the target: verified', () => {
    const { status } = step({ bootID: 'boot-2', os: os(NEW) }, {}, on(aPod('a')));
    expect(status.phase).toBe('Verifying');
  });

  test('into anything else: somebody else’s, given back, no failure', () => {
    const { status, commands } = step({ bootID: 'boot-2' }, {}, on(aPod('a')));
    expect(status).toMatchObject({ phase: 'Staging', reason: 'ForeignReboot' });
    expect(status).not.toHaveProperty('failures');
    expect(commands.map(({ type }) => type)).toEqual(['WriteStatus', 'Uncordon', 'WriteStatus']);
  });
});

describe('readyDaemonSets', () => {
  test('each once, sorted, only those with a Ready pod that stays', () => {
    const of = (name: string, change: Partial<PodView> = {}) =>
      aDaemonSetPod(name, { controller: { apiVersion: 'apps/v1', kind: 'DaemonSet', name }, ...change });
    expect(
      readyDaemonSets([of('z'), of('a'), of('a'), of('sick', { ready: false }), of('going', { terminating: true }), aPod('web')]),
    ).toEqual({ readyDaemonSets: ['kube-system/a', 'kube-system/z'] });
  });

  test('with what runs in them, where the kubelet says it', () => {
    expect(
      readyDaemonSets([
        aDaemonSetPod('cni-1', { containers: 'c1' }),
        aDaemonSetPod('cni-2', { containers: 'c2', ready: false }),
        aPod('web', { containers: 'c3' }),
      ]),
    ).toEqual({ readyDaemonSets: ['kube-system/cni'], daemonSetContainers: ['c1'] });
  });
});

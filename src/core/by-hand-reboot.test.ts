import { describe, expect, test } from '@jest/globals';
import { BY_HAND, ON_NODE } from '../api/names.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { decide } from './decide.ts';
import { rebootOrderID } from './flight/flight.ts';
import {
  aClaim,
  ago,
  aHost,
  aNode,
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

const token = (value = 'token') => ({ [BY_HAND.reboot]: value });
const upToDate = (change: NodeUpdateStatus = {}) =>
  anUpdate({ policy: 'default', phase: 'Idle', reason: 'UpToDate', from: OLD, target: OLD, ...change });
const quiet = { host: aHost({ available: [OLD] }) };
const asked = (change: Partial<NodeView> = {}, status: NodeUpdateStatus = {}) =>
  aNode('n1', { ...quiet, annotations: token(), update: upToDate(status), ...change });

function decided(nodes: readonly NodeView[], policy: PolicyView = aPolicy(), change: Partial<World> = {}) {
  const pods = new Map(nodes.map(({ name }) => [name, []]));
  const decision = decide(aWorld({ policies: [policy], nodes, pods, ...change }), NOW);
  const of = (name: string) => decision.nodes.find(({ node }) => node === name);
  return { decision, of, first: of('n1'), claims: decision.policies[0]?.claims?.map(({ node, rollout }) => [node, rollout]) };
}

describe('a reboot that was asked for', () => {
  test.each<[string, NodeView, PolicyView]>([
    ['on the Node', asked(), aPolicy()],
    ['on the NodeUpdate', aNode('n1', { ...quiet, update: { ...upToDate(), annotations: token() } }), aPolicy()],
    ['on the policy', aNode('n1', { ...quiet, update: upToDate() }), aPolicy({ annotations: token() })],
    ['again, by another token', asked({}, { tokens: { reboot: 'before' } }), aPolicy()],
    [
      'on the NodeUpdate, beside one on the Node that was acted upon',
      asked({ update: { ...upToDate({ tokens: { reboot: 'token' } }), annotations: token('other') } }),
      aPolicy(),
    ],
    ['under Manual', asked(), aPolicy({ spec: { approval: 'Manual' } })],
    [
      'on a node that waits for its group',
      asked({ host: aHost() }),
      aPolicy({
        status: { rollouts: [aRollout()] },
        spec: { rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }] } },
      }),
    ],
  ])('takes a slot: %s', (_, node, policy) => {
    expect(decided([node], policy).claims).toEqual([['n1', `reboot-${OLD}`]]);
  });

  test.each<[string, NodeView, PolicyView]>([
    ['it was acted upon', asked({}, { tokens: { reboot: 'token' } }), aPolicy()],
    ['nothing remembers whether it was', asked({ update: anUpdate({}) }), aPolicy()],
    [
      'the node comes from another policy, and it was acted upon in this one',
      aNode('n1', { ...quiet, update: upToDate({ policy: 'other' }) }),
      aPolicy({ annotations: token(), status: { tokens: { reboot: 'token' } } }),
    ],
    [
      'no policy had the node meanwhile, and it was acted upon in this one',
      aNode('n1', { ...quiet, update: upToDate({ policy: undefined as never }) }),
      aPolicy({ annotations: token(), status: { tokens: { reboot: 'token' } } }),
    ],
    [
      'the node is new, and it was acted upon in its policy',
      aNode('n1', quiet),
      aPolicy({ annotations: token(), status: { tokens: { reboot: 'token' } } }),
    ],
  ])('is none where %s', (_, node, policy) => {
    const { claims, first } = decided([node], policy);
    expect([claims, first?.status.reason]).toEqual([undefined, 'UpToDate']);
  });

  test.each<[string, PolicyView, Partial<NodeView>, Partial<World>, string]>([
    ['a pause', aPolicy({ spec: { paused: true } }), {}, {}, 'Paused'],
    [
      'a window',
      aPolicy({ spec: { schedule: { windows: [{ cron: '0 2 * * *', duration: '1h', timeZone: 'UTC' }] } } }),
      {},
      {},
      'OutsideWindow',
    ],
    ['an exclusion', aPolicy({ spec: { schedule: { exclusions: [{ from: ago(MINUTE), to: ago(-MINUTE) }] } } }), {}, {}, 'InExclusion'],
    [
      'a halt',
      aPolicy({
        status: {
          rollouts: [aRollout({ failed: [{ node: 'n3', hostID: 'host-n3', target: NEW, reason: 'RebootTimeout', at: ago(MINUTE) }] })],
        },
      }),
      {},
      {},
      'Halted',
    ],
    ['somebody else’s cordon', aPolicy(), { unschedulable: true }, {}, 'CordonedByOther'],
    ['an agent that is missing', aPolicy(), { agent: 'missing' }, {}, 'AgentMissing'],
    ['a host that has not reported', aPolicy(), { host: { ...aHost(), status: {} } }, {}, 'AwaitingReport'],
    ['a missing admission policy', aPolicy(), {}, { guarded: false }, 'AdmissionPolicyMissing'],
    ['a check', aPolicy({ spec: { checks: [{ pods: { namespace: 'shop', minReady: 1 } }] } }), {}, {}, 'CheckPending'],
  ])('waits for %s, and says so', (_, policy, change, world, reason) => {
    const { claims, first } = decided([asked(change)], policy, world);
    expect(claims).toBeUndefined();
    expect(first?.status).toMatchObject({ phase: 'Idle', reason, from: OLD });
  });

  test('waits for a slot like any other', () => {
    const away = aNode('n0', { ready: { status: false, since: ago(MINUTE) }, update: upToDate(), ...quiet });
    const { first } = decided([away, asked(), aNode('n2', { ...quiet, update: upToDate() })]);
    expect(first?.status).toMatchObject({ reason: 'CapacityReached', message: expect.stringMatching(/^a reboot was asked for: /) });
  });

  test('is looked at as a drain is: Blocked by pods that may never be evicted', () => {
    const { controller: _, ...naked } = aPod('naked');
    const { claims, first } = decided([asked()], aPolicy(), { pods: new Map([['n1', [naked]]]) });
    expect([claims, first?.status.phase, first?.status.reason]).toEqual([undefined, 'Blocked', 'CannotEvict']);
  });

  test('comes before an update that waits for its turn, and after one that is urgent, whose reboot answers it', () => {
    const rollouts = [aRollout()];
    const staged = aStagedNode('n1', { annotations: token() });
    expect(decided([staged], aPolicy({ status: { rollouts } })).claims).toEqual([['n1', `reboot-${OLD}`]]);
    const urgent = aPolicy({ status: { rollouts }, annotations: { [BY_HAND.urgent]: NEW } });
    expect(decided([staged], urgent).claims).toEqual([['n1', 'rollout-1']]);
    const claimed = { ...urgent, status: { rollouts, claims: [aClaim('n1')] } };
    expect(decided([staged], claimed).first?.commands).toContainEqual(
      expect.objectContaining({
        type: 'Cordon',
        record: expect.objectContaining({ target: NEW, urgent: true, reboot: { reboot: 'token' } }),
      }),
    );
  });

  test('holds up no group, and the node counts as updated', () => {
    const groups = [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }];
    const shut = { windows: [{ cron: '0 2 * * *', duration: '1h', timeZone: 'UTC' }] };
    const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
    const canary = asked({ os, labels: { ring: 'canary' } });
    const { decision } = decided([canary], aPolicy({ spec: { rollout: { groups }, schedule: shut }, status: { rollouts: [aRollout()] } }));
    expect(decision.policies[0]?.status.rollouts?.[0]?.groups).toMatchObject([{ state: 'Finished' }]);
    expect(decision.policies[0]?.status.counts).toMatchObject({ updated: 1, outdated: 0 });
  });
});

describe('a reboot by hand in flight', () => {
  const record = aRecord('n1', { target: OLD, rollout: `reboot-${OLD}`, reboot: { reboot: 'token' }, minReadySeconds: 0 });
  const claims = [aClaim('n1', { rollout: `reboot-${OLD}` })];
  const policy = aPolicy({ status: { claims } });
  const flying = (status: NodeUpdateStatus, change: Partial<NodeView> = {}) =>
    inFlightNode('n1', { target: OLD, ...status }, { record, annotations: token(), host: aHost(), ...change });

  test('is cordoned with a record that names what runs', () => {
    const { first } = decided([asked()], policy);
    const [cordon] = first?.commands.filter(({ type }) => type === 'Cordon') ?? [];
    expect(cordon).toMatchObject({ record: { from: OLD, target: OLD, reboot: { reboot: 'token' }, rollout: `reboot-${OLD}` } });
    expect(cordon).not.toHaveProperty('record.urgent');
  });

  test.each([
    ['nothing is staged', aHost()],
    ['a newer version is staged, which is not activated', aHost({ staged: proof() })],
  ])('is ordered with the running version, where %s', (_, host) => {
    const { first } = decided([flying({ phase: 'Draining' }, { host })], policy);
    expect(first?.commands).toMatchObject([
      { type: 'OrderReboot', order: { id: rebootOrderID(record), action: 'Reboot', version: OLD, bootID: 'boot-1' } },
    ]);
    expect(first?.status).toMatchObject({ phase: 'Rebooting', message: 'waits for the agent to reboot the host' });
    expect(first?.status.tokens?.reboot).toBeUndefined();
  });

  test('is not ordered over an order that was given meanwhile', () => {
    const host = aHost({}, { id: 'stage-2', action: 'Stage', version: NEW });
    expect(decided([flying({ phase: 'Draining' }, { host })], policy).first?.status).toMatchObject({
      phase: 'Uncordoning',
      reason: 'ProofLost',
    });
  });

  test('counts once: its token is persisted before the record goes, and it is not behind for less long', () => {
    const behindSince = ago(10 * MINUTE);
    const { first } = decided([flying({ phase: 'Verifying', behindSince }, { bootID: 'boot-2' })], policy);
    expect(first?.commands.map((command) => [command.type, 'status' in command && command.status.tokens])).toEqual([
      ['WriteStatus', { reboot: 'token' }],
      ['Uncordon', false],
      ['WriteStatus', { reboot: 'token' }],
    ]);
    expect(first?.status).toMatchObject({ phase: 'Idle', behindSince, history: [{ from: OLD, to: OLD, outcome: 'Rebooted' }] });
    const landed = aNode('n1', {
      ...quiet,
      annotations: { ...token(), [ON_NODE.fence]: 'claim-n1' },
      update: anUpdate(first?.status ?? {}),
    });
    expect(decided([landed]).claims).toBeUndefined();
  });

  test('that failed is not asked for again, not even after a retry', () => {
    const { first } = decided(
      [
        flying(
          { phase: 'Rebooting', reason: 'RebootAsked', deadlines: { reboot: ago(1) } },
          {
            host: aHost(
              { answer: { id: rebootOrderID(record), state: 'RebootAsked', startedAt: ago(MINUTE) } },
              { id: rebootOrderID(record), action: 'Reboot', version: OLD, bootID: 'boot-1' },
            ),
          },
        ),
      ],
      policy,
    );
    expect(first?.status).toMatchObject({ phase: 'Failed', reason: 'RebootTimeout', tokens: { reboot: 'token' } });
  });

  test('that was given back before its reboot is tried again by itself', () => {
    const late = { record: { ...record, drainDeadline: ago(1) } };
    const { first } = decided([flying({ phase: 'Draining' }, late)], policy, { pods: new Map([['n1', [aPod('web')]]]) });
    expect(first?.status).toMatchObject({ phase: 'Uncordoning', next: 'Blocked', reason: 'DrainTimeout' });
    const { tokens: _, ...status } = first?.status ?? {};
    const blocked = asked({ update: anUpdate({ ...status, phase: 'Blocked', retryAt: ago(1) }) });
    expect(decided([blocked]).claims).toEqual([['n1', `reboot-${OLD}`]]);
    const waits = asked({ update: anUpdate({ ...status, phase: 'Blocked', retryAt: ago(-MINUTE) }) });
    expect(decided([waits]).first?.status).toMatchObject({ phase: 'Blocked', reason: 'DrainTimeout' });
  });

  test('is answered by the reboot of an update, too', () => {
    const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
    const update = flying({ phase: 'Verifying', target: NEW }, { bootID: 'boot-2', os, record: { ...record, target: NEW } });
    expect(decided([update], policy).first?.status).toMatchObject({ tokens: { reboot: 'token' }, history: [{ outcome: 'Updated' }] });
  });
});

describe('a node that was cordoned for a token that had been acted upon', () => {
  const record = aRecord('n1', { target: OLD, reboot: { reboot: 'token', policyReboot: 'all' } });
  const claimed = aPolicy({ status: { claims: [aClaim('n1')] } });
  const draining = (tokens: NonNullable<NodeUpdateStatus['tokens']>) =>
    inFlightNode('n1', { phase: 'Draining', target: OLD, tokens }, { record, annotations: token(), host: aHost() });

  test.each([
    ['both were', { reboot: 'token', policyReboot: 'all' }, 'Uncordoning'],
    ['one was not', { reboot: 'token' }, 'Rebooting'],
    ['none was', {}, 'Rebooting'],
  ])('%s', (_, tokens, phase) => {
    expect(decided([draining(tokens)], claimed).first?.status.phase).toBe(phase);
  });
});

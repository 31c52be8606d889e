import { describe, expect, test } from '@jest/globals';
import { durationMs } from '../../api/primitives.ts';
import type { Reason } from '../reasons.ts';
import {
  aBudget,
  ago,
  aHost,
  aNode,
  anAnswer,
  aPod,
  aPolicy,
  aWorld,
  inFlightNode,
  NEW,
  NOW,
  OLD,
  proof,
  rebootOrder,
} from '../testing/builders.ts';
import type { NodeView, World } from '../world.ts';
import { type Assumptions, type Forecast, forecast } from './forecast.ts';

const MINUTE = 60_000;
const durations = { stagingMs: 2 * MINUTE, drainMs: 3 * MINUTE, rebootMs: MINUTE, readyMs: 30_000, hookMs: 10_000 };
const assumptions: Assumptions = { durationsOf: () => durations, until: NOW + durationMs('8760h') };

const nodes = (...names: string[]) => names.map((name) => aNode(name));
const seconds = (at: number | undefined) => (at === undefined ? undefined : (at - NOW) / 1_000);
const reasonsOf = ({ nodes }: Forecast, name: string): Reason[] =>
  nodes.find(({ node }) => node === name)?.stays.map(({ reason }) => reason) ?? [];
const claims = ({ nodes }: Forecast) => nodes.map(({ node, claimedAt }) => [node, seconds(claimedAt)]);
const run = (world: Partial<World>, change: Partial<Assumptions> = {}) => forecast(aWorld(world), NOW, { ...assumptions, ...change });

describe('a forecast', () => {
  test('of a cluster that is up to date is done at once', () => {
    const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
    const { endsAt, left, nodes } = run({ nodes: ['a', 'b'].map((name) => aNode(name, { os, host: aHost({ version: NEW }) })) });
    expect([endsAt, left, nodes.map(({ node }) => node)]).toEqual([NOW, [], ['a', 'b']]);
  });

  test('says when a node stages, is claimed, drained, rebooted and given back', () => {
    const [node] = run({ nodes: nodes('a') }).nodes;
    const at = [node?.stagedAt, node?.claimedAt, node?.cordonedAt, node?.drainedAt, node?.rebootedAt, node?.uncordonedAt].map(seconds);
    // Ready half a minute after the boot, and for ten seconds then.
    expect(at).toEqual([120, 120, 120, 300, 360, 400]);
    expect(node?.stays.map(({ phase, reason }) => `${phase} ${reason}`)).toEqual([
      'Staging Staging',
      'Draining Draining',
      'Rebooting RebootAsked',
      'Verifying Verifying',
      'Idle UpToDate',
    ]);
    expect([node?.from, node?.to]).toEqual([OLD, NEW]);
  });

  test('has one node after the other, in the order in which they are claimed, each by its own durations', () => {
    const slow = { ...durations, drainMs: 10 * MINUTE };
    const outcome = run({ nodes: nodes('c', 'a', 'b') }, { durationsOf: (node) => (node === 'a' ? slow : durations) });
    const each = 280;
    expect(claims(outcome)).toEqual([
      ['a', 120],
      ['b', 120 + each + 420],
      ['c', 120 + 2 * each + 420],
    ]);
    expect(seconds(outcome.endsAt)).toBe(120 + 3 * each + 420);
    expect(reasonsOf(outcome, 'c')).toContain('CapacityReached');
  });

  test('waits for windows, and for the soak of a group', () => {
    const schedule = { windows: [{ cron: '0 2 * * *', duration: '1h', timeZone: 'UTC' }] };
    const groups = [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak: '24h' }];
    const policy = aPolicy({ spec: { schedule, rollout: { groups } } });
    const outcome = run({ policies: [policy], nodes: [aNode('z', { labels: { ring: 'canary' } }), aNode('a')] });
    const [canary, other] = outcome.nodes;
    expect([canary?.node, new Date(canary?.claimedAt ?? 0).toISOString()]).toEqual(['z', '2026-03-02T02:00:00.000Z']);
    expect([other?.node, new Date(other?.claimedAt ?? 0).toISOString()]).toEqual(['a', '2026-03-03T02:04:40.000Z']);
    expect(reasonsOf(outcome, 'a')).toEqual(expect.arrayContaining(['OutsideWindow', 'GroupSoaking']));
  });

  test('goes on from what is in flight', () => {
    const answer = anAnswer('claim-b.reboot', 'RebootAsked');
    const rebooting = inFlightNode(
      'b',
      { phase: 'Rebooting', deadlines: { reboot: ago(-15 * MINUTE) } },
      { host: aHost({ staged: proof(), answer }, rebootOrder('b')) },
    );
    const { nodes, endsAt } = run({ nodes: [rebooting] });
    expect([seconds(nodes[0]?.rebootedAt), seconds(endsAt)]).toEqual([60, 100]);
  });

  test.each<[string, Partial<World>, Partial<NodeView>, Reason]>([
    ['paused by hand', {}, { annotations: { 'lockkeeper.dev/paused': 'true' } }, 'Paused'],
    ['cordoned by somebody', {}, { unschedulable: true }, 'CordonedByOther'],
    ['without an agent', {}, { agent: 'missing' }, 'AgentMissing'],
    ['of a policy that waits for approval', { policies: [aPolicy({ spec: { approval: 'Manual' } })] }, {}, 'AwaitingApproval'],
    [
      'with a pod whose budget never allows it',
      {
        pods: new Map([['a', [aPod('web', { labels: { app: 'web' } })]]]),
        budgets: new Map([['shop', [aBudget('web', { expectedPods: 2 })]]]),
      },
      {},
      'CannotEvict',
    ],
  ])('of a node %s says what keeps it from ending', (_, world, change, reason) => {
    const outcome = run({ nodes: [aNode('a', change)], ...world });
    expect([outcome.endsAt, outcome.left, reasonsOf(outcome, 'a').at(-1)]).toEqual([undefined, ['a'], reason]);
  });

  test('is the same each time, and leaves the world as it is', () => {
    const world = aWorld({ nodes: nodes('a', 'b', 'c'), policies: [aPolicy({ spec: { rollout: { maxUnavailable: 2 } } })] });
    const before = structuredClone(world);
    expect(forecast(world, NOW, assumptions)).toEqual(forecast(world, NOW, assumptions));
    expect(world).toEqual(before);
  });
});

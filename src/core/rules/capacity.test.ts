import { describe, expect, test } from '@jest/globals';
import { aCandidate, aClaim, ago, aNode, aPolicy, aRecord, aWorld, MINUTE, NOW } from '../testing/builders.ts';
import { capacity } from './capacity.ts';

const notReady = { ready: { status: false, since: ago(MINUTE) } };
const free = aNode('n1');
const others = (...changes: Parameters<typeof aNode>[1][]) => changes.map((change, index) => aNode(`n${index + 2}`, change));

describe('capacity', () => {
  test.each([
    ['all available', 1, others({}, {}), [], undefined],
    ['one cordoned by somebody', 1, others({ unschedulable: true }, {}), [], 'CapacityReached'],
    ['one not ready', 1, others(notReady, {}), [], 'CapacityReached'],
    ['one in flight', 1, others({ record: aRecord('n2') }, {}), [], 'CapacityReached'],
    ['one whose record cannot be read', 1, others({ record: 'unreadable' }, {}), [], 'CapacityReached'],
    ['one claimed in this pass', 1, others({}, {}), ['n2'], 'CapacityReached'],
    ['one of two', 2, others({ unschedulable: true }, {}), [], undefined],
    ['two of two', 2, others({ unschedulable: true }, notReady, {}), [], 'CapacityReached'],
    ['one in flight, one claimed in this pass, of two', 2, others({ record: aRecord('n2') }, {}), ['n3'], 'CapacityReached'],
    ['one that is not ready, claimed in this pass, counts once', 2, others(notReady, {}), ['n2'], undefined],
    ['half of four', '50%', others({ unschedulable: true }, {}, {}), [], undefined],
    ['a third of four is one', '33%', others({ unschedulable: true }, {}, {}), [], 'CapacityReached'],
    ['all but one of two', '100%', others({ unschedulable: true }), [], 'CapacityReached'],
    ['alone', '100%', [], [], undefined],
  ])('%s', (_, maxUnavailable, nodes, claimed, reason) => {
    const world = aWorld({ policies: [aPolicy({ spec: { rollout: { maxUnavailable } } })], nodes: [free, ...nodes] });
    expect(capacity(aCandidate(world, { claimed: new Set(claimed) }), NOW)?.reason).toBe(reason);
  });

  test('counts a claim whose node carries no record yet', () => {
    const world = aWorld({ policies: [aPolicy({ status: { claims: [aClaim('n2')] } })], nodes: [free, ...others({}, {})] });
    expect(capacity(aCandidate(world), NOW)?.reason).toBe('CapacityReached');
  });

  test('does not count a claim on an earlier node of the same name', () => {
    const claims = [aClaim('n2', { uid: 'uid-of-an-earlier-n2' })];
    const world = aWorld({ policies: [aPolicy({ status: { claims } })], nodes: [free, ...others({}, {})] });
    expect(capacity(aCandidate(world), NOW)).toBeUndefined();
  });

  test('a node that is not ready anyway takes no further slot', () => {
    const world = aWorld({ nodes: [aNode('n1', notReady), ...others({ unschedulable: true })] });
    expect(capacity(aCandidate(world), NOW)).toBeUndefined();
  });

  test('names the limit', () => {
    const world = aWorld({ nodes: [free, ...others({ unschedulable: true }, {})] });
    expect(capacity(aCandidate(world), NOW)?.message).toBe(
      'waits for its turn: 1 of 3 nodes may be unavailable at once, and so already is n2 (cordoned by somebody else)',
    );
  });

  test('names of the nodes that take slots only those that are not begun by us', () => {
    const taken = others(notReady, { unschedulable: true, record: aRecord('n3') }, {});
    expect(capacity(aCandidate(aWorld({ nodes: [free, ...taken] })), NOW)?.message).toMatch(/at once, and so already is n2 \(not ready\)$/);
    const ours = others({ unschedulable: true, record: aRecord('n2') }, {});
    expect(capacity(aCandidate(aWorld({ nodes: [free, ...ours] })), NOW)?.message).toMatch(/at once$/);
  });

  test('in a large fleet names the nodes that others take only where they alone leave no room', () => {
    const many = (lost: number) => [free, ...others(...Array.from({ length: 100 }, (_, index) => (index < lost ? notReady : {})))];
    const said = (lost: number, claimed: string[]) =>
      capacity(
        aCandidate(aWorld({ policies: [aPolicy({ spec: { rollout: { maxUnavailable: 2 } } })], nodes: many(lost) }), {
          claimed: new Set(claimed),
        }),
        NOW,
      )?.message;
    expect(said(1, ['n50'])).toMatch(/at once$/);
    expect(said(2, [])).toMatch(/at once, and so already are n2 \(not ready\), n3 \(not ready\)$/);
  });

  test.each([
    ['none of the group is unavailable', {}, 2, [], undefined],
    ['one of the group is', { unschedulable: true }, 2, [], 'CapacityReached'],
    ['one of the group was claimed in this pass', {}, 2, ['n2'], 'CapacityReached'],
    ['one of another group was claimed in this pass', {}, 2, ['n3'], undefined],
  ])('a group may have a limit of its own: %s', (_, change, maxUnavailable, claimed, reason) => {
    const groups = [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, maxUnavailable: 1 }];
    const labels = { ring: 'canary' };
    const world = aWorld({
      policies: [aPolicy({ spec: { rollout: { maxUnavailable, groups } } })],
      nodes: [aNode('n1', { labels }), aNode('n2', { labels, ...change }), aNode('n3'), aNode('n4')],
    });
    expect(capacity(aCandidate(world, { claimed: new Set(claimed) }), NOW)?.reason).toBe(reason);
  });
});

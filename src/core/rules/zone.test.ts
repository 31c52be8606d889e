import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aRollout, aWorld, NOW } from '../testing/builders.ts';
import { zone } from './zone.ts';

const labels = (name?: string): Record<string, string> => (name === undefined ? {} : { 'topology.kubernetes.io/zone': name });
const on = (node: string) => ({ self: { namespace: 'lockkeeper', pod: 'lockkeeper-0', node } });

describe('zone', () => {
  test.each([
    ['of its zone', 'b', { group: 0, zone: 'b' }, {}, undefined],
    ['of a later zone', 'c', { group: 0, zone: 'b' }, {}, 'AwaitingZone'],
    ['of an earlier zone, late', 'a', { group: 0, zone: 'b' }, {}, undefined],
    ['without a zone', undefined, { group: 0, zone: 'b' }, {}, undefined],
    ['those without a zone go first', 'a', { group: 0, zone: '' }, {}, 'AwaitingZone'],
    ['no zone has its turn', 'a', { group: 0 }, {}, undefined],
    ['of a finished group, late', 'c', { group: 1, zone: 'b' }, {}, undefined],
    ['the leader’s own node has a rule of its own', 'c', { group: 0, zone: 'b' }, on('n1'), undefined],
  ])('%s', (_, name, turn, self, reason) => {
    const world = aWorld({ nodes: [aNode('n1', { labels: labels(name) })], ...self });
    expect(zone(aCandidate(world, { turn: { rollout: aRollout(), ...turn } }), NOW)?.reason).toBe(reason);
  });

  test('names the zone that it waits for', () => {
    const world = aWorld({ nodes: [aNode('n1', { labels: labels('c') })] });
    expect(zone(aCandidate(world, { turn: { rollout: aRollout(), group: 0, zone: 'b' } }), NOW)?.message).toContain('zone b');
  });
});

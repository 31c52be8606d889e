import { describe, expect, test } from '@jest/globals';
import { NodeSpells } from './node-spells.ts';

const up = (version: string) => ({ unavailable: false, osImage: `Bottlerocket OS ${version} (aws-k8s-1.31)` });
const down = (version: string) => ({ ...up(version), unavailable: true });

describe('how long nodes are unavailable', () => {
  test('each node from its first unavailable version to the first available one', () => {
    const nodes = new NodeSpells();
    for (const name of ['a', 'b']) nodes.see(name, up('1.26.0'), 0);
    nodes.see('a', down('1.26.0'), 1_000);
    nodes.see('a', down('1.26.1'), 2_000);
    nodes.see('b', down('1.26.0'), 2_500);
    expect(nodes.unavailable).toEqual(['a', 'b']);
    expect(nodes.runs('a', '1.26.1')).toBe(false);
    nodes.see('a', up('1.26.1'), 4_000);
    nodes.see('b', up('1.26.1'), 5_000);
    expect(nodes.runs('a', '1.26.1')).toBe(true);
    expect(nodes.runs('a', '1.26.10')).toBe(false);
    expect(nodes.unavailableSeconds).toEqual([3, 2.5]);
    expect([nodes.mostUnavailable, nodes.firstUnavailableAt, nodes.lastBackAt]).toEqual([2, 1_000, 5_000]);
  });

  test('a second spell counts to the first', () => {
    const nodes = new NodeSpells();
    for (const at of [0, 10_000]) {
      nodes.see('a', down('1.26.0'), at);
      nodes.see('a', up('1.26.0'), at + 1_000);
    }
    expect(nodes.unavailableSeconds).toEqual([2]);
    expect(nodes.mostUnavailable).toBe(1);
  });

  test('nothing from before a reset counts, but a node that is unavailable is so from then on', () => {
    const nodes = new NodeSpells();
    nodes.see('a', down('1.26.0'), 0);
    nodes.see('b', down('1.26.0'), 0);
    nodes.see('b', up('1.26.0'), 5_000);
    nodes.reset(10_000);
    expect([nodes.mostUnavailable, nodes.firstUnavailableAt, nodes.lastBackAt]).toEqual([1, 10_000, undefined]);
    nodes.see('a', up('1.26.0'), 11_000);
    expect(nodes.unavailableSeconds).toEqual([1]);
  });

  test('a node that is gone is not unavailable for ever', () => {
    const nodes = new NodeSpells();
    nodes.see('a', down('1.26.0'), 0);
    nodes.forget('a');
    expect(nodes.unavailable).toEqual([]);
    expect(nodes.runs('a', '1.26.0')).toBe(false);
  });
});

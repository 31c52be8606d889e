import { describe, expect, test } from '@jest/globals';
import { drawPanels } from './chart.ts';

const points = [
  { nodes: 100, value: 10 },
  { nodes: 1_000, value: 100 },
];

describe('a chart', () => {
  test('shows each line with its points, its name, and the sizes', () => {
    const svg = drawPanels([{ title: 'Memory', unit: 'MB', lines: [{ name: 'RSS <peak>', points }] }]);
    expect(svg.match(/<circle/g)).toHaveLength(2);
    expect(svg).toContain('RSS &lt;peak&gt;');
    expect(svg).toContain('>1,000</text>');
    expect(svg).toContain('MB, over the number of nodes');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('draws what grows with the cluster along the dotted line', () => {
    const svg = drawPanels([{ title: 'a', unit: 's', lines: [{ name: 'a', points }] }]);
    const drawn = /<path d="(M[^"]+)" fill="none" stroke="#0072b2"/.exec(svg)?.[1];
    expect(drawn).toMatch(/^M[\d.]+ [\d.]+L[\d.]+ [\d.]+$/);
    expect(svg).toContain(`<path d="${drawn}" fill="none" stroke="#999999"`);
  });

  test('leaves out what has no logarithm, and panels without a point', () => {
    const svg = drawPanels([
      { title: 'zero', unit: 's', lines: [{ name: 'none', points: [{ nodes: 100, value: 0 }] }] },
      { title: 'one size', unit: 's', lines: [{ name: 'one', points: points.slice(0, 1) }] },
    ]);
    expect(svg).not.toContain('zero');
    expect(svg.match(/<circle/g)).toHaveLength(1);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(drawPanels([])).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  });
});

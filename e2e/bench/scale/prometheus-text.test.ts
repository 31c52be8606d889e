import { describe, expect, test } from '@jest/globals';
import { between, histogramOf, metricValue, observations, quantile, sumOf } from './prometheus-text.ts';

const text = `# HELP a_seconds How long.
# TYPE a_seconds histogram
a_seconds_bucket{le="0.1"} 50
a_seconds_bucket{le="0.2"} 90
a_seconds_bucket{le="+Inf"} 100
a_seconds_sum 12
a_seconds_count 100
heap_bytes 1.5e7
other_heap_bytes 3
`;

test('reads values and histograms', () => {
  expect(metricValue(text, 'heap_bytes')).toBe(15_000_000);
  expect(() => metricValue(text, 'none')).toThrow('there is no metric none');
  expect(histogramOf(text, 'a_seconds')).toEqual([
    [0.1, 50],
    [0.2, 90],
    [Number.POSITIVE_INFINITY, 100],
  ]);
  expect(histogramOf(text, 'b_seconds')).toEqual([]);
});

test('adds up the samples with some labels', () => {
  const reads =
    'reads_total{group="",fallback="true"} 2\nreads_total{group="apps",fallback="true"} 3\nreads_total{group="",fallback="false"} 9\n';
  expect(sumOf(reads, 'reads_total', 'fallback="true"')).toBe(5);
  expect(sumOf(reads, 'reads_total', 'fallback="true"', 'group="apps"')).toBe(3);
  expect(sumOf(reads, 'reads_total')).toBe(14);
  expect(sumOf(reads, 'other_total')).toBe(0);
});

describe('quantiles', () => {
  const histogram = histogramOf(text, 'a_seconds');

  test.each([
    [0.25, 0.05],
    [0.5, 0.1],
    [0.7, 0.15],
    [0.9, 0.2],
    [0.99, 0.2],
  ])('%d', (q, expected) => {
    expect(quantile(histogram, q)).toBeCloseTo(expected, 10);
  });

  test('are of what came between two looks', () => {
    const later = histogram.map(([bound, count]) => [bound, count + (bound >= 0.2 ? 10 : 0)] as const);
    const added = between(histogram, later);
    expect(observations(added)).toBe(10);
    expect(quantile(added, 0.5)).toBeCloseTo(0.15, 10);
    expect(quantile(between(histogram, histogram), 0.5)).toBeUndefined();
    expect(observations(between([], histogram))).toBe(100);
  });
});

import { expect, test } from '@jest/globals';
import { coresBetween, type Look, thinned } from './probe.ts';

test('a long series is thinned to the highest of each share', () => {
  const series = Array.from({ length: 1_000 }, (_, index) => [index, index % 5] as const);
  const thin = thinned(series);
  expect(thin.length).toBeLessThanOrEqual(240);
  expect(new Set(thin.map(([, value]) => value))).toEqual(new Set([4]));
  expect(thinned(series.slice(0, 3))).toEqual(series.slice(0, 3));
});

test('cores are processor seconds by the time between', () => {
  const look = (at: number, cpu: Record<string, number>): Look => ({
    at,
    cpu,
    requests: { requests: new Map(), watches: new Map() },
    bytes: { controller: 0, agent: 0 },
  });
  expect(coresBetween(look(0, { etcd: 10 }), look(20_000, { etcd: 15 }))).toEqual({ etcd: 0.25 });
});

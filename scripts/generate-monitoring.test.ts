import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createMetrics } from '../src/controller/metrics.ts';
import { monitoringFiles, staleMonitoringFiles } from './generate-monitoring.ts';
import { alerts } from './monitoring/alerts.ts';
import { dashboardExpressions } from './monitoring/dashboard.ts';
import { metricsIn, UnknownMetricError } from './monitoring/known-metrics.ts';

const root = join(import.meta.dirname, '..');

test('the alerts and the dashboard in the chart are what scripts/monitoring gives (otherwise: node scripts/generate-monitoring.ts)', async () => {
  expect(await staleMonitoringFiles(root)).toEqual([]);
});

test('both files are what Prometheus and Grafana read', async () => {
  const [rules, board] = await Promise.all([...monitoringFiles().keys()].map((path) => readFile(join(root, path), 'utf8')));
  expect(parse(rules ?? '')).toEqual({ groups: [{ name: 'lockkeeper', rules: alerts }] });
  const { panels } = JSON.parse(board ?? '') as { panels: { gridPos: { x: number; y: number; w: number; h: number } }[] };
  for (const { x, w } of panels.map(({ gridPos }) => gridPos)) expect(x + w).toBeLessThanOrEqual(24);
  expect(new Set(panels.map(({ gridPos }) => `${gridPos.x} ${gridPos.y}`)).size).toBe(panels.length);
});

describe('what alerts and dashboard ask for', () => {
  test('is on the dashboard, whatever the controller tells of itself; and what alerts name exists', () => {
    for (const { expr } of alerts) metricsIn(expr);
    const shown = new Set(dashboardExpressions.flatMap((expression) => metricsIn(expression)).map(withoutSuffix));
    const ours = createMetrics(() => 0)
      .registry.getMetricsAsArray()
      .map(({ name }) => name)
      .filter((name) => !/^lockkeeper_(process|nodejs)_/.test(name));
    expect(ours.filter((name) => !shown.has(name))).toEqual([]);
  });

  test.each([
    ['lockkeeper_claim', 'lockkeeper_claim'],
    ['up', 'metric of ours'],
    ['lockkeeper_phase_duration_seconds', 'lockkeeper_phase_duration_seconds'],
    ['lockkeeper_claims{node="a"}', 'label node of lockkeeper_claims'],
    ['sum by (policy, colour) (lockkeeper_claims)', 'label colour'],
    ['lockkeeper_node_phase{phase="Dreaming"}', 'phase Dreaming'],
    ['lockkeeper_node_phase{reason=~"AgentMissing|Boredom"}', 'reason Boredom'],
  ])('%s is refused', (expression, named) => {
    expect(() => metricsIn(expression)).toThrow(UnknownMetricError);
    expect(() => metricsIn(expression)).toThrow(`there is no ${named}`);
  });
});

const withoutSuffix = (name: string) => name.replace(/(?<=_seconds)_(bucket|sum|count)$/, '');

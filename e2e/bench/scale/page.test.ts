import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { atMost, forInformation } from '../figure.ts';
import { growthChart, scalePage } from './page.ts';
import { readRecords, type ScaleRecord, writeRecord } from './record.ts';

const recordOf = (nodes: number, more: Partial<ScaleRecord> = {}): ScaleRecord => ({
  kind: 'size',
  nodes,
  pods: nodes * 15,
  machine: ['cores: 2'],
  command: 'make bench-scale',
  startedAt: '2026-01-01T00:00:00.000Z',
  loaded: false,
  complete: true,
  figures: [atMost(250, 'rss_peak', 'MB', nodes / 10, 1), forInformation('heap_peak', 'MB', 30, 1)],
  requests: { idle: { 'controller update leases': 12 } },
  cores: { idle: { etcd: 0.5 } },
  series: {},
  ...more,
});

describe('the page', () => {
  test('has a column a size, the goal, and how each figure grows', () => {
    const page = scalePage([recordOf(100), recordOf(1_000)], 'scale.svg');
    expect(page).toContain('| figure | unit | 100 nodes, 1500 pods | 1000 nodes, 15000 pods |');
    expect(page).toContain('| rss_peak | MB | 10 | 100 | <= 250 | yes | linear (1.00) |');
    expect(page).toContain('| heap_peak | MB | 30 | 30 |  |  | does not grow (0.00) |');
    expect(page).toContain('12  controller update leases');
    expect(page).not.toMatch(/Missed|no result|Ended before/);
  });

  test('shows misses as misses, and what was taken under load or ended early as that', () => {
    const page = scalePage([recordOf(100, { loaded: true }), recordOf(5_000, { complete: false })], undefined);
    expect(page).toContain('- rss_peak at 5000 nodes: 500 MB, the goal is <= 250');
    expect(page).toContain('| rss_peak | MB | 10 | 500 (missed) | <= 250 | NO |');
    expect(page).toContain('and so no result: 100 nodes.');
    expect(page).toContain('Ended before all was measured: 5000 nodes.');
    expect(page).not.toContain('scale.svg');
  });

  test('tells of the soak apart', () => {
    const series = {
      'heap after collections': [
        [5.1, 20],
        [10.2, 20.5],
      ],
    } as const;
    const soak = recordOf(50, { kind: 'soak', figures: [atMost(3, 'soak_heap_growth_percent', '%', 4, 1)], series });
    const page = scalePage([recordOf(100), soak], undefined);
    expect(page).toContain('| soak_heap_growth_percent | 4 | % | <= 3 | NO |');
    expect(page).toContain('The heap after 5 minutes: 20 MB, 10 minutes: 20.5 MB.');
    expect(page).not.toContain('50 nodes, 750 pods |');
  });

  test('draws growth from two sizes on', () => {
    expect(growthChart([recordOf(100), recordOf(50, { kind: 'soak' })])).toBeUndefined();
    expect(growthChart([recordOf(100), recordOf(1_000)])).toContain('Memory of the leader');
  });
});

test('records come back in the order of their sizes, the soak last', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'records-'));
  try {
    for (const record of [recordOf(5_000), recordOf(50, { kind: 'soak' }), recordOf(100)]) await writeRecord(folder, record);
    await writeFile(path.join(folder, 'latest.json'), '[]');
    expect((await readRecords(folder)).map(({ kind, nodes }) => `${kind} ${nodes}`)).toEqual(['size 100', 'size 5000', 'soak 50']);
  } finally {
    await rm(folder, { recursive: true });
  }
});

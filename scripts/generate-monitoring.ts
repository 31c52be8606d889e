import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { alerts } from './monitoring/alerts.ts';
import { dashboard, dashboardExpressions } from './monitoring/dashboard.ts';
import { metricsIn } from './monitoring/known-metrics.ts';

const FOLDER = 'charts/lockkeeper/files';
const HEADER = '# Generated from scripts/monitoring by scripts/generate-monitoring.ts: edit them there.\n';

/** The alert rules and the dashboard: paths from the repository's root, and what they must hold. Throws where one names a metric that does not exist. */
export function monitoringFiles(): ReadonlyMap<string, string> {
  for (const expression of [...alerts.map(({ expr }) => expr), ...dashboardExpressions]) metricsIn(expression);
  return new Map([
    [`${FOLDER}/alerts.yaml`, HEADER + stringify({ groups: [{ name: 'lockkeeper', rules: alerts }] }, { lineWidth: 140 })],
    [`${FOLDER}/dashboard.json`, `${JSON.stringify(dashboard(), undefined, 2)}\n`],
  ]);
}

/** Paths of the files below `root` that are missing or hold something else. */
export async function staleMonitoringFiles(root: string): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, content] of monitoringFiles())
    if ((await readFile(join(root, path), 'utf8').catch(() => undefined)) !== content) stale.push(path);
  return stale;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  for (const path of await staleMonitoringFiles(root)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), monitoringFiles().get(path) ?? '');
    console.log(`wrote ${path}`);
  }
}

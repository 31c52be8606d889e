import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { KubeObject } from '../bed/api.ts';
import { repository } from '../bed/config.ts';

const module = 'github.com/prometheus-operator/prometheus-operator';

/** The CRDs of the Prometheus Operator's kinds that the chart may install, out of the operator's own Go module. */
export async function monitoringKinds(): Promise<KubeObject[]> {
  const cwd = join(repository, 'e2e/tools/prometheus-operator');
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], { cwd });
  const { Dir: folder } = JSON.parse(stdout) as { Dir: string };
  const files = ['servicemonitors', 'prometheusrules'].map((kind) => `monitoring.coreos.com_${kind}.yaml`);
  return Promise.all(
    files.map(async (file) => parse(await readFile(join(folder, 'example/prometheus-operator-crd', file), 'utf8')) as KubeObject),
  );
}

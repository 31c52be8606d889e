import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ApiObject, App, Chart, Yaml } from 'cdk8s';
import { k8s } from 'cdk8s-plus-33';
import { customResourceDefinition, kindDefinitions } from '../src/api/crd.ts';
import { access } from './install/access.ts';
import { policies } from './install/policies.ts';
import { metadata, namespace } from './install/shared.ts';
import { workloads } from './install/workloads.ts';

const PATH = 'deploy/install.yaml';
const HEADER = `# Lockkeeper without Helm: the objects of charts/lockkeeper with its defaults, the kinds, and the namespace with the label that the agents need.
# Generated from scripts/install by scripts/generate-install.ts: edit the objects there. docs/install-without-helm.md says how to use it.
`;

/** All objects of the manifest, in the order in which they are applied. */
export function installObjects(): object[] {
  const chart = new Chart(new App(), 'lockkeeper', { disableResourceNameHashes: true });
  for (const definition of kindDefinitions) {
    const crd = customResourceDefinition(definition);
    new ApiObject(chart, crd.metadata.name, crd);
  }
  const { name, labels } = metadata(namespace);
  new k8s.KubeNamespace(chart, 'namespace', {
    metadata: { name, labels: { ...labels, 'pod-security.kubernetes.io/enforce': 'privileged' } },
  });
  access(chart);
  workloads(chart);
  policies(chart);
  return chart.toJson() as object[];
}

const manifest = (): string => HEADER + Yaml.stringify(...installObjects());

/** Whether the manifest below `root` is missing, or holds something else. */
export async function isStale(root: string): Promise<boolean> {
  return (await readFile(join(root, PATH), 'utf8').catch(() => undefined)) !== manifest();
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  if (await isStale(root)) {
    await mkdir(dirname(join(root, PATH)), { recursive: true });
    await writeFile(join(root, PATH), manifest());
    console.log(`wrote ${PATH}`);
  }
}

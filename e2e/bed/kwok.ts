import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Child } from './children.ts';
import type { Home } from './home.ts';

const stages = fileURLToPath(new URL('stages', import.meta.url));

/** The annotation of nodes whose pods and lease kwok plays. */
export const managedNode = { 'kwok.x-k8s.io/node': 'fake' } as const;

export interface KwokOptions {
  readonly program: string;
  readonly kubeconfig: string;
  /** How long a node's lease lasts, in seconds; it is renewed four times as often. Longer for thousands of nodes. */
  readonly leaseSeconds?: number;
}

/** Starts kwok, which plays the kubelets: pods without containers by the stages in `stages/`, and node leases. */
export async function startKwok(home: Home, options: KwokOptions): Promise<Child> {
  const files = (await readdir(stages)).filter((file) => file.endsWith('.yaml')).sort();
  const annotation = Object.entries(managedNode).map(([key, value]) => `${key}=${value}`);
  return home.children.spawn({
    name: 'kwok',
    command: options.program,
    args: [
      `--kubeconfig=${options.kubeconfig}`,
      ...files.map((file) => `--config=${path.join(stages, file)}`),
      `--manage-nodes-with-annotation-selector=${annotation.join(',')}`,
      '--cidr=10.128.0.0/9',
      `--node-lease-duration-seconds=${options.leaseSeconds ?? 40}`,
    ],
    env: { HOME: home.scratch },
    cwd: home.scratch,
    log: home.log('kwok'),
  });
}

import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Api, KubeObject } from './api.ts';
import { repository } from './config.ts';
import { eventually } from './eventually.ts';

export interface ChartOptions {
  /** Over the chart's own values. */
  readonly values?: object;
  /** A folder; `charts/lockkeeper` unless told. */
  readonly chart?: string;
  /** False: does not wait until the controllers are ready. */
  readonly wait?: boolean;
  readonly timeoutMs?: number;
}

export interface Helm {
  install(options?: ChartOptions): Promise<void>;
  /** Without `hooks`, no node is released first. */
  uninstall(options?: { readonly hooks?: boolean }): Promise<void>;
}

export interface HelmParts {
  readonly run: (args: readonly string[], input?: string) => Promise<string>;
  readonly client: Api;
  /** Where the programs must lie that the chart's pods run. */
  readonly app: string;
}

/** Release and namespace of the chart on a bed. */
export const release = 'lockkeeper';

interface Deployment extends KubeObject {
  spec: { replicas?: number };
  status?: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number };
}

export function helmFor({ run, client, app }: HelmParts): Helm {
  return {
    async install({ values = {}, chart = path.join(repository, 'charts', 'lockkeeper'), wait = true, timeoutMs = 60_000 } = {}) {
      if (!existsSync(path.join(app, 'lockkeeper.js'))) throw new Error(`${app} holds no lockkeeper.js: build the programs first`);
      const where = ['--namespace', release, '--create-namespace'];
      await run(['upgrade', '--install', release, chart, ...where, '--values', '-'], JSON.stringify(values));
      if (!wait) return;
      const deployment = () => client.get<Deployment>(`/apis/apps/v1/namespaces/${release}/deployments/lockkeeper-controller`);
      await eventually(async () => isRolledOut(await deployment()), { timeoutMs, describe: deployment });
    },
    async uninstall({ hooks = true } = {}) {
      await run(['uninstall', release, '--namespace', release, '--wait', '--timeout', '120s', ...(hooks ? [] : ['--no-hooks'])]);
    },
  };
}

/** Whether all replicas are of the present generation and available. */
export function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  const replicas = spec.replicas ?? 1;
  return (
    status?.observedGeneration === metadata.generation && status?.updatedReplicas === replicas && status?.availableReplicas === replicas
  );
}

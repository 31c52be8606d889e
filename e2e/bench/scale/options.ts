import path from 'node:path';
import { parseArgs } from 'node:util';
import { durationMs, durationSchema } from '../../../src/api/primitives.ts';
import { repository } from '../../bed/config.ts';

/** What a run of the scale benchmark is to do. */
export interface ScaleOptions {
  /** Sizes of clusters, measured in this order. */
  readonly nodes: readonly number[];
  /** Pods on each node of one half. */
  readonly podsPerNode: number;
  /** How long nothing happens while requests are counted, in milliseconds. */
  readonly steadyMs: number;
  /** How long releases follow one another at the end; undefined: not at all. */
  readonly soakMs: number | undefined;
  readonly soakNodes: number;
  /** Releases within the soak. */
  readonly soakRollouts: number;
  readonly agentsPerProcess: number;
  /** Folder of the JSON files, and of the page with its chart. */
  readonly results: string;
  readonly page: string;
  /** Writes the page of the results that are there, and measures nothing. */
  readonly reportOnly: boolean;
}

export const usage = `Measures Lockkeeper on clusters of growing size: a real control plane, kwok's pods, agents by the hundred in a process.

  node e2e/bench/scale/main.ts [flags]

  --nodes LIST             sizes, measured in this order (default: 100,1000,5000)
  --pods-per-node COUNT    pods on each node of one half (default: 30)
  --steady DURATION        how long idle traffic is counted at each size (default: 5m)
  --soak DURATION          afterwards releases follow one another for so long, such as 1h (default: no soak)
  --soak-nodes COUNT       nodes of the soak (default: 50)
  --soak-rollouts COUNT    releases within the soak (default: 200)
  --agents-per-process N   simulated nodes, with their agents, in one process (default: 250)
  --out FOLDER             for all files (default: bench/ for the figures, docs/ for the page and its charts)
  --report                 measures nothing: writes the page of the figures that are there
  --help                   shows this

Figures are written after each phase (scale-NODES.json, scale-soak.json): what was measured survives an abort. It ends with 1 where
a figure misses its goal or could not be measured, with 2 where it was called wrongly.
`;

/** @throws RangeError or TypeError whose message is one clear line; undefined: the usage was asked for */
export function parseOptions(args: readonly string[]): ScaleOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '100,1000,5000' },
      'pods-per-node': { type: 'string', default: '30' },
      steady: { type: 'string', default: '5m' },
      soak: { type: 'string' },
      'soak-nodes': { type: 'string', default: '50' },
      'soak-rollouts': { type: 'string', default: '200' },
      'agents-per-process': { type: 'string', default: '250' },
      out: { type: 'string' },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const out = values.out === undefined ? undefined : path.resolve(values.out);
  return {
    nodes: values.nodes === '' ? [] : values.nodes.split(',').map((text) => count('--nodes', text, 2, 20_000)),
    podsPerNode: count('--pods-per-node', values['pods-per-node'], 0, 100),
    steadyMs: duration('--steady', values.steady, 10_000),
    soakMs: values.soak === undefined ? undefined : duration('--soak', values.soak, 30_000),
    soakNodes: count('--soak-nodes', values['soak-nodes'], 2, 1_000),
    soakRollouts: count('--soak-rollouts', values['soak-rollouts'], 1, 100_000),
    agentsPerProcess: count('--agents-per-process', values['agents-per-process'], 1, 1_000),
    results: out ?? path.join(repository, 'bench'),
    page: out ?? path.join(repository, 'docs'),
    reportOnly: values.report,
  };
}

function count(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${flag} takes whole numbers from ${least} to ${most}, not '${text}'`);
  }
  return value;
}

function duration(flag: string, text: string, least: number): number {
  const parsed = durationSchema().safeParse(text);
  if (!parsed.success || durationMs(text) < least)
    throw new RangeError(`${flag} takes a duration of at least ${least / 1000}s, such as 5m or 1h`);
  return durationMs(text);
}

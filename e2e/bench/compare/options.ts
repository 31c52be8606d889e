import { parseArgs } from 'node:util';
import { durationMs, durationSchema } from '../../../src/api/primitives.ts';
import type { CompareOptions } from './contestant.ts';
import { placeholders } from './placeholders.ts';

/** What a run is to do. */
export interface RunOptions extends CompareOptions {
  /** Files of the others, in the order of the columns. */
  readonly others: readonly string[];
  /** Whether Lockkeeper has a column. */
  readonly withOurselves: boolean;
  readonly format: 'text' | 'markdown' | 'json';
  /** Where compare.json and compare.md are written; nowhere unless told. */
  readonly out: string | undefined;
}

const width = Math.max(...Object.keys(placeholders).map((name) => name.length)) + 2;

export const usage = `Rolls the same release over the same bed with Lockkeeper and with other operators, and prints their figures side by side.

  node e2e/bench/compare/main.ts --other CONTENDER.yaml [flags]

  --other FILE             another operator, as docs/compare.md describes one; may be given again, a column each
  --skip-ourselves         measures the others alone, such as while a contender's file is being written
  --nodes COUNT            nodes to be updated (default: 10)
  --pods-per-node COUNT    pods of the workload, on average, each in a budget (default: 10)
  --max-unavailable COUNT  how many nodes may be unavailable at once (default: 1)
  --idle DURATION          how long idle traffic is counted before (default: 2m)
  --timeout DURATION       what has not ended by then did not finish (default: 30m)
  --format FORMAT          what is printed: text (default), markdown or json
  --out FOLDER             also writes compare.json and compare.md there
  --help                   shows this

Each is measured on a bed of its own: a real control plane, simulated Bottlerocket hosts, pods played by kwok, its programs as
processes of this machine, which should do nothing else. The figures come from the API server's audit log and watches, from /proc
and from the hosts. The programs of Lockkeeper must have been built (make build).

Placeholders in a contender's file:
${Object.entries(placeholders)
  .map(([name, words]) => `  ${`{${name}}`.padEnd(width)}  ${words}`)
  .join('\n')}
  {port:NAME}  a free port, the same each time the pod names it
  {token:AUDIENCE}  a file with a token of the pod's for that audience

It ends with 0 where all have finished, with 1 where one has not, with 2 where it was called wrongly.
`;

/** @throws RangeError or TypeError whose message is one clear line; undefined: the usage was asked for */
export function parseOptions(args: readonly string[]): RunOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      other: { type: 'string', multiple: true, default: [] },
      'skip-ourselves': { type: 'boolean', default: false },
      nodes: { type: 'string', default: '10' },
      'pods-per-node': { type: 'string', default: '10' },
      'max-unavailable': { type: 'string', default: '1' },
      idle: { type: 'string', default: '2m' },
      timeout: { type: 'string', default: '30m' },
      format: { type: 'string', default: 'text' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const withOurselves = !values['skip-ourselves'];
  if (values.other.length === 0) throw new RangeError('--other FILE names another operator; --help shows the rest');
  const { format } = values;
  if (format !== 'text' && format !== 'markdown' && format !== 'json') {
    throw new RangeError(`--format is text, markdown or json, not '${format}'`);
  }
  // Each node has a process of its own: more than these no machine of a person's holds.
  const nodes = count('--nodes', values.nodes, 2, 300);
  return {
    others: values.other,
    withOurselves,
    nodes,
    podsPerNode: count('--pods-per-node', values['pods-per-node'], 0, 50),
    maxUnavailable: count('--max-unavailable', values['max-unavailable'], 1, nodes - 1),
    idleMs: duration('--idle', values.idle, 5_000),
    timeoutMs: duration('--timeout', values.timeout, 10_000),
    format,
    out: values.out,
  };
}

function count(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new RangeError(`${flag} takes a whole number from ${least} to ${most}, not '${text}'`);
  }
  return value;
}

function duration(flag: string, text: string, least: number): number {
  const parsed = durationSchema().safeParse(text);
  if (!parsed.success || durationMs(text) < least) {
    throw new RangeError(`${flag} takes a duration of at least ${least / 1_000}s, such as 30s or 10m, not '${text}'`);
  }
  return durationMs(text);
}

import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { repository } from '../../bed/config.ts';
import { describeMachine } from '../machine.ts';
import { parseOptions, type ScaleOptions, usage } from './options.ts';
import { growthChart, scalePage } from './page.ts';
import { readRecords, type ScaleRecord, writeRecord } from './record.ts';
import type { ScaleContext } from './scale-bed.ts';
import { measureSize } from './size.ts';
import { soak } from './soak.ts';

/** A machine that did more than this when it began has not measured us alone. */
const quietLoad = 0.7;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: ScaleOptions | undefined;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`bench-scale: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const held = options.reportOnly || (await measure(options, args));
  await writePage(options);
  return held ? 0 : 1;
}

/** Whether all was measured and every goal holds. */
async function measure(options: ScaleOptions, args: readonly string[]): Promise<boolean> {
  const { results, soakMs } = options;
  const shared = {
    machine: describeMachine(),
    command: ['make bench-scale', ...(args.length === 0 ? [] : [`ARGS='${args.join(' ')}'`])].join(' '),
    loaded: (loadavg()[0] ?? 0) > quietLoad,
  };
  const ending = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ending.abort(new Error(`ended by ${name}`)));
  const started = performance.now();
  // A build that comes in between changes nothing.
  const app = await mkdtemp(path.join(tmpdir(), 'bench-app-'));
  const contextOf = (what: string): ScaleContext => ({
    app,
    signal: ending.signal,
    say: (text) => void process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s  ${what}: ${text}\n`),
  });
  let held = true;
  const run = async (what: string, record: ScaleRecord, work: (context: ScaleContext, write: () => Promise<void>) => Promise<void>) => {
    if (ending.signal.aborted) return;
    const context = contextOf(what);
    const write = () => writeRecord(results, record);
    try {
      await work(context, write);
    } catch (error) {
      held = false;
      context.say(`could not be measured: ${error instanceof Error ? error.message : String(error)}`);
      if (record.figures.length > 0) await write();
    }
    for (const { name, value, unit, goal, holds } of record.figures) {
      if (!holds) held = false;
      context.say(
        `${name.padEnd(44)} ${String(value).padStart(10)} ${unit}${goal === null ? '' : `  (goal ${goal}${holds ? '' : ': MISSED'})`}`,
      );
    }
  };
  const recordOf = (kind: ScaleRecord['kind'], nodes: number, podsPerNode: number): ScaleRecord => ({
    kind,
    nodes,
    pods: Math.ceil(nodes / 2) * podsPerNode,
    ...shared,
    startedAt: new Date().toISOString(),
    complete: false,
    figures: [],
    requests: {},
    cores: {},
    series: {},
  });
  try {
    await cp(path.join(repository, 'dist'), app, { recursive: true });
    for (const nodes of options.nodes) {
      const record = recordOf('size', nodes, options.podsPerNode);
      await run(`${nodes} nodes`, record, (context, write) => measureSize(context, record, options, write));
    }
    if (soakMs !== undefined) {
      const record = recordOf('soak', options.soakNodes, 4);
      const { agentsPerProcess, soakRollouts: rollouts } = options;
      await run('soak', record, (context, write) => soak(context, record, { forMs: soakMs, rollouts, agentsPerProcess }, write));
    }
  } finally {
    await rm(app, { recursive: true, force: true });
  }
  return held && !ending.signal.aborted;
}

async function writePage({ results, page }: ScaleOptions): Promise<void> {
  const records = await readRecords(results);
  if (records.length === 0) return;
  await mkdir(page, { recursive: true });
  const chart = growthChart(records);
  if (chart !== undefined) await writeFile(path.join(page, 'scale.svg'), chart);
  await writeFile(path.join(page, 'scale.md'), scalePage(records, chart === undefined ? undefined : 'scale.svg'));
  process.stderr.write(`wrote ${path.relative(repository, path.join(page, 'scale.md'))}\n`);
}

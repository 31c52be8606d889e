import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { repository } from '../../bed/config.ts';
import { describeMachine } from '../machine.ts';
import { readContender } from './contender.ts';
import type { Contestant } from './contestant.ts';
import { measure } from './measure.ts';
import { parseOptions, type RunOptions, usage } from './options.ts';
import { other } from './other.ts';
import { ourselves } from './ourselves.ts';
import type { Comparison, Result } from './result.ts';
import { asJson, asMarkdown, asText } from './table.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: RunOptions | undefined;
  let contestants: Contestant[];
  try {
    options = parseOptions(args);
    if (options === undefined) {
      process.stdout.write(usage);
      return 0;
    }
    const others: Contestant[] = [];
    for (const file of options.others) others.push(other(await readContender(file)));
    contestants = [...(options.withOurselves ? [ourselves] : []), ...others];
    const twice = contestants.find(({ name }, index) => contestants.findIndex((one) => one.name === name) !== index);
    if (twice !== undefined) throw new RangeError(`two are named ${twice.name}: each column wants a name of its own`);
  } catch (error) {
    process.stderr.write(`bench-compare: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  return compare(contestants, options, args);
}

async function compare(contestants: readonly Contestant[], options: RunOptions, args: readonly string[]): Promise<number> {
  const machine = describeMachine();
  const ending = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ending.abort(new Error(`ended by ${name}`)));
  const started = performance.now();
  const results: Result[] = [];
  // A build that comes in between changes nothing.
  const app = await mkdtemp(path.join(tmpdir(), 'bench-app-'));
  try {
    await cp(path.join(repository, 'dist'), app, { recursive: true });
    for (const contestant of contestants) {
      const say = (text: string) =>
        void process.stderr.write(`${((performance.now() - started) / 1_000).toFixed(0).padStart(5)} s  ${contestant.name}: ${text}\n`);
      results.push(await measure(contestant, options, { app, signal: ending.signal, say }));
    }
  } catch (error) {
    process.stderr.write(`bench-compare: ${error instanceof Error ? error.message : String(error)}\n`);
    if (ending.signal.aborted || results.length === 0) return 1;
  } finally {
    await rm(app, { recursive: true, force: true });
  }
  const { nodes, podsPerNode, maxUnavailable, idleMs, format, out } = options;
  const comparison: Comparison = {
    machine,
    command: ['node e2e/bench/compare/main.ts', ...args].join(' '),
    at: new Date().toISOString(),
    setting: [
      `nodes: ${nodes}, at most ${maxUnavailable} unavailable at once; hosts that need no time to stage and boot`,
      `pods: ${nodes * podsPerNode}, half of which may be disrupted; they end and start at once`,
      `idle: counted for ${idleMs / 1_000} s`,
    ],
    results,
  };
  process.stdout.write({ text: asText, markdown: asMarkdown, json: asJson }[format](comparison));
  if (out !== undefined) await write(out, comparison);
  return results.length === contestants.length && results.every(({ outcome }) => outcome.state === 'Finished') ? 0 : 1;
}

async function write(folder: string, comparison: Comparison): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of [
    ['compare.json', asJson(comparison)],
    ['compare.md', asMarkdown(comparison)],
  ] as const) {
    await writeFile(path.join(folder, name), content);
    process.stderr.write(`wrote ${path.join(folder, name)}\n`);
  }
}
